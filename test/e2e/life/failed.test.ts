// A host that never becomes one: replaced within its time, told with what its console said, listed for those who look
// for machines in state Error, and gone in the end.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SECOND_MS } from '../../../src/domain/units.ts';
import { type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitHeld } from '../../support/looks.ts';
import { createMovedClock, type MovedClock } from '../../support/moved-clock.ts';

let world: LiveWorld;
let clock: MovedClock;
let failed = '';
let name = '';
let create: ReturnType<LiveWorld['startDockerMachine']>;

beforeAll(async () => {
  clock = createMovedClock(Date.now());
  world = await startWorld({
    clock,
    own: '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nboot_timeout = "60s"\n',
    emulator: { faults: [{ code: 'never-boots', rate: 1, action: null }] },
  });
  name = machineName();
  create = world.startDockerMachine('create', '--driver', 'amazonec2', name);
  await world.until('a host that will not boot', () => world.alive().length === 1);
  world.emulator.world.faults.set({ code: 'never-boots', rate: 0, action: null });
  [failed = ''] = (await world.client.machines()).map(({ id }) => id);
  clock.pass(61 * SECOND_MS);
});
afterAll(() => world.close());

/** Both spellings that guides use. */
const spellings = ['{{.Name}}', '{{.NAME}}'];

describe('a host that misses boot_timeout', () => {
  test('is listed in state Error by its id, and no other is', async () => {
    const listed = await world.until('the failed machine in the list', async () => {
      const answers = await Promise.all(
        spellings.map((format) =>
          world.dockerMachine('ls', '-q', '--filter', 'state=Error', '--format', format),
        ),
      );
      const names = answers.map(({ stdout }) => stdout.trim());
      return names.every((line) => line !== '') && names;
    });
    expect(listed).toEqual([failed, failed]);
  });

  test('is replaced, and the create that waited for it is served', async () => {
    expect(await create.done).toMatchObject({ code: 0 });
    const [held] = await awaitHeld(world, 1);
    expect(held?.machine).not.toBe(failed);
    await world.until('the failed instance to end', () => world.alive().length === 1);
  });

  test('explains itself with the words of its console', async () => {
    const { events } = await world.client.machine(failed);
    const told = events.filter(({ code }) => code === 'boot-timeout').map(({ text }) => text);
    expect(told.join(' ')).toContain('console');
  });

  test('is on no list once it is gone', async () => {
    await clock.hurry(() =>
      world.until('the record to close', async () =>
        (await world.client.machines()).every(({ id }) => id !== failed),
      ),
    );
    expect((await world.dockerMachine('ls', '-q', '--filter', 'state=Error')).stdout).toBe('');
    expect((await world.dockerMachine('ls', '-q', '--filter', 'state=Running')).stdout).toBe(`${name}\n`);
  });
});
