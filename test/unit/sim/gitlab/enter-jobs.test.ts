import { describe, expect, test } from 'vitest';
import { entriesOf } from '../../../../src/sim/gitlab/enter-jobs.ts';
import { createGitlab } from '../../../../src/sim/gitlab/gitlab.ts';
import { createVirtualTimeline } from '../../../../src/sim/timeline.ts';
import type { Arrival } from '../../../../src/sim/workload.ts';

const staged = (stage: number, stageName: string, more: Partial<Arrival> = {}): Arrival => ({
  atMs: 0,
  durationMs: 1_000,
  tags: [],
  place: { pipeline: 'p', stage, stageName },
  name: stageName,
  project: 'group/app',
  ...more,
});

function entered(...arrivals: Arrival[]) {
  const gitlab = createGitlab({ timeline: createVirtualTimeline(0) });
  const runner = gitlab.addRunner();
  const entries = entriesOf(gitlab, arrivals);
  const jobs = entries.flatMap(({ enter }) => enter());
  const run = (result: Parameters<typeof gitlab.finish>[1] = { ok: true }) =>
    gitlab.finish(gitlab.request(runner.id)?.id ?? 0, result);
  return { gitlab, entries, jobs, run, states: () => jobs.map(({ status }) => status) };
}

describe('jobs put into GitLab', () => {
  test('of a later stage are created at once and pending when the earlier one has succeeded', () => {
    const { states, run } = entered(staged(0, 'build'), staged(1, 'test'), staged(1, 'test'));
    expect(states()).toEqual(['pending', 'created', 'created']);
    run();
    expect(states()).toEqual(['success', 'pending', 'pending']);
  });

  test('of a later stage are skipped after a failure', () => {
    const { states, run } = entered(staged(0, 'build', { fails: true }), staged(1, 'test'));
    run({ ok: false, failure: 'script_failure' });
    expect(states()).toEqual(['failed', 'skipped']);
  });

  test('belong to projects that are there before the first of them', () => {
    const other = { pipeline: 'q', stage: 0, stageName: 'build' };
    const { gitlab, jobs } = entered(
      staged(0, 'build'),
      staged(0, 'lint', { project: 'group/web', place: other }),
    );
    expect(gitlab.projects().map(({ path }) => path)).toEqual(['group/app', 'group/web']);
    expect(jobs.map(({ name, stageName }) => [name, stageName])).toEqual([
      ['build', 'build'],
      ['lint', 'build'],
    ]);
  });

  test('without a place come one by one, in the order of their moments', () => {
    const { entries } = entered(
      { atMs: 5, durationMs: 1, tags: [] },
      staged(0, 'build', { atMs: 3 }),
      staged(1, 'test', { atMs: 3 }),
    );
    expect(entries.map(({ atMs }) => atMs)).toEqual([3, 5]);
  });
});
