// A clock that was set: seen by comparing both clocks, and undone for everything that is stored as a moment.
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import type { Config } from '../../../src/domain/config.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { createJumpWatch, moveTimes } from '../../../src/reconcile/clock-jump.ts';
import { launch, lease, leased, machine, NOON, period, poolSpec, schedule } from '../../support/builders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

const configOf = (...pools: ReturnType<typeof poolSpec>[]) => ({ pools }) as unknown as Config;

describe('a jump', () => {
  const withIdle = (idleTimeMs: number) => configOf(poolSpec({ ownSchedule: schedule({ idleTimeMs }) }));

  test.each([HOUR_MS, -HOUR_MS, 6 * MINUTE_MS, -6 * MINUTE_MS])(
    'of %i ms is seen once and freezes for IdleTime',
    (by) => {
      const clock = createHandClock(NOON);
      const watch = createJumpWatch(clock);
      expect(watch.look(withIdle(20 * MINUTE_MS))).toBe(0);
      clock.jump(by);
      expect(watch.look(withIdle(20 * MINUTE_MS))).toBe(by);
      expect(watch.frozenUntil()).toBe(NOON + by + 20 * MINUTE_MS);
      expect(watch.look(withIdle(20 * MINUTE_MS))).toBe(0);
    },
  );

  test('below five minutes is none, and time that passes is none', async () => {
    const clock = createHandClock(NOON);
    const watch = createJumpWatch(clock);
    clock.jump(4 * MINUTE_MS);
    expect(watch.look(withIdle(MINUTE_MS))).toBe(0);
    await clock.advance(3 * HOUR_MS);
    expect(watch.look(withIdle(MINUTE_MS))).toBe(0);
    expect(watch.frozenUntil()).toBe(0);
  });

  test('freezes for the longest IdleTime of any period, and for some minutes with none', () => {
    const clock = createHandClock(NOON);
    const watch = createJumpWatch(clock);
    const night = period('* * 0-5 * * * *', { idleTimeMs: 2 * HOUR_MS });
    clock.jump(HOUR_MS);
    watch.look(configOf(poolSpec({ ownSchedule: schedule({ idleTimeMs: MINUTE_MS }, [night]) })));
    expect(watch.frozenUntil()).toBe(NOON + 3 * HOUR_MS);
    clock.jump(HOUR_MS);
    watch.look(withIdle(0));
    expect(watch.frozenUntil()).toBe(NOON + 2 * HOUR_MS + 3 * MINUTE_MS);
  });

  test('there and back is seen both times', () => {
    const clock = createHandClock(NOON);
    const watch = createJumpWatch(clock);
    clock.jump(HOUR_MS);
    expect(watch.look(withIdle(MINUTE_MS))).toBe(HOUR_MS);
    clock.jump(-HOUR_MS);
    expect(watch.look(withIdle(MINUTE_MS))).toBe(-HOUR_MS);
  });
});

describe('stored moments', () => {
  test('all move along; what never was stays so', () => {
    const store = createStore(openDatabase(':memory:'));
    const held = leased('m-held', {
      job: true,
      lease: { jobs: [{ id: '7', url: null, seenAt: NOON }], configAt: NOON - MINUTE_MS },
    });
    const fresh = machine({ id: 'm-new', phase: 'requested' });
    store.putMachine(held.machine);
    store.putMachine(fresh);
    store.putLease(held.lease);
    store.putLease(lease({ name: 'waits' }));
    store.putLaunch(launch({ token: 't', at: NOON }));
    const outcome = { kind: 'throttled', scope: 'account', code: 'x', message: 'x' } as const;
    store.putRest({ key: 'k', outcome, failures: 1, since: NOON, until: NOON + MINUTE_MS });
    moveTimes(store, HOUR_MS);
    const { machine: before, lease: was } = held;
    expect(store.machine('m-held')).toEqual({
      ...before,
      since: before.since + HOUR_MS,
      createdAt: before.createdAt + HOUR_MS,
      readyAt: (before.readyAt ?? 0) + HOUR_MS,
      idleSince: (before.idleSince ?? 0) + HOUR_MS,
    });
    expect(store.machine('m-new')).toMatchObject({ readyAt: null, idleSince: null, endAskedAt: null });
    expect(store.lease(was.name)).toEqual({
      ...was,
      since: was.since + HOUR_MS,
      grantedAt: (was.grantedAt ?? 0) + HOUR_MS,
      heldAt: (was.heldAt ?? 0) + HOUR_MS,
      urlAt: (was.urlAt ?? 0) + HOUR_MS,
      configAt: (was.configAt ?? 0) + HOUR_MS,
      containersAt: (was.containersAt ?? 0) + HOUR_MS,
      lookedAt: (was.lookedAt ?? 0) + HOUR_MS,
      jobs: [{ id: '7', url: null, seenAt: NOON + HOUR_MS }],
    });
    expect(store.lease('waits')).toMatchObject({ grantedAt: null, heldAt: null, urlAt: null });
    expect(store.launch('t')?.at).toBe(NOON + HOUR_MS);
    expect(store.rests()).toMatchObject([{ since: NOON + HOUR_MS, until: NOON + HOUR_MS + MINUTE_MS }]);
    moveTimes(store, -HOUR_MS);
    expect(store.machine('m-held')).toEqual(before);
    expect(store.lease(was.name)).toEqual(was);
    store.close();
  });
});
