// The configuration changes under a running daemon: broken, cut off in the middle, without a pool, with another AMI. What
// cannot be taken leaves the old settings in force and says where; what goes away takes no job with it.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { folders, machineName, machineOptions, startJob } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;

type Section = { name: string; token: string; idle: number; ami?: string };

function configText(at: { endpoint: string; sshPort: number }, sections: readonly Section[]): string {
  const one = ({ name, token, idle, ami }: Section) => {
    const options = machineOptions(at).map((option) =>
      ami !== undefined && option.startsWith('amazonec2-ami=') ? `amazonec2-ami=${ami}` : option,
    );
    return `[[runners]]
  name = "${name}"
  url = "https://gitlab.example.com"
  token = "${token}"
  executor = "docker+machine"
  limit = 20
  [runners.machine]
    IdleCount = ${idle}
    IdleTime = 3000
    MaxBuilds = 50
    MachineDriver = "amazonec2"
    MachineName = "box-%s"
    MachineOptions = [${options.map((option) => `"${option}"`).join(', ')}]
`;
  };
  return `concurrent = 100\n${sections.map(one).join('')}`;
}

const first: Section = { name: 'first', token: 'firsttokn', idle: 0 };
const second: Section = { name: 'second', token: 'secondtok', idle: 0 };
let current: readonly Section[] = [first, second];

let world: MovedWorld;
const nameFor = (section: Section) => machineName().replace('testtoken', section.token);
const write = (sections: readonly Section[]) => {
  current = sections;
  world.writeConfig({});
};

beforeAll(async () => {
  world = await startMovedWorld({ text: (at) => configText(at, current) });
});
afterAll(() => world.close());

async function created(section: Section): Promise<string> {
  const name = nameFor(section);
  const answer = await world.create(name);
  expect(answer, answer.stdout + answer.stderr).toMatchObject({ code: 0 });
  return name;
}

async function gauge(name: string): Promise<number> {
  const text = await fetch(`${world.metricsUrl}/metrics`).then((answer) => answer.text());
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

const machines = async (pool: string) => (await world.client.machines()).filter((one) => one.pool === pool);

describe('a file that cannot be taken', () => {
  test('keeps the old settings in force and says line and column, until it is mended', async () => {
    const good = readFileSync(world.configFile, 'utf8');
    writeFileSync(world.configFile, `${good}\n[[runners]\n`);
    await expect(world.client.reload()).rejects.toMatchObject({ code: 'config-syntax' });
    const { config_error: error, pools } = await world.client.status();
    const line = good.split('\n').length + 1;
    expect(error).toMatch(new RegExp(`config\\.toml:${line}:\\d+`));
    expect(pools).toHaveLength(2);
    expect(await gauge('hostler_config_accepted_state')).toBe(0);
    expect((await world.hostler('status')).stdout).toContain(`config.toml:${line}`);
    const name = await created(first);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    writeFileSync(world.configFile, good);
    await world.client.reload();
    expect((await world.client.status()).config_error).toBeNull();
    expect(await gauge('hostler_config_accepted_state')).toBe(1);
  });

  test('because the runner is writing it is not taken before it is whole, and then by itself', async () => {
    const before = (await world.client.status()).config_loaded;
    const whole = configText(
      { endpoint: world.gate.before(world.emulator.endpoint), sshPort: world.emulator.sshPort },
      [first, { ...second, idle: 1 }],
    );
    writeFileSync(world.configFile, '');
    await world.pass(3_000);
    expect((await world.client.status()).pools).toHaveLength(2);
    // Cut off after the first section: it could be read, but it is still growing.
    writeFileSync(world.configFile, whole.slice(0, whole.indexOf('[[runners]]', 60)));
    writeFileSync(world.configFile, whole);
    await world.until('the new file to be in force', async () => {
      await world.pass(1_000);
      return (await world.client.status()).config_loaded !== before;
    });
    const { pools } = await world.client.status();
    expect(pools.map(({ id, idle_count: idle }) => `${id} ${idle}`)).toEqual(['first 0', 'second 1']);
    write([first, second]);
    await world.client.reload();
  });
});

describe('a pool that leaves the file', () => {
  test('ends its idle machines; the one with a job lives on to the end of its lease', async () => {
    const [held, idle] = [await created(second), await created(second)];
    const endJob = await startJob(world, held, '7');
    await world.rm(idle);
    await world.until('one to be idle', async () =>
      (await machines('second')).some((one) => one.phase === 'ready'),
    );
    write([first]);
    await world.client.reload();
    await world.until('the idle ones to end', async () => {
      await world.pass(5_000);
      return world.alive().filter((one) => one.tags['hostler:pool'] === 'second').length === 1;
    });
    expect(await world.client.leases()).toMatchObject([{ name: held, state: 'busy' }]);
    expect(await world.dockerMachine('config', held)).toMatchObject({ code: 0 });
    // The same after a restart that never knew the pool.
    await world.stop();
    await world.start();
    for (let minute = 0; minute < 3; minute++) await world.pass(MINUTE);
    expect(await world.client.leases()).toMatchObject([{ name: held, state: 'busy' }]);
    await endJob();
    expect(await world.rm(held)).toMatchObject({ code: 0 });
    await world.until('the last one to end', async () => {
      await world.pass(5_000);
      return world.alive().every((one) => one.tags['hostler:pool'] !== 'second');
    });
    expect(folders(world)).toEqual([]);
  });
});

describe('another AMI in the file', () => {
  test('replaces idle machines at a pace, and the one with a job when its lease ends', async () => {
    write([{ ...first, idle: 3 }]);
    await world.client.reload();
    await world.until('three to be ready', async () => {
      await world.pass(1_000);
      return (await machines('first')).filter((one) => one.phase === 'ready').length === 3;
    });
    const busy = await created(first);
    await startJob(world, busy, '8');
    await world.until('the reserve to be full again', async () => {
      await world.pass(1_000);
      return (await machines('first')).filter((one) => one.phase === 'ready').length >= 3;
    });
    const old = new Set((await machines('first')).map(({ id }) => id));
    write([{ ...first, idle: 3, ami: 'ami-0fedcba9876543210' }]);
    await world.client.reload();
    let fewest = 3;
    await world.until('all idle ones to be new', async () => {
      await world.pass(2_000);
      const ready = (await machines('first')).filter((one) => one.phase === 'ready');
      fewest = Math.min(fewest, ready.length);
      return ready.length >= 3 && ready.every(({ id }) => !old.has(id));
    });
    expect(fewest).toBeGreaterThanOrEqual(1);
    expect(
      (await machines('first')).filter(({ image }) => image === 'ami-0fedcba9876543210').length,
    ).toBeGreaterThanOrEqual(3);
    const [lease] = await world.client.leases();
    expect(lease).toMatchObject({ name: busy, state: 'busy' });
    expect(old.has(lease?.machine ?? '')).toBe(true);
    await world.rm(busy);
    await world.until('the last old one to end', async () => {
      await world.pass(2_000);
      return (await machines('first')).every(({ id }) => !old.has(id));
    });
  });
});
