// When creates are known to have no job any more, and all the cases in which they are not.
import { describe, expect, test } from 'vitest';
import {
  type CreateMatch,
  goneJobs,
  type JobsLook,
  joblessCreates,
  nextMatch,
} from '../../../src/queue/jobless-creates.ts';

const job = (id: number) => ({ id, project: 1 });

function look(running: number[], waiting: string[], over: Partial<JobsLook> = {}): JobsLook {
  return { running: running.map(job), onMachines: new Set(), waiting, unclear: 0, ...over };
}

const match: CreateMatch = { creates: ['a', 'b'], jobs: [job(1), job(2)] };
const ended = (words: Record<number, string | null>) =>
  new Map(Object.entries(words).map(([id, word]) => [Number(id), word]));

describe('creates and jobs match', () => {
  test('when there are as many of one as of the other', () => {
    expect(nextMatch(null, look([1, 2], ['a', 'b']))).toEqual(match);
  });

  test('without the jobs that have machines', () => {
    expect(nextMatch(null, look([1, 2, 3], ['a', 'b'], { onMachines: new Set([3]) }))).toEqual(match);
  });

  test.each([
    ['fewer jobs are seen', look([1], ['a', 'b'])],
    ['more jobs are seen: other managers, other projects', look([1, 2, 3], ['a', 'b'])],
    ['no job is seen: the token may not see them', look([], ['a', 'b'])],
    ['nobody waits', look([1], [])],
    ['a machine may be about to start one', look([1, 2], ['a', 'b'], { unclear: 1 })],
  ])('not when %s', (_, seen) => {
    expect(nextMatch(null, seen)).toBe(null);
  });

  test('still, while jobs and creates only become fewer', () => {
    expect(nextMatch(match, look([2], ['a', 'b']))).toBe(match);
    expect(nextMatch(match, look([], ['a', 'b']))).toBe(match);
  });

  test('no longer, once a new job or create is there', () => {
    expect(nextMatch(match, look([2, 3, 4], ['a', 'b']))).toBe(null);
    expect(nextMatch(match, look([2], ['a', 'b', 'c']))).toBe(null);
  });

  test('anew, when numbers agree again', () => {
    expect(nextMatch(match, look([2, 3], ['b', 'c']))).toEqual({
      creates: ['b', 'c'],
      jobs: [job(2), job(3)],
    });
  });
});

describe('creates are jobless', () => {
  const gone = look([], ['a', 'b']);

  test('when all jobs of their match have ended, whatever way', () => {
    expect(goneJobs(match, gone)).toEqual(match.jobs);
    for (const word of ['canceled', 'canceling', 'failed', 'skipped'])
      expect(joblessCreates(match, ended({ 1: word, 2: 'canceled' }), gone)).toEqual(['a', 'b']);
  });

  test('all that still wait, and no others', () => {
    expect(joblessCreates(match, ended({ 1: 'canceled', 2: 'failed' }), look([], ['b']))).toEqual(['b']);
  });

  test.each([
    ['one job runs still', look([2], ['a', 'b']), { 1: 'canceled' }],
    ['one job succeeded: it had a machine', gone, { 1: 'canceled', 2: 'success' }],
    ['one job is not shown any more', gone, { 1: 'canceled', 2: null }],
    ['one job was not asked for', gone, { 1: 'canceled' }],
    ['another job runs without a machine', look([9], ['a', 'b']), { 1: 'canceled', 2: 'canceled' }],
    ['a machine may be about to start one', { ...gone, unclear: 1 }, { 1: 'canceled', 2: 'canceled' }],
  ])('not when %s', (_, seen, words) => {
    expect(joblessCreates(match, ended(words), seen)).toEqual([]);
  });
});
