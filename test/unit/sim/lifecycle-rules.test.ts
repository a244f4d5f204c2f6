// The runner's habits as measured: counts and sums of pauses from tables of real releases.
import { describe, expect, test } from 'vitest';
import {
  afterConfigNo,
  afterFailedCreate,
  afterFailedPreparation,
  atSignal,
  fasterPace,
  leftoverOf,
  nextRemoval,
  usualPace,
} from '../../../src/sim/runner/lifecycle-rules.ts';

/** Plays a job whose creates all fail; gives their number and the time from claim to failure. */
function failingJob(createMs: number, isCancelled = false): { creates: number; ms: number } {
  const seen = { creates: 0, ms: 0 };
  for (let preparation = 1; ; preparation++) {
    for (let create = 1; ; create++) {
      seen.creates += 1;
      seen.ms += createMs + usualPace.createRetryMs;
      if (afterFailedCreate(create) === 'preparation-failed') break;
    }
    seen.ms += usualPace.prepareRetryMs;
    if (afterFailedPreparation(preparation, isCancelled) === 'job-failed') return seen;
  }
}

describe('creates that fail', () => {
  test('are nine, and the job fails 18 s after its claim, or 108 s when each takes ten', () => {
    expect(failingJob(0)).toEqual({ creates: 9, ms: 18_000 });
    expect(failingJob(10_000)).toEqual({ creates: 9, ms: 108_000 });
  });

  test('are the three of the running preparation for a cancelled job', () => {
    expect(failingJob(0, true).creates).toBe(3);
  });

  test('are removed only with a config.json', () => {
    expect([leftoverOf(true), leftoverOf(false)]).toEqual(['remove', 'forget']);
  });
});

describe('a config that says no', () => {
  test('right after a create leaves the job without another', () => {
    expect(afterConfigNo('after-create')).toEqual({ machine: 'remove', job: 'wait' });
    expect(afterConfigNo('at-job-start')).toEqual({ machine: 'keep-idle', job: 'create' });
    expect(afterConfigNo('in-poll').machine).toBe('remove');
  });
});

describe('removals that fail', () => {
  test('are tried alone after the third and forced after the last, by release 19 only', () => {
    const of = (release: 15 | 19) =>
      [0, 2, 3, 29, 30].map((failed) => nextRemoval(failed, { release, attempts: 30 }));
    expect(of(19)).toEqual(['again', 'again', 'alone', 'alone', 'force']);
    expect(of(15)).toEqual(['again', 'again', 'alone', 'alone', 'alone']);
  });
});

describe('signals', () => {
  const at = (signal: 'TERM' | 'QUIT', changes: Partial<Parameters<typeof atSignal>[1]> = {}) =>
    atSignal(signal, { isSecond: false, drains: false, release: 19, ...changes });

  test('TERM aborts within shutdown_timeout, QUIT lets jobs end, a second TERM waits for nothing', () => {
    expect(at('TERM')).toEqual({ jobs: 'abort', waits: 'for-jobs', limit: 'all' });
    expect(at('QUIT')).toEqual({ jobs: 'finish', waits: 'for-jobs', limit: 'after-jobs' });
    expect(at('TERM', { isSecond: true })).toMatchObject({ jobs: 'leave', waits: 'no' });
  });

  test('a drain waits for creates and removals too, and is unknown to release 15', () => {
    expect(at('QUIT', { drains: true }).waits).toBe('for-all');
    expect(at('QUIT', { drains: true, release: 15 }).waits).toBe('for-jobs');
  });
});

test('a faster pace divides every time but that between claims', () => {
  const pace = fasterPace(20);
  expect(pace).toMatchObject({ pollMs: 50, createRetryMs: 50, removalRetryMs: 1_500, stopLimitMs: 3_000 });
  expect(pace.claimGapMs).toBe(usualPace.claimGapMs);
});
