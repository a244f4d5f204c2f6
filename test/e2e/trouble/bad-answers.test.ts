// EC2 answers badly: lost, unreadable, half a list, one bad id, not at all, or with wrong keys. Nothing is launched twice,
// nothing that is not known to be gone is given up, and the calls stay few.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ec2ErrorAnswer } from '../../support/ec2-gate.ts';
import { machineName } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;
const html = { status: 200, type: 'text/html', body: '<html><body>Gateway</body></html>' };
/** A listing without its instances. */
const blind = { edit: (body: string) => body.replace(/<reservationSet>.*<\/reservationSet>/s, '') };
/** A listing of one launch with the first of its instances only. */
const firstOnly = (body: string) =>
  body.replace(/(<item><instanceId>.*?<\/item>)(<item><instanceId>.*)(<\/instancesSet>)/s, '$1$3');
const own = '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\ncreate_wait = "55m"\n';

let world: MovedWorld;
beforeAll(async () => {
  world = await startMovedWorld({ own });
});
afterEach(async () => {
  world.gate.treat(() => 'pass');
  const { client, until, alive, pass } = world;
  for (const lease of await client.leases())
    await client.endLease(lease.name, 'person').catch(() => undefined);
  await until('the pool to be empty', async () => {
    for (const { id, lease } of await client.machines())
      if (lease === null) await client.retire(id).catch(() => undefined);
    await pass(2_000);
    return alive().length === 0 && (await client.machines()).length === 0;
  });
});
afterAll(() => world.close());

const calls = (action: string) => world.gate.calls().filter((call) => call.action === action);
const tokens = () => new Set(calls('RunInstances').map((call) => call.params.get('ClientToken')));
const launched = () => world.emulator.world.instances().length;

async function inPhase(phase: string) {
  return (await world.client.machines()).filter((machine) => machine.phase === phase);
}

/** Creates that end well while the daemon's time passes, from the moment on that all of them wait. */
async function createAll(count: number): Promise<void> {
  const doors = Array.from({ length: count }, () => world.create(machineName()));
  let open = true;
  await world.until('all creates to be known', async () => (await world.client.leases()).length === count);
  const all = Promise.all(doors).finally(() => {
    open = false;
  });
  await world.until('the creates to be served', async () => {
    if (open) await world.pass(1_000);
    return !open;
  });
  expect((await all).filter(({ code }) => code !== 0)).toEqual([]);
}

describe('a launch whose answer', () => {
  test('is empty or no XML is asked again with the same token', async () => {
    const [before, known] = [launched(), tokens().size];
    const first = world.gate.catchNext('RunInstances', html);
    const creates = createAll(1);
    await first;
    await world.gate.catchNext('RunInstances', { ...html, type: 'text/xml', body: '', done: true });
    await creates;
    expect(launched() - before).toBe(1);
    expect(tokens().size - known).toBe(1);
  });

  test('was lost stays open when its repetition is refused before EC2 looks at the token', async () => {
    const [before, known] = [launched(), tokens().size];
    // Lists do not show the instances either.
    world.gate.treat((call) => (call.action === 'DescribeInstances' ? blind : 'pass'));
    const lost = world.gate.catchNext('RunInstances', {
      ...ec2ErrorAnswer(500, 'InternalError'),
      done: true,
    });
    const creates = createAll(2);
    await lost;
    await world.gate.catchNext('RunInstances', ec2ErrorAnswer(503, 'RequestLimitExceeded'));
    await creates;
    expect(launched() - before).toBe(2);
    expect(tokens().size - known).toBe(1);
  });

  test('was lost and whose instances show one by one brings no others', async () => {
    const [before, known] = [launched(), tokens().size];
    const lost = world.gate.catchNext('RunInstances', {
      ...ec2ErrorAnswer(500, 'InternalError'),
      done: true,
    });
    world.gate.treat((call) => {
      if (call.action !== 'DescribeInstances') return 'pass';
      return call.params.get('Filter.1.Name') === 'tag:hostler:launch' ? { edit: firstOnly } : blind;
    });
    const creates = createAll(3);
    await lost;
    await world.until('one of the three to be known', async () => {
      const machines = await world.client.machines();
      return machines.filter(({ instance }) => instance !== null).length === 1 && machines.length === 3;
    });
    await creates;
    expect(launched() - before).toBe(3);
    expect(tokens().size - known).toBe(1);
  });

  test('is still out when a person ends the machine ends its instance when it comes', async () => {
    const before = launched();
    const door = world.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    await world.gate.catchNext('RunInstances', { ...ec2ErrorAnswer(500, 'InternalError'), done: true });
    const [machine] = await inPhase('requested');
    await world.client.pause('test-runner');
    door.child.kill('SIGKILL');
    await world.client.retire(machine?.id ?? '');
    await world.until('the instance to end', async () => {
      await world.pass(2_000);
      return world.alive().length === 0;
    });
    await world.client.resume('test-runner');
    expect(launched() - before).toBe(1);
  });
});

describe('a listing that fails', () => {
  test('for twenty minutes neither ends nor launches anything, and says so', async () => {
    await createAll(2);
    for (const { name } of await world.client.leases()) await world.rm(name);
    await world.until('both hosts to be idle', async () => (await inPhase('ready')).length === 2);
    const before = launched();
    world.gate.treat((call) =>
      call.action === 'DescribeInstances' ? ec2ErrorAnswer(503, 'Unavailable') : 'pass',
    );
    for (let step = 0; step < 10; step++) await world.pass(2 * MINUTE);
    expect(await inPhase('ready')).toHaveLength(2);
    expect(launched()).toBe(before);
    const { sources } = await world.client.status();
    expect(sources[0]).toMatchObject({ state: 'stale', why: expect.stringContaining('Unavailable') });
    // Idle for longer than IdleTime: they end as soon as EC2 can be seen again.
    world.gate.treat(() => 'pass');
    await world.until('both hosts to end', async () => {
      await world.pass(MINUTE / 2);
      return world.alive().length === 0;
    });
  });
});

describe('a termination', () => {
  test('with one id that EC2 does not know ends all others at once', async () => {
    await createAll(3);
    const machines = await world.client.machines();
    const bad = machines[1]?.instance ?? '';
    world.gate.treat((call) =>
      call.action === 'TerminateInstances' && [...call.params.values()].includes(bad)
        ? ec2ErrorAnswer(400, 'InvalidInstanceID.NotFound', `The instance ID '${bad}' does not exist`)
        : 'pass',
    );
    for (const { name } of await world.client.leases()) await world.rm(name);
    await world.until('all hosts to be idle', async () => (await inPhase('ready')).length === 3);
    for (const { id } of machines) await world.client.retire(id);
    await world.until('the others to end', () => world.alive().length === 1);
    expect(world.alive().map(({ id }) => id)).toEqual([bad]);
    world.gate.treat(() => 'pass');
    await world.until('the last one to end', async () => {
      await world.pass(MINUTE / 2);
      return world.alive().length === 0;
    });
  });
});

describe('wrong credentials', () => {
  test('cost few calls, are told to create, status and explain, and a reload with the right ones serves at once', async () => {
    world.gate.treat(() =>
      ec2ErrorAnswer(401, 'AuthFailure', 'AWS was not able to validate the provided access credentials'),
    );
    // Another AMI is not known yet: it would have to be looked up.
    world.writeConfig({ options: ['amazonec2-ami=ami-0fedcba9876543210'] });
    await world.client.reload();
    const before = world.gate.calls().length;
    const door = world.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    await world.until('the create to wait', async () => (await world.client.leases()).length === 1);
    for (let step = 0; step < 5; step++) await world.pass(2 * MINUTE);
    expect(world.gate.calls().length - before).toBeLessThanOrEqual(40);
    const { sources, pools } = await world.client.status();
    expect(sources[0]).toMatchObject({ why: expect.stringContaining('AuthFailure') });
    expect(pools[0]?.rests[0]).toMatchObject({ kind: 'denied', code: 'AuthFailure' });
    expect((await world.hostler('explain')).stdout).toContain('AuthFailure');
    world.gate.treat(() => 'pass');
    await world.client.reload();
    const answer = await door.done;
    expect(answer).toMatchObject({ code: 0 });
    expect(answer.stdout).toContain('AuthFailure');
  });
});
