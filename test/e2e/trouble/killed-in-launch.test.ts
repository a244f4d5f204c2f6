// The daemon dies around a launch, by SIGKILL: before anything was stored, between intent and call, between call and
// answer, while the host boots and is dressed. Each time the same waiting create is served after the start, by one host.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gate, openGate } from '../../support/ec2-gate.ts';
import { createHeldSteps } from '../../support/held-steps.ts';
import { type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';

let gate: Gate;
let world: LiveWorld;
const steps = createHeldSteps();
/** Instances that EC2 ever launched for this world. */
const launched = () => world.emulator.world.instances().length;

beforeAll(async () => {
  gate = await openGate();
  const emulator = { startHost: steps.startHost };
  world = await startWorld({
    gate,
    emulator,
    machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 1',
  });
});
afterAll(() => world.close());

/** A create that waits while the daemon is killed `when`, and is served by the next one. Gives the hosts it took. */
async function createThrough(when: () => Promise<unknown>): Promise<number> {
  const before = launched();
  const name = machineName();
  const door = world.startDockerMachine('create', '--driver', 'amazonec2', name);
  await when();
  await world.stop('SIGKILL');
  await world.start();
  const created = await door.done;
  expect(created, created.stdout + created.stderr).toMatchObject({ code: 0 });
  const [lease] = (await world.client.leases()).filter((one) => one.name === name);
  expect(lease).toMatchObject({ state: 'held' });
  await useAndGiveBack(name);
  return launched() - before;
}

/** With `url` the host counts as used, so that it ends with its lease (MaxBuilds 1). */
async function useAndGiveBack(name: string): Promise<void> {
  expect(await world.dockerMachine('url', name)).toMatchObject({ code: 0 });
  expect(await world.rm(name)).toMatchObject({ code: 0 });
}

async function inPhase(phase: string): Promise<void> {
  const { client, until } = world;
  await until(`a machine to be ${phase}`, async () =>
    (await client.machines()).some((machine) => machine.phase === phase),
  );
}

describe('a create that waits when the daemon is killed', () => {
  test('before any intent is stored gets one host after the start', async () => {
    await world.stop('SIGKILL');
    const looked = gate.catchNext('DescribeImages', 'keep');
    await world.start();
    expect(await createThrough(() => looked)).toBe(1);
  });

  test('after the intent is stored and before the call is out gets one host after the start', async () => {
    expect(await createThrough(() => gate.catchNext('RunInstances', 'keep'))).toBe(1);
  });

  test('after EC2 launched and before the answer is stored gets that host', async () => {
    expect(await createThrough(() => gate.catchNext('RunInstances', 'keep-answer'))).toBe(1);
  });

  test('while its host boots gets that host', async () => {
    expect(await createThrough(() => inPhase('booting'))).toBe(1);
  });

  test('at every step of dressing its host gets that host', async () => {
    const before = launched();
    const name = machineName();
    const order = ['make-host-key', 'rotate-host-key', 'write-tls', 'configure-docker', 'start-docker'];
    let held = steps.holdAt(order.shift() ?? '');
    const door = world.startDockerMachine('create', '--driver', 'amazonec2', name);
    for (const next of [...order, 'none']) {
      await held;
      await world.stop('SIGKILL');
      held = steps.holdAt(next);
      await world.start();
    }
    steps.endStopped();
    const created = await door.done;
    expect(created, created.stdout + created.stderr).toMatchObject({ code: 0 });
    expect(launched() - before).toBe(1);
    await useAndGiveBack(name);
  });

  test('leaves nothing behind in the end', async () => {
    const { alive, client, until } = world;
    await until(
      'all hosts to end',
      async () => alive().length === 0 && (await client.machines()).length === 0,
    );
    expect(await client.leases()).toEqual([]);
  });
});
