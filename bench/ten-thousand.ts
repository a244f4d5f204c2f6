// The whole daemon at 10,000 machines in 20 pools: real state on disk, EC2 over HTTP, hosts over SSH and TLS on loopback.
// What is measured comes from the daemon itself: its metrics, and a probe for memory and stalls of the main thread.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { type Child, startChild, startGuard, tailOf } from '../src/demo/child.ts';
import { makeSite, programs, type Site } from '../src/demo/site.ts';
import { atMost, informs, type Row } from './row.ts';
import { MACHINES, POOLS, poolNameOf } from './ten-thousand/crowd.ts';
import { fill, makeKeys } from './ten-thousand/fill.ts';

const MINUTE_MS = 60_000;
/** After the start, before anything counts: first connections to all hosts are made in the first 100 s, 100 a second. */
const WARM_UP_MS = 20_000;
/** Long enough for a full sweep, once a minute, and a dozen ticks. */
const MEASURED_MS = 75_000;

const here = (name: string): string => fileURLToPath(new URL(`ten-thousand/${name}`, import.meta.url));

function runnerFile(endpoint: string, sshPort: number): string {
  const sections = Array.from({ length: POOLS }, (_, index) => {
    const name = poolNameOf(index);
    return `[[runners]]
  name = "${name}"
  url = "https://gitlab.example.com"
  token = "glrt-${name.replace('-', '')}0000000000000"
  executor = "docker+machine"
  limit = 600
  [runners.machine]
    IdleCount = 200
    IdleTime = 3600
    MaxBuilds = 100
    MachineDriver = "amazonec2"
    MachineName = "${name}-%s"
    MachineOptions = [
      "amazonec2-access-key=AKIABENCH", "amazonec2-secret-key=bench", "amazonec2-region=eu-central-1",
      "amazonec2-vpc-id=vpc-0d3e0d3e", "amazonec2-subnet-id=subnet-0d3e0d3e", "amazonec2-use-private-address=true",
      "amazonec2-instance-type=m5.large", "amazonec2-ami=ami-0d3e0d3e0d3e0d3e0",
      "amazonec2-endpoint=${endpoint}", "amazonec2-ssh-port=${sshPort}",
    ]
`;
  });
  return `concurrent = ${MACHINES}\n${sections.join('\n')}`;
}

async function until(what: string, holds: () => Promise<boolean>, children: readonly Child[]): Promise<void> {
  const begun = performance.now();
  while (!(await holds().catch(() => false))) {
    const dead = children.find((child) => !child.isAlive());
    if (dead !== undefined) throw new Error(`${what}: ${dead.name} ${await dead.ended}`);
    if (performance.now() - begun > 2 * MINUTE_MS) throw new Error(`${what}: not within two minutes`);
    await sleep(200);
  }
}

/** The one that the cloud copies; `hostler:launch` and pool are each copy's own. */
async function launchModel(endpoint: string, tags: Record<string, string>): Promise<void> {
  const credentials = { accessKeyId: 'AKIABENCH', secretAccessKey: 'bench' };
  const ec2 = new EC2Client({ endpoint, region: 'eu-central-1', credentials });
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  await ec2.send(
    new RunInstancesCommand({
      ImageId: 'ami-0d3e0d3e0d3e0d3e0',
      InstanceType: 'm5.large',
      SubnetId: 'subnet-0d3e0d3e',
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [{ ResourceType: 'instance', Tags }],
    }),
  );
  ec2.destroy();
}

type Ticks = { count: number; seconds: number };

async function ticksOf(site: Site): Promise<Ticks> {
  const text = await (await fetch(`http://${site.listenAddress}/metrics`)).text();
  const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  return {
    count: figure('hostler_tick_duration_seconds_count'),
    seconds: figure('hostler_tick_duration_seconds_sum'),
  };
}

type Sample = { at: number; rss: number; stall: number; cpu: number };

function samplesOf(file: string, since: number): Sample[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Sample).filter(({ at }) => at >= since);
}

async function measure(site: Site, begin: (name: string, args: readonly string[], env?: object) => Child) {
  const made = await makeKeys(site);
  site.write(
    `${site.folder}/crowd.json`,
    JSON.stringify({ keys: made.hosts, ports: { ssh: site.sshPort, docker: 2376 } }),
  );
  const cloud = begin('cloud', [here('cloud.ts'), `${site.folder}/crowd.json`]);
  const { endpoint } = JSON.parse(await cloud.firstLine) as { endpoint: string };
  site.write(site.runnerConfig, runnerFile(endpoint, site.sshPort));
  site.write(site.hostlerConfig, `[hostler]\nrunner_config = ${JSON.stringify(site.runnerConfig)}\n`);
  const { spec, owner } = await fill(site, made);
  await launchModel(endpoint, {
    'hostler:owner': owner,
    'hostler:manager': made.manager,
    'hostler:spec': spec,
  });
  const listed = async () =>
    ((await (await fetch(`${endpoint}/_emulator/instances`)).json()) as unknown[]).length;
  await until('the crowd', async () => (await listed()) > MACHINES, [cloud]);
  const probe = `${site.folder}/probe`;
  const env = { HOSTLER_PROBE: probe, NODE_OPTIONS: `--import=${here('probe.mjs')}` };
  const daemon = begin('daemon', ['run', '--config', site.hostlerConfig], env);
  await until('the daemon', async () => (await fetch(`http://${site.listenAddress}/readyz`)).ok, [daemon]);
  await sleep(WARM_UP_MS);
  const since = Date.now();
  const before = await ticksOf(site);
  await sleep(MEASURED_MS);
  const after = await ticksOf(site);
  return {
    ticks: { count: after.count - before.count, seconds: after.seconds - before.seconds },
    samples: samplesOf(probe, since),
  };
}

/** Memory, time of a tick and stalls, over more than a full sweep. */
export async function tenThousand(): Promise<readonly Row[]> {
  const site = await makeSite(process.env);
  const guard = startGuard(site.folder);
  const children: Child[] = [];
  try {
    const { ticks, samples } = await measure(site, (name, args, env = {}) => {
      const reads = name === 'cloud';
      const own = { env: { ...site.env, ...env }, log: site.log(name), reads };
      const program = name === 'daemon' ? programs.hostler : process.execPath;
      const child = startChild({ name, program, args, ...own });
      guard.watch(child.pid);
      children.push(child);
      return child;
    });
    const [first, last] = [samples[0], samples.at(-1)];
    const share =
      first === undefined || last === undefined ? Number.NaN : (last.cpu - first.cpu) / (last.at - first.at);
    return [
      atMost(
        '10,000 machines: resident memory, most',
        Math.max(...samples.map(({ rss }) => rss)) / 2 ** 20,
        'MiB',
        300,
      ),
      atMost('10,000 machines: one tick, mean', (ticks.seconds / ticks.count) * 1_000, 'ms', 50),
      atMost(
        '10,000 machines: stall of the main thread, longest',
        Math.max(...samples.map(({ stall }) => stall)),
        'ms',
        100,
      ),
      informs('10,000 machines: processor time', share * 100, '%'),
    ];
  } catch (error) {
    for (const { name } of children) console.error(`${name}: ${tailOf(site.log(name))}`);
    throw error;
  } finally {
    for (const child of children.toReversed()) child.kill();
    site.remove();
    guard.dismiss();
  }
}
