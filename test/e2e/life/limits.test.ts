// Bounds that no burst may break: the runner's limit, max_machines over all pools, MaxGrowthRate; who waits is served
// in the order of asking.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LeaseReply } from '../../../src/contract/api.ts';
import { type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitHeld, awaitWaiting } from '../../support/looks.ts';

let world: LiveWorld;
let creates: ReturnType<LiveWorld['startDockerMachine']>[] = [];

function startCreates(count: number): void {
  for (let at = 0; at < count; at++)
    creates.push(world.startDockerMachine('create', '--driver', 'amazonec2', machineName()));
}

/** All instances that EC2 ever had, ended ones too. */
const everLaunched = () => world.emulator.world.instances().length;
const ages = (leases: readonly LeaseReply[]) => leases.map(({ since }) => since).toSorted();

async function reasons(): Promise<string[]> {
  const { pools } = await world.client.plan();
  return pools.flatMap((pool) => pool.reasons.map(({ code }) => code));
}

/** Ends what a test left: waiting creates die, hosts go by a person's order; terminating ones bound nothing. */
async function clear(): Promise<void> {
  for (const { child } of creates) child.kill('SIGKILL');
  await Promise.all(creates.map(({ done }) => done));
  creates = [];
  await awaitWaiting(world, 0);
  expect(await world.client.cleanup()).toMatchObject({ left: 0 });
  await world.client.resume('test-runner');
}

beforeAll(async () => {
  world = await startWorld({ runner: 'limit = 4', own: '[hostler]\nrunner_config = "{runner}"\n' });
});
afterAll(async () => {
  for (const { child } of creates) child.kill('SIGKILL');
  await world.close();
});

describe("the runner's limit", () => {
  test('holds however many creates wait; the oldest have the hosts, the others their places', async () => {
    startCreates(10);
    const held = await awaitHeld(world, 4);
    const waiting = await awaitWaiting(world, 6);
    expect(everLaunched()).toBe(4);
    expect(Math.max(...held.map(({ since }) => Date.parse(since)))).toBeLessThanOrEqual(
      Math.min(...waiting.map(({ since }) => Date.parse(since))),
    );
    expect(waiting.map(({ place }) => place)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(ages(waiting)).toEqual(waiting.map(({ since }) => since));
    expect(await reasons()).toContain('limit');
  });

  test('hands a host that comes back to the create that waits longest', async () => {
    const [oldest] = await awaitWaiting(world, 6);
    const [given] = await awaitHeld(world, 4);
    await world.rm(given?.name ?? '');
    const waiting = await awaitWaiting(world, 5);
    expect(waiting.map(({ name }) => name)).not.toContain(oldest?.name);
    const served = (await awaitHeld(world, 4)).find(({ name }) => name === oldest?.name);
    expect(served?.machine).toBe(given?.machine);
    expect(everLaunched()).toBe(4);
  });

  test('tells a waiting create what it waits for', async () => {
    const name = machineName();
    const late = world.startDockerMachine('create', '--driver', 'amazonec2', name);
    let heard = '';
    late.child.stdout?.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    await world.until('a line on stdout', () => heard.includes('\n'));
    expect(heard).toMatch(new RegExp(`^${name} waits in pool test-runner at place 6: .*limit`));
    late.child.kill('SIGKILL');
    await late.done;
  });

  test('is raised by a reload, and those who wait are served', async () => {
    world.writeConfig({ runner: 'limit = 6' });
    await world.client.reload();
    await awaitWaiting(world, 3);
    await awaitHeld(world, 6);
    expect(everLaunched()).toBe(6);
    await clear();
  });
});

describe('max_machines', () => {
  test('bounds all machines and says so', async () => {
    const before = everLaunched();
    world.writeConfig({ own: '[hostler]\nrunner_config = "{runner}"\nmax_machines = 2\n' });
    await world.client.reload();
    startCreates(4);
    await awaitHeld(world, 2);
    await awaitWaiting(world, 2);
    expect(everLaunched()).toBe(before + 2);
    expect(await reasons()).toContain('max-machines');
  });

  test('a drain refuses the creates that wait, as it refuses those that come', async () => {
    await world.client.drain('test-runner');
    await awaitWaiting(world, 0);
    const answers = await Promise.all(creates.map(({ done }) => done));
    const refused = answers.filter(({ code }) => code !== 0);
    expect(refused).toHaveLength(2);
    for (const { stderr } of refused) expect(stderr).toContain('is being drained');
    await clear();
  });
});

describe('MaxGrowthRate', () => {
  test('bounds the machines that come at a time, not how many there are', async () => {
    const before = everLaunched();
    world.writeConfig({
      own: '[hostler]\nrunner_config = "{runner}"\n',
      machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 10\n    MaxGrowthRate = 2',
    });
    await world.client.reload();
    startCreates(5);
    let most = 0;
    await world.until('five hosts', async () => {
      const machines = await world.client.machines();
      const coming = machines.filter(({ phase }) => ['requested', 'booting', 'provisioning'].includes(phase));
      most = Math.max(most, coming.length);
      return (await world.client.leases()).filter(({ state }) => state === 'held').length === 5;
    });
    expect(most).toBeLessThanOrEqual(2);
    expect(everLaunched()).toBe(before + 5);
    expect(world.ec2Calls()['RunInstances']).toBeGreaterThanOrEqual(3);
  });
});
