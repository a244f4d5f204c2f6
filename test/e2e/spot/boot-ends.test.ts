// EC2 takes launches and ends their instances while they start (a disk's key it may not use, a quota of volumes): tries are few,
// the message says why, and all goes on as soon as one machine is ready.
import { afterAll, expect, test } from 'vitest';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;
const own =
  '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nidle_count = 2\nidle_time = "50m"\n';

let world: MovedWorld;
afterAll(() => world.close());

const launches = () => world.gate.calls().filter(({ action }) => action === 'RunInstances').length;

test('an instance that ends while it starts is a failure of its pool, not of one machine', async () => {
  const fault = { code: 'Client.InternalError', action: null } as const;
  world = await startMovedWorld({ own, emulator: { faults: [{ ...fault, rate: 1 }] } });
  const { client, until, pass } = world;
  await until('the breaker', async () => {
    await pass(MINUTE / 4);
    return (await client.breakers()).some(({ kind }) => kind === 'boot-ended');
  });
  const [breaker] = await client.breakers();
  expect(breaker).toMatchObject({ state: 'closed', scope: 'pool', code: 'Client.InternalError' });
  expect(breaker?.message).toContain('often a KMS key');
  for (let minute = 0; minute < 40; minute++) await pass(MINUTE);
  // Without a rest it would be one a minute; with the shortest that jitter allows it is ten.
  expect(launches()).toBeLessThanOrEqual(12);
  world.emulator.world.faults.set({ ...fault, rate: 0 });
  await client.resetBreaker(breaker?.key ?? '');
  await until('both machines', async () => {
    await pass(5_000);
    return (await client.machines()).filter(({ phase }) => phase === 'ready').length === 2;
  });
  expect(await client.breakers()).toEqual([]);
});
