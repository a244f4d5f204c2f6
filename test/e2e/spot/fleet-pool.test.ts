// A pool that may choose among types and zones, end to end: its machines come by a fleet, from where there is room, and
// are what the daemon says they are.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hexOf } from '../../../src/sim/seeded.ts';
import { type LiveWorld, machineName, machineOptions, startWorld } from '../../support/live-world.ts';

const zones = ['a', 'b', 'c'].map((letter) => `eu-central-1${letter}`);
const types = ['m5.large', 'm6i.large'];

/** The default subnets of the emulated region, one a zone. */
const home = `vpc-${hexOf('eu-central-1', 17)}`;
const subnets = zones.map((zone) => `subnet-${hexOf(`${home}/${zone}`, 17)}`);

const fileFor = (at: { endpoint: string; sshPort: number }) => {
  const options = [
    ...machineOptions(at).filter((option) => !/-(vpc|subnet)-id=/.test(option)),
    ...subnets.map((id) => `amazonec2-subnet-id=${id}`),
    'amazonec2-instance-type=m6i.large',
    'amazonec2-request-spot-instance=true',
    'amazonec2-spot-price=',
  ];
  return `concurrent = 20
[[runners]]
  name = "test-runner"
  token = "glrt-testtoken0000000000"
  executor = "docker+machine"
  limit = 5
  [runners.machine]
    IdleCount = 0
    IdleTime = 600
    MaxBuilds = 10
    MachineDriver = "amazonec2"
    MachineName = "box-%s"
    MachineOptions = [${options.map((option) => `"${option}"`).join(', ')}]
`;
};

let world: LiveWorld;
beforeAll(async () => {
  world = await startWorld({
    text: fileFor,
    // Only one place has room.
    emulator: {
      capacity: types
        .flatMap((type) => zones.map((zone) => ({ type, zone, market: 'spot' as const, count: 0 })))
        .filter(({ type, zone }) => type !== 'm6i.large' || zone !== 'eu-central-1b'),
    },
  });
});
afterAll(() => world.close());

describe('a pool with a choice', () => {
  test('gets its machine from the one place with room, in one fleet', async () => {
    const answer = await world.create(machineName());
    expect(answer, answer.stderr).toMatchObject({ code: 0 });
    expect(world.alive()).toMatchObject([{ type: 'm6i.large', market: 'spot' }]);
    const machines = (await world.hostler('machines', '--json')).stdout;
    expect(JSON.parse(machines)).toMatchObject([
      { type: 'm6i.large', zone: 'eu-central-1b', market: 'spot' },
    ]);
    const [machine] = JSON.parse(machines) as { id: string }[];
    const story = (await world.hostler('explain', machine?.id ?? '')).stdout;
    expect(story).toContain('asked for by a fleet: EC2 chooses among 6 of 6 places');
    const launched = (await world.client.events({ limit: 100 })).find(({ code }) => code === 'launched');
    expect(launched?.text).toBe(
      'EC2 gave 1 of 1 spot machines: 1 m6i.large in eu-central-1b (EC2 chooses among 6 of 6 places)',
    );
    expect(world.ec2Calls()).toMatchObject({ CreateFleet: 1, CreateLaunchTemplate: 1 });
    expect(world.ec2Calls()['RunInstances']).toBeUndefined();
  });

  test('needs its launch template, which is no leak', async () => {
    const { leaks } = JSON.parse((await world.hostler('leaks', '--json')).stdout) as { leaks: object[] };
    expect(leaks).toMatchObject([{ kind: 'launch-template', state: 'in-use' }]);
    expect((await world.hostler('leaks')).stdout).toContain('fleets of a pool are launched with it');
  });

  test('serves a burst in a drought of five of six places at no more than one call beyond the first', async () => {
    const launches = () => (world.ec2Calls()['CreateFleet'] ?? 0) + (world.ec2Calls()['RunInstances'] ?? 0);
    const before = launches();
    const answers = await Promise.all(Array.from({ length: 4 }, () => world.create(machineName())));
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(world.alive().map(({ type }) => type)).toEqual(Array.from({ length: 5 }, () => 'm6i.large'));
    expect(launches() - before).toBeLessThanOrEqual(2);
  });

  test('ends like any other, its template with it', async () => {
    const ended = await world.hostler('cleanup', '--yes', '--json');
    expect(ended).toMatchObject({ code: 0 });
    expect(JSON.parse(ended.stdout)).toMatchObject({ removed: [expect.stringMatching(/^lt-/)], left: 0 });
    await world.until('no instance', () => world.alive().length === 0);
    expect((await world.hostler('leaks')).stdout).toContain('no leaks: everything of owner');
  });
});
