// Jobs as the planner takes them, and the queue by the runner's own figures.
import { describe, expect, test } from 'vitest';
import type { QueuedJob } from '../../../src/domain/queue.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { groupJobs, type JudgedLook, mergeLooks } from '../../../src/queue/group-jobs.ts';
import { nextRunnerQueue, type RunnerQueue, waitingIn } from '../../../src/queue/runner-queue.ts';
import { NOON } from '../../support/builders.ts';

function job(id: number, queuedAt: number | null, createdAt: number | null = null): QueuedJob {
  return {
    id,
    project: { id: 1, path: 'g/p' },
    name: '',
    stage: '',
    status: 'pending',
    tags: [],
    ref: 'main',
    gitTag: false,
    protectedRef: null,
    queuedAt,
    createdAt,
    pipeline: null,
    url: null,
  };
}

const look = (jobs: JudgedLook['jobs'], observedAt = NOON, held = false): JudgedLook => ({
  jobs,
  observedAt,
  held,
});

describe('jobs in groups', () => {
  test('go by their pools and the moment they were seen, the oldest first', () => {
    const groups = groupJobs(
      [
        look([
          { job: job(1, NOON - 5), pools: ['a'] },
          { job: job(2, NOON - 9), pools: ['a'] },
          { job: job(3, NOON - 1), pools: ['a', 'b'] },
        ]),
        look([{ job: job(4, NOON - 7), pools: ['a'] }], NOON - SECOND_MS, true),
      ],
      new Map(),
      NOON,
    );
    expect(groups).toEqual([
      { pools: ['a'], observedAt: NOON, held: false, queuedAt: [NOON - 9, NOON - 5] },
      { pools: ['a', 'b'], observedAt: NOON, held: false, queuedAt: [NOON - 1] },
      { pools: ['a'], observedAt: NOON - SECOND_MS, held: true, queuedAt: [NOON - SECOND_MS] },
    ]);
  });

  test('count for a pool only when they are old enough for it', () => {
    const young = look([{ job: job(1, NOON - 20 * SECOND_MS), pools: ['a', 'b'] }]);
    const pools = (minAge: Record<string, number>) =>
      groupJobs([young], new Map(Object.entries(minAge)), NOON).map((group) => group.pools);
    expect(pools({ a: 30 * SECOND_MS })).toEqual([['b']]);
    expect(pools({ a: 30 * SECOND_MS, b: 30 * SECOND_MS })).toEqual([]);
    expect(pools({ a: 20 * SECOND_MS })).toEqual([['a', 'b']]);
  });

  test('wait since they were queued, else made, else seen; never longer ago than that says', () => {
    const since = [job(1, NOON - 3), job(2, null, NOON - 4), job(3, null), job(4, NOON + 99)];
    const groups = since.map((each) => groupJobs([look([{ job: each, pools: ['a'] }])], new Map(), NOON));
    expect(groups.map(([group]) => group?.queuedAt[0])).toEqual([NOON - 3, NOON - 4, NOON, NOON]);
  });

  test('of two sources of one GitLab count once, for the pools of both, where they were seen last', () => {
    const older = look([{ job: job(1, NOON), pools: ['b'] }], NOON - MINUTE_MS);
    const newer = look([
      { job: job(1, NOON), pools: ['a'] },
      { job: job(2, NOON), pools: ['a'] },
    ]);
    const merged = mergeLooks([older, newer]);
    expect(merged.map(({ jobs }) => jobs.map((one) => [one.job.id, one.pools]))).toEqual([
      [
        [1, ['a', 'b']],
        [2, ['a']],
      ],
      [],
    ]);
  });
});

describe('the runner’s own figure', () => {
  const after = (
    scrapes: readonly {
      taken: number;
      size: number | null;
      depth?: number;
      startedAt?: number;
      at: number;
    }[],
  ) =>
    scrapes.reduce<RunnerQueue | null>(
      (before, { at, taken, size, depth = 1, startedAt = null }) =>
        nextRunnerQueue(before, { taken, startedAt, figure: size === null ? null : { size, depth } }, at),
      null,
    );

  test('is the queue less the job that was given, from the moment it is seen to move', () => {
    const queue = after([
      { taken: 5, size: 9, at: NOON },
      { taken: 6, size: 8, at: NOON + 5_000 },
    ]);
    expect(queue && waitingIn(queue, NOON + 5_000)).toBe(7);
  });

  test('leaves out what was passed over on the way to the job that was given, never below none', () => {
    const left = (size: number, depth: number) => {
      const queue = after([
        { taken: 5, size: 9, at: NOON },
        { taken: 6, size, depth, at: NOON },
      ]);
      return queue && waitingIn(queue, NOON);
    };
    expect([left(9, 1), left(9, 4), left(9, 9), left(9, 45), left(9, 0), left(0, 0)]).toEqual([
      8, 5, 0, 0, 8, 0,
    ]);
  });

  test('counts at the first sight of a runner that started within the minute, not of an older one', () => {
    const first = (startedAt: number, taken = 2) => {
      const queue = after([{ taken, size: 9, at: NOON, startedAt }]);
      return queue && waitingIn(queue, NOON);
    };
    expect([first(NOON - 60_000), first(NOON - 60_001), first(NOON, 0)]).toEqual([8, 0, 0]);
  });

  test('says nothing while the runner took no job since we look', () => {
    const queue = after([
      { taken: 5, size: 9, at: NOON },
      { taken: 5, size: 9, at: NOON + 5_000 },
    ]);
    expect(queue && waitingIn(queue, NOON + 5_000)).toBe(0);
  });

  test('is forgotten a minute after the runner last took a job', () => {
    const queue = after([
      { taken: 5, size: 9, at: NOON },
      { taken: 6, size: 8, at: NOON + 5_000 },
      { taken: 6, size: 8, at: NOON + 60_000 },
    ]);
    expect(queue && waitingIn(queue, NOON + 65_000)).toBe(7);
    expect(queue && waitingIn(queue, NOON + 65_001)).toBe(0);
  });

  test('starts anew with the runner, and does without the family of older runners', () => {
    const restarted = after([
      { taken: 50, size: 9, at: NOON },
      { taken: 1, size: 4, at: NOON + 5_000 },
    ]);
    expect(restarted && waitingIn(restarted, NOON + 5_000)).toBe(3);
    const old = after([
      { taken: 1, size: null, at: NOON },
      { taken: 2, size: null, at: NOON + 5_000 },
    ]);
    expect(old && waitingIn(old, NOON + 5_000)).toBe(0);
  });
});
