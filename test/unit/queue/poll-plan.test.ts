// The pace of looks over virtual hours: pace and plan together, as the watch uses them, each call answered after 0.3 s.
import { describe, expect, test } from 'vitest';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { BURST_CALLS, createPace } from '../../../src/queue/pace.ts';
import { dueAt, nextLooks, type ProjectHistory, planPeriods, pulseOf } from '../../../src/queue/poll-plan.ts';

const BEGUN = Date.UTC(2026, 10, 23, 6);

/** 0 up to 1, the same in each run. */
function seeded(): () => number {
  let state = 42;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

function project(id: number, over: Partial<ProjectHistory> = {}): ProjectHistory {
  return {
    id,
    triedAt: null,
    pendingAt: null,
    activeAt: null,
    dirtyAt: null,
    failures: 0,
    chance: 0.5,
    ...over,
  };
}

type Run = {
  projects: number;
  busy: number;
  hours: number;
  perLook?: number;
  /** Extra calls a minute beside the looks. */
  otherCalls?: number;
  /** Becomes busy at that time. */
  wakes?: { id: number; at: number };
};

/** Plays the watch; gives when calls went out, and when each project was looked at. */
function play({ projects: count, busy, hours, perLook = 1, otherCalls = 1.5, wakes }: Run) {
  const chance = seeded();
  const pace = createPace(BEGUN);
  const projects = Array.from({ length: count }, (_, id) =>
    project(id, { activeAt: BEGUN - id * MINUTE_MS }),
  );
  const calls: number[] = [];
  const looks = new Map<number, number[]>();
  const answers: number[] = [];
  const hasJobs = (id: number, now: number) => id < busy || (wakes?.id === id && now >= wakes.at);
  let otherAt = BEGUN;
  for (let now = BEGUN; now < BEGUN + hours * 60 * MINUTE_MS; now += 100) {
    while (answers.length > 0 && (answers[0] ?? 0) <= now) {
      answers.shift();
      pace.settle({ outcome: 'ok', limit: null, remaining: null, retryAt: null }, now, chance());
    }
    if (otherAt <= now && pace.take(now) === 0) {
      otherAt += MINUTE_MS / otherCalls;
      calls.push(now);
      answers.push(now + 300);
    }
    const budget = Math.max(1, pace.state().callsPerMinute - BURST_CALLS - otherCalls) * perLook;
    const periods = planPeriods(projects, now, { budget, intervalMs: 10 * SECOND_MS });
    for (;;) {
      const { due } = nextLooks(projects, periods, { now, most: perLook });
      if (due.length === 0 || pace.take(now) > 0) break;
      calls.push(now);
      answers.push(now + 300);
      for (const id of due) {
        const one = projects[id];
        if (one === undefined) continue;
        one.triedAt = now;
        one.chance = chance();
        if (hasJobs(id, now)) one.pendingAt = now;
        looks.set(id, [...(looks.get(id) ?? []), now]);
      }
    }
  }
  return { calls, looks };
}

function mostInAnyMinute(calls: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [index, at] of calls.entries()) {
    while ((calls[first] ?? 0) <= at - MINUTE_MS) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

function longestGap(looks: readonly number[], from: number): number {
  const late = looks.filter((at) => at >= from);
  return Math.max(...late.slice(1).map((at, index) => at - (late[index] ?? at)));
}

describe('1,000 projects, 10 of them busy, one call a project', () => {
  const { calls, looks } = play({
    projects: 1_000,
    busy: 9,
    hours: 1,
    wakes: { id: 700, at: BEGUN + 31 * MINUTE_MS },
  });
  const settled = BEGUN + 15 * MINUTE_MS;

  test('stay within 150 calls in any minute', () => {
    expect(mostInAnyMinute(calls)).toBeLessThanOrEqual(150);
  });

  test('are all seen within the first quarter of an hour, those that were active last first', () => {
    expect(looks.size).toBe(1_000);
    expect(Math.max(...[...looks.values()].map(([first]) => (first ?? 0) - BEGUN))).toBeLessThan(
      15 * MINUTE_MS,
    );
    expect((looks.get(3)?.[0] ?? 0) - BEGUN).toBeLessThan(10 * SECOND_MS);
  });

  test('busy ones are looked at every 15 s at the latest', () => {
    for (let id = 0; id < 9; id++)
      expect(longestGap(looks.get(id) ?? [], settled)).toBeLessThanOrEqual(15 * SECOND_MS - 300);
  });

  test('a quiet one that turns busy is seen within 10 min, and then as the busy ones', () => {
    const seen = (looks.get(700) ?? []).find((at) => at >= BEGUN + 31 * MINUTE_MS) ?? Infinity;
    expect(seen - (BEGUN + 31 * MINUTE_MS)).toBeLessThanOrEqual(10 * MINUTE_MS);
    expect(longestGap(looks.get(700) ?? [], seen)).toBeLessThanOrEqual(15 * SECOND_MS - 300);
  });

  test('each quiet one is looked at every 10 min', () => {
    for (let id = 9; id < 1_000; id++)
      expect(longestGap(looks.get(id) ?? [], settled)).toBeLessThanOrEqual(10 * MINUTE_MS);
  });
});

describe('1,000 projects, 10 of them busy, seven a call', () => {
  const { calls, looks } = play({ projects: 1_000, busy: 10, hours: 0.6, perLook: 7 });

  test('take the wanted periods: busy ones every 10 s, quiet ones within 5 min', () => {
    const settled = BEGUN + 6 * MINUTE_MS;
    expect(mostInAnyMinute(calls)).toBeLessThanOrEqual(150);
    for (let id = 0; id < 10; id++)
      expect(longestGap(looks.get(id) ?? [], settled)).toBeLessThanOrEqual(11 * SECOND_MS);
    for (let id = 10; id < 1_000; id += 10)
      expect(longestGap(looks.get(id) ?? [], settled)).toBeLessThanOrEqual(5 * MINUTE_MS + 5_000);
  });
});

describe('the plan', () => {
  const periodsFor = (projects: readonly ProjectHistory[], budget: number, intervalMs = 10 * SECOND_MS) =>
    planPeriods(projects, BEGUN, { budget, intervalMs });

  const quiet = (count: number) => Array.from({ length: count }, (_, id) => project(id));

  test('looks at few projects as often as poll_interval says, whether they are busy or not', () => {
    const periods = periodsFor([project(1, { pendingAt: BEGUN }), ...quiet(2)], 146);
    expect(periods).toMatchObject({ busy: 10_000, quiet: 10_000, dormant: 10_000, stretch: 1 });
  });

  test('spends a quarter of the budget on projects without jobs, until each is looked at every 5 min', () => {
    const dormant = [20, 40, 100, 200].map((count) => periodsFor(quiet(count), 146).dormant / SECOND_MS);
    expect(dormant.map(Math.round)).toEqual([33, 66, 164, 300]);
  });

  test('never looks more often than poll_interval says', () => {
    const periods = periodsFor([project(1, { pendingAt: BEGUN }), project(2)], 100, 2 * MINUTE_MS);
    expect(periods).toMatchObject({ busy: 120_000, quiet: 120_000, dormant: 120_000 });
  });

  test('lets many busy projects give way before the quiet ones', () => {
    const busy = Array.from({ length: 30 }, (_, id) => project(id, { pendingAt: BEGUN }));
    const others = Array.from({ length: 990 }, (_, id) => project(30 + id));
    const periods = periodsFor([...busy, ...others], 146);
    expect(periods.busy).toBeGreaterThan(20 * SECOND_MS);
    expect(periods.dormant).toBe(594_000);
    expect((30 / periods.busy + 990 / periods.dormant) * MINUTE_MS).toBeCloseTo(146, 5);
  });

  test('slows everything down by one factor when even that is too much', () => {
    const busy = Array.from({ length: 200 }, (_, id) => project(id, { pendingAt: BEGUN }));
    const periods = periodsFor(busy, 146);
    expect(periods.busy).toBeGreaterThan(MINUTE_MS);
    expect(periods.dormant / periods.busy).toBeCloseTo(594 / 60, 5);
    expect((200 / periods.busy) * MINUTE_MS).toBeCloseTo(146, 5);
  });

  test('calls a project busy for 5 min after a pending job, quiet for an hour, then dormant', () => {
    const seen = { triedAt: BEGUN };
    expect(pulseOf(project(1, { ...seen, pendingAt: BEGUN - 5 * MINUTE_MS }), BEGUN)).toBe('busy');
    expect(pulseOf(project(1, { ...seen, pendingAt: BEGUN - 6 * MINUTE_MS }), BEGUN)).toBe('quiet');
    expect(pulseOf(project(1, { ...seen, pendingAt: BEGUN - 61 * MINUTE_MS }), BEGUN)).toBe('dormant');
    expect(pulseOf(project(1, seen), BEGUN)).toBe('dormant');
  });

  test('puts a project that was said to change before all others', () => {
    const projects = [
      project(1, { triedAt: BEGUN - MINUTE_MS, pendingAt: BEGUN - MINUTE_MS }),
      project(2, { triedAt: BEGUN - 2 * SECOND_MS, dirtyAt: BEGUN }),
      project(3),
    ];
    const { due } = nextLooks(projects, periodsFor(projects, 100), { now: BEGUN, most: 9 });
    expect(due).toEqual([2, 1, 3]);
  });

  test('looks at most every 1.2 s at a project that is said to change again and again', () => {
    const one = project(1, { triedAt: BEGUN, dirtyAt: BEGUN + 100, pendingAt: BEGUN });
    expect(dueAt(one, periodsFor([one], 100), BEGUN + 200)).toBe(BEGUN + 1_200);
  });

  test('asks a project whose looks fail more and more seldom, up to every 10 min', () => {
    const periods = periodsFor([], 100);
    const waits = [1, 2, 3, 6, 30].map((failures) => {
      const one = project(1, { triedAt: BEGUN, pendingAt: BEGUN, failures, chance: 0 });
      return dueAt(one, periods, BEGUN) - BEGUN;
    });
    expect(waits).toEqual([15_000, 30_000, 60_000, 480_000, 600_000]);
  });

  test('says when the next look is due', () => {
    const projects = [project(1, { triedAt: BEGUN, pendingAt: BEGUN, chance: 0 })];
    const periods = periodsFor(projects, 100);
    const next = nextLooks(projects, periods, { now: BEGUN + 1, most: 9 });
    expect(next).toEqual({ due: [], nextAt: BEGUN + 10_000 });
  });
});
