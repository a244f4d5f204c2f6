// Which jobs are said to come, and when.
import { describe, expect, test } from 'vitest';
import type { QueuedJob } from '../../../src/domain/queue.ts';
import { comingJobs, createLengths } from '../../../src/queue/lookahead.ts';
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
const usual = (_project: number, name: string) => ({ build: 90_000, lint: 10_000 })[name] ?? null;
const told = (...jobs: QueuedJob[]) =>
  comingJobs(jobs, usual, NOON).map(({ job: { id }, expectedAt }) => [id, expectedAt - NOON]);

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

  test('are expected at once when the running one is a little late, and not at all when it is very late', () => {
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

describe('learned lengths', () => {
  test('are the median of the last five, by project and name', () => {
    const lengths = createLengths();
    expect(lengths.usual(1, 'build')).toBeNull();
    for (const ms of [900, 10, 20, 30, 40, 1_000]) lengths.learn(1, 'build', ms);
    expect(lengths.usual(1, 'build')).toBe(30);
    expect(lengths.usual(2, 'build')).toBeNull();
  });

  test('of names without end cost bounded memory', () => {
    const lengths = createLengths();
    for (let name = 0; name < 6_000; name++) lengths.learn(1, `job ${name}`, 1);
    expect(lengths.usual(1, 'job 0')).toBeNull();
    expect(lengths.usual(1, 'job 5999')).toBe(1);
  });
});
