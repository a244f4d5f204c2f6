// A tick while the store takes nothing: the numbers are told, with the reason, and nothing is done.
import { describe, expect, test } from 'vitest';
import { MINUTE_MS } from '../../../src/domain/units.ts';
import { breaches } from '../../../src/planner/check.ts';
import { planTick } from '../../../src/planner/plan.ts';
import { counter, creates, dropIn, instanceOf, machine, NOON, observation } from '../../support/builders.ts';

const why = 'state.db cannot be written: no space is left on its disk';
const idle = machine({ id: 'm-idle', idleSince: NOON - 60 * MINUTE_MS });
const booting = machine({ id: 'm-boots', phase: 'booting' });
const stranger = instanceOf(machine({ id: 'x' }));

function seen(stateTrouble: string | null) {
  const machines = [idle, booting];
  return observation({
    pools: [dropIn({ idleCount: 0 })],
    machines,
    leases: creates(5),
    orphansSeen: new Map([[stranger.id, NOON - 2 * MINUTE_MS]]),
    stateTrouble,
  });
}

describe('while the store takes nothing', () => {
  test('nothing is launched, provisioned, adopted or ended, and the pool says why', () => {
    const observed = seen(why);
    const plan = planTick(observed, counter());
    expect(plan.actions).toEqual([]);
    expect(plan.pools[0]?.reasons).toContainEqual({
      code: 'state-unwritable',
      pool: 'linux',
      detail: { why },
    });
    expect(breaches(observed, plan)).toEqual([]);
  });

  test('the numbers are those of a usual tick, and first looks are kept', () => {
    const plan = planTick(seen(why), counter());
    expect(plan.pools[0]).toMatchObject({ waiting: 5, demand: 5, coming: 1, ready: 1 });
    expect([...plan.orphans.keys()]).toEqual([stranger.id]);
    expect(plan.wakeAt).toBeGreaterThan(plan.at);
  });

  test('everything goes on with the first tick after it', () => {
    const kinds = planTick(seen(null), counter()).actions.map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['launch', 'provision']));
  });
});
