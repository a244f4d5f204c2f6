// A burst of jobs on an empty pool of real Docker hosts, and what holds on each of them afterwards: user data, SSH keys,
// TLS, a job as the runner runs it, cleaning. One world for all, since hosts take their time to boot; in this order.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createKeys } from '../../src/adapters/keys/keys.ts';
import { createHosts } from '../../src/adapters/ssh/hosts.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { machineName, type Ran } from '../support/live-world.ts';
import {
  figure,
  fileOfHost,
  fileOfImage,
  type HostsWorld,
  hostCount,
  READY_BUDGET_S,
  spread,
  startHostsWorld,
} from './hosts-world.ts';
import { askDocker, jobClient, labelsOf, machineFiles } from './job-client.ts';
import { type Registry, startRegistry } from './registry.ts';

const socket = inject('dockerSocket');
const count = hostCount();
const clock = createClock();
/** A key of the operator's own, whose public half must stay on the hosts beside hostler's. */
const OWN_KEY = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'A'.repeat(43)} operator`;
const OWN_USER_DATA = `#cloud-config
ssh_authorized_keys:
  - ${OWN_KEY}
write_files:
  - path: /etc/own-file
    content: written by the operator
runcmd:
  - [sh, -c, "sleep 1; echo done >/etc/own-command"]
`;

describe.skipIf(socket === null)(`a burst of ${count} creates on an empty pool`, () => {
  const names = Array.from({ length: count }, machineName);
  const folder = mkdtempSync(join(tmpdir(), 'hostler-own-'));
  let world: HostsWorld;
  let registry: Registry;
  let answers: Ran[] = [];

  /** Instance ids by the address of their host. */
  const instanceAt = (address: string): string =>
    world.emulator.world.instances().find((one) => one.address === address)?.id ?? '';
  const addressOf = (name: string): string => machineFiles(world, name).address;

  beforeAll(async () => {
    const userData = join(folder, 'user-data');
    writeFileSync(userData, OWN_USER_DATA);
    const tools = await fileOfImage(socket ?? '', '/bin/busybox');
    world = await startHostsWorld(socket ?? '', {
      prepare: async (address) => {
        registry = await startRegistry(address, tools);
        const own = [`amazonec2-userdata=${userData}`, 'engine-label=team=build'];
        return {
          options: [...own, `engine-insecure-registry=${registry.at}`],
          own: `[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nprepull = ["${registry.at}/tools:1"]\n`,
        };
      },
    });
    answers = await Promise.all(names.map((name) => world.create(name)));
  });
  afterAll(async () => {
    await world.close();
    await registry.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('gives each create a host of its own, with one launch call or two', async () => {
    expect(answers.filter(({ code }) => code !== 0).map(({ stdout, stderr }) => stdout + stderr)).toEqual([]);
    expect(new Set(names.map(addressOf)).size).toBe(count);
    expect(world.ec2Calls()['RunInstances']).toBeLessThanOrEqual(2);
    const ready = (await world.client.events({ limit: 1_000 })).filter(({ code }) => code === 'became-ready');
    const readyAt = new Map(ready.map(({ at, detail }) => [String(detail['instance']), Date.parse(at)]));
    const seen = await Promise.all(
      names.map(async (name) => {
        const id = instanceAt(addressOf(name));
        // Hosts in containers share this machine's clock.
        const ended = await world.dockerMachine('ssh', name, 'stat -c %.Y /run/cloud-init/result.json');
        const greeted = world.greeted.get(id) ?? 0;
        return {
          boot: greeted - (world.started.get(id) ?? 0),
          sshToReady: (readyAt.get(id) ?? 0) - greeted,
          bootedToReady: (readyAt.get(id) ?? 0) - Number(ended.stdout) * 1000,
        };
      }),
    );
    const say = (what: string, values: readonly number[], more = '') =>
      figure(`${count} hosts at once, ${what}: ${spread(values)}${more}`);
    say(
      'container started to SSH up',
      seen.map(({ boot }) => boot),
    );
    say(
      'SSH up to ready, with the rest of cloud-init and 1 s of the own user data',
      seen.map(({ sshToReady }) => sshToReady),
    );
    say(
      'cloud-init ended to ready',
      seen.map(({ bootedToReady }) => bootedToReady),
      `; budget ${READY_BUDGET_S} s`,
    );
    expect(ready).toHaveLength(count);
  });

  test("does both: what the user's own user data says and what hostler's says", async () => {
    const look = [
      'cat /etc/own-file',
      'cat /etc/own-command',
      'systemctl is-enabled apt-daily.timer',
      'cut -d " " -f 3 ~/.ssh/authorized_keys | sort | tr "\\n" " "',
      'sudo docker info --format "{{join .Labels \\"\\n\\"}}" | sort',
    ].join('; echo; ');
    for (const name of names) {
      const said = (await world.dockerMachine('ssh', name, look)).stdout.split(/\n+/);
      expect(said).toEqual([
        'written by the operator',
        'done',
        'masked',
        'hostler operator ',
        'provider=amazonec2',
        'team=build',
        '',
      ]);
    }
  });

  test('shows on each host a key of its own that the manager pinned, no more the one of the user data', () => {
    const shown = names.map((name) =>
      execFileSync('ssh-keyscan', ['-t', 'ed25519', addressOf(name)], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .trim()
        .split(' ')
        .slice(1)
        .join(' '),
    );
    expect(new Set(shown).size).toBe(count);
    for (const [at, name] of names.entries()) {
      expect(machineFiles(world, name).pins).toContain(shown[at]);
      expect(bootstrapKey(world, instanceAt(addressOf(name)))).toMatch(/^ssh-ed25519 AAAA/);
      expect(shown[at]).not.toBe(bootstrapKey(world, instanceAt(addressOf(name))));
    }
  });

  test('lets nobody believe the key of the user data afterwards, nor any other', async () => {
    const keys = createKeys(join(world.env['HOSTLER_STATE_DIR'] ?? '', 'keys'), { clock });
    const { privateKey } = await keys.userKey();
    const address = addressOf(names[0] ?? '');
    const right = machineFiles(world, names[0] ?? '').pins.match(/ssh-ed25519 \S+/)?.[0] ?? '';
    const hosts = createHosts({ clock });
    const reach = (pin: string) =>
      hosts.connect({ address, port: 22, user: 'ubuntu', privateKey, pins: [pin] }, clock.timeout(20_000));
    const session = await reach(right);
    expect((await session.run('id -u', clock.timeout(20_000))).stdout).toBe('0\n');
    session.close();
    const strange = (await keys.hostKey()).publicKey;
    for (const pin of [bootstrapKey(world, instanceAt(address)), strange])
      await expect(reach(pin)).rejects.toMatchObject({ code: 'host-key-mismatch' });
  });

  test('serves Docker over TLS to the holder of its client certificate and to nobody else', async () => {
    const { address, tls } = machineFiles(world, names[0] ?? '');
    const ping = { method: 'GET', path: '/_ping' };
    expect(await askDocker(address, tls, ping)).toMatchObject({ status: 200 });
    await expect(askDocker(address, { ...tls, cert: null, key: null }, ping)).rejects.toThrow();
    const strangers = createKeys(join(folder, 'strangers'), { clock });
    const stranger = await strangers.issueClient({ name: 'stranger', notAfter: clock.now() + 3_600_000 });
    await expect(askDocker(address, { ca: tls.ca, ...stranger }, ping)).rejects.toThrow();
    const theirs = { ...tls, ca: await strangers.authority() };
    await expect(askDocker(address, theirs, ping)).rejects.toThrow(/certificate/);
  });

  test('has pulled the images of prepull on each host before its first job', async () => {
    expect(registry.pulls.toSorted()).toEqual(names.map(addressOf).toSorted());
    for (const name of names)
      expect(await jobClient(world, name).images()).toEqual([`${registry.at}/tools:1`]);
  });

  test("runs a job's stages in helper and build containers on one volume and network, as the runner does", async () => {
    const [, second = ''] = names;
    expect((await world.dockerMachine('url', second)).code).toBe(0);
    const job = jobClient(world, second);
    const tar = await fileOfHost(world, instanceAt(addressOf(second)), '/bin/busybox');
    await job.json({ method: 'POST', path: '/images/create?fromSrc=-&repo=helper&tag=1', tar });
    const network = 'runner-testtoken-project-7-concurrent-0-job-9';
    await job.json({
      method: 'POST',
      path: '/networks/create',
      json: { Name: network, Labels: labelsOf('9', 'network') },
    });
    const volume = 'runner-testtoken-project-7-concurrent-0-cache';
    await job.json({
      method: 'POST',
      path: '/volumes/create',
      json: { Name: volume, Labels: labelsOf('9', 'cache') },
    });
    const stage = (type: 'predefined' | 'build', script: string) =>
      job.stage('9', {
        image: type === 'build' ? `${registry.at}/tools:1` : 'helper:1',
        type,
        script,
        volume,
        network,
      });
    const fetched = await stage('predefined', 'echo fetching; echo source >/builds/file\n');
    expect(fetched).toEqual({ code: 0, said: 'fetching\n' });
    const built = await stage(
      'build',
      '/busybox cat /builds/file; /busybox hostname -i >/dev/null; exit 3\n',
    );
    expect(built).toEqual({ code: 3, said: 'source\n' });
    expect(await job.containers()).toEqual([]);
  });

  test('cleans behind a job that left everything standing, but keeps images and caches', async () => {
    const [first = ''] = names;
    const address = addressOf(first);
    expect((await world.dockerMachine('url', first)).stdout.trim()).toBe(`tcp://${address}:2376`);
    const job = jobClient(world, first);
    // An image without a registry: a static busybox, from the host itself.
    const tar = await fileOfHost(world, instanceAt(address), '/bin/busybox');
    await job.json({ method: 'POST', path: '/images/create?fromSrc=-&repo=job-image&tag=latest', tar });
    await job.json({
      method: 'POST',
      path: '/networks/create',
      json: { Name: 'job-net', Labels: labelsOf('41') },
    });
    const done = await job.run('41', { command: ['/busybox', 'sh', '-c', 'exit 7'], cache: 'job-cache' });
    const ended = await job.json({ method: 'POST', path: `/containers/${done}/wait` });
    expect(ended).toMatchObject({ StatusCode: 7 });
    await job.run('42', { command: ['/busybox', 'sleep', '3600'], network: 'job-net' });
    await world.until('the job to be seen', async () =>
      (await world.client.leases()).some(
        ({ name, jobs }) => name === first && jobs.some(({ id }) => id === '42'),
      ),
    );
    expect(await job.containers()).toHaveLength(2);

    expect(await world.rm(first)).toMatchObject({ code: 0 });
    const again = machineName();
    expect(await world.create(again)).toMatchObject({ code: 0 });
    names[0] = again;
    expect(addressOf(again)).toBe(address);
    const next = jobClient(world, again);
    expect(await next.containers()).toEqual([]);
    expect(await next.networks()).not.toContain('job-net');
    expect((await next.images()).toSorted()).toEqual(
      [`${registry.at}/tools:1`, 'job-image:latest'].toSorted(),
    );
    expect(await next.volumes()).toEqual(['job-cache']);
  });

  test("keeps each host's real console for GetConsoleOutput", () => {
    const { instances } = world.emulator.world.region('eu-central-1');
    for (const name of names)
      expect(instances.console(instanceAt(addressOf(name)))?.text).toMatch(/cloud-init/i);
  });

  test('leaves no container, volume or network when its instances have ended', async () => {
    for (const name of names) expect(await world.rm(name)).toMatchObject({ code: 0 });
    const ended = await world.hostler('cleanup', '--yes');
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    await world.until('all instances to end', () => world.alive().length === 0);
    await world.stop();
    await world.emulator.close();
    expect(await world.leftInDocker()).toEqual([]);
  });
});

/** The host key that the instance's user data brought. */
function bootstrapKey(world: HostsWorld, instance: string): string {
  const { userData } = world.emulator.world.instances().find(({ id }) => id === instance) ?? {};
  const text = Buffer.from(userData ?? '', 'base64').toString();
  return /ed25519_public: (ssh-ed25519 \S+)/.exec(text)?.[1] ?? '';
}
