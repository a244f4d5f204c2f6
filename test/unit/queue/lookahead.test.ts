// Which jobs are said to come, and when.
import { describe, expect, test } from 'vitest';
import type { QueuedJob } from '../../../src/domain/queue.ts';
import { createLengths, type UsualLength } from '../../../src/queue/job-lengths.ts';
import { machinesFor, nextStages } from '../../../src/queue/lookahead.ts';
import { NOON } from '../../support/builders.ts';

const job = (id: number, stage: string, status: string, over: Partial<QueuedJob> = {}): QueuedJob => ({
  id,
  project: { id: 1, path: 'group/app' },
  name: stage,
  stage,
  status,
  tags: [],
  ref: 'main',
  gitTag: false,
  protectedRef: null,
  queuedAt: null,
  createdAt: null,
  pipeline: 5,
  url: null,
  startedAt: status === 'running' ? NOON - 60_000 : null,
  ...over,
});
const usual: UsualLength = ({ name }) => {
  const ms = { build: 90_000, lint: 10_000 }[name];
  return ms === undefined ? null : { ms, longestMs: ms };
};
const told = (...jobs: QueuedJob[]) =>
  nextStages(jobs, usual, NOON).flatMap((next) => next.jobs.map(({ id }) => [id, next.expectedAt - NOON]));

describe('coming jobs', () => {
  test('are those of the next stage, when the last job of the running one should end', () => {
    expect(
      told(
        job(1, 'build', 'running'),
        job(2, 'lint', 'pending'),
        job(3, 'test', 'created'),
        job(4, 'test', 'created'),
        job(5, 'deploy', 'created'),
      ),
    ).toEqual([
      [3, 30_000],
      [4, 30_000],
    ]);
  });

  test('are expected at once when the running one is a little late, and not at all when it is twice as late as ever', () => {
    const late = (ms: number) => job(1, 'build', 'running', { startedAt: NOON - ms });
    expect(told(late(100_000), job(3, 'test', 'created'))).toEqual([[3, 0]]);
    expect(told(late(200_000), job(3, 'test', 'created'))).toEqual([]);
  });

  test('are not guessed: unknown lengths, nothing that runs, no pipeline, manual jobs', () => {
    expect(told(job(1, 'other', 'running'), job(3, 'test', 'created'))).toEqual([]);
    expect(told(job(3, 'test', 'created'))).toEqual([]);
    expect(
      told(job(1, 'build', 'running', { pipeline: null }), job(3, 'test', 'created', { pipeline: null })),
    ).toEqual([]);
    expect(told(job(1, 'build', 'running'), job(3, 'test', 'manual'))).toEqual([]);
  });

  test('of other pipelines and projects wait for their own', () => {
    const other = { project: { id: 2, path: 'x' } };
    expect(told(job(1, 'build', 'running'), job(3, 'test', 'created', other))).toEqual([]);
    expect(told(job(1, 'build', 'running'), job(3, 'test', 'created', { pipeline: 6 }))).toEqual([]);
  });
});

describe('machines for the next stages', () => {
  const stage = { jobs: 5, leaving: 0, expectedAt: NOON + 20_000, observedAt: NOON };
  const soon = { until: NOON + 60_000, claims: [] as number[], reuses: true };

  test('are those that the ending jobs do not leave', () => {
    expect(machinesFor([stage], soon)).toBe(5);
    expect(machinesFor([{ ...stage, leaving: 2 }], soon)).toBe(3);
    expect(machinesFor([{ ...stage, leaving: 9 }], soon)).toBe(0);
    expect(machinesFor([{ ...stage, leaving: 2 }], { ...soon, reuses: false })).toBe(5);
  });

  test('are asked for a boot ahead and no sooner', () => {
    expect(machinesFor([stage, { ...stage, expectedAt: NOON + 90_000 }], soon)).toBe(5);
  });

  test('are not asked for again for jobs that the runner has claimed since the stage was seen', () => {
    const claims = [NOON + 1, NOON + 2, NOON + 3];
    expect(machinesFor([stage], { ...soon, claims })).toBe(2);
    expect(machinesFor([{ ...stage, leaving: 2 }], { ...soon, claims })).toBe(2);
    expect(machinesFor([stage], { ...soon, claims: [NOON - 1] })).toBe(5);
    expect(machinesFor([stage, stage], { ...soon, claims: [...claims, NOON + 4, NOON + 5, NOON + 6] })).toBe(
      4,
    );
  });
});

describe('learned lengths', () => {
  const named = (name: string, id = 1) => ({ project: { id, path: '' }, name, stage: 'test' });

  test('are the second shortest of the last five, by project and name, and the longest', () => {
    const lengths = createLengths();
    expect(lengths.usual(named('build'))).toBeNull();
    for (const ms of [900, 10, 20, 30, 40, 1_000]) lengths.learn(named('build'), ms);
    expect(lengths.usual(named('build'))).toMatchObject({ ms: 20, longestMs: 1_000 });
    expect(lengths.usual(named('build', 2))).toBeNull();
  });

  test('of a name that was never seen are those of its stage', () => {
    const lengths = createLengths();
    for (const ms of [10, 20, 30]) lengths.learn(named(`shard ${ms}`), ms);
    expect(lengths.usual(named('shard 40'))?.ms).toBe(10);
    expect(lengths.usual({ ...named('shard 40'), stage: 'deploy' })).toBeNull();
  });

  test('of names without end cost bounded memory', () => {
    const lengths = createLengths();
    for (let name = 0; name < 6_000; name++) lengths.learn({ ...named(`job ${name}`), stage: `${name}` }, 1);
    expect(lengths.usual({ ...named('job 0'), stage: '0' })).toBeNull();
    expect(lengths.usual({ ...named('job 5999'), stage: '' })?.ms).toBe(1);
  });
});
