// GitLab's queue: who is given which job, and in which order.
import { describe, expect, test } from 'vitest';
import { createGitlab } from '../../../../src/sim/gitlab/gitlab.ts';
import type { GitlabRunner, JobSpec } from '../../../../src/sim/gitlab/job.ts';
import { createVirtualTimeline } from '../../../../src/sim/timeline.ts';

const START = Date.UTC(2026, 0, 5, 9);

function gitlabNow() {
  const timeline = createVirtualTimeline(START);
  return { timeline, gitlab: createGitlab({ timeline }) };
}

type Case = {
  rule: string;
  runner?: Partial<GitlabRunner>;
  job?: Partial<JobSpec>;
  project?: { path?: string; instanceRunners?: boolean; groupRunners?: boolean };
  given: boolean;
};

const cases: readonly Case[] = [
  { rule: 'an untagged job to a runner that takes them', given: true },
  { rule: 'no untagged job to a runner that does not', runner: { runUntagged: false }, given: false },
  {
    rule: 'a tagged job to a runner with that tag',
    runner: { tags: ['docker', 'linux'], runUntagged: false },
    job: { tags: ['docker'] },
    given: true,
  },
  {
    rule: 'a job only where all its tags are',
    runner: { tags: ['docker'] },
    job: { tags: ['docker', 'linux'] },
    given: false,
  },
  { rule: 'no tagged job to a runner without tags', job: { tags: ['docker'] }, given: false },
  {
    rule: 'tags by their case',
    runner: { tags: ['Docker'] },
    job: { tags: ['docker'] },
    given: false,
  },
  {
    rule: 'a job of a protected ref to a protected runner',
    runner: { accessLevel: 'ref_protected' },
    given: true,
  },
  {
    rule: 'no job of another ref to a protected runner',
    runner: { accessLevel: 'ref_protected' },
    job: { ref: 'feature' },
    given: false,
  },
  { rule: 'a job of another ref to a runner of all refs', job: { ref: 'feature' }, given: true },
  { rule: 'nothing to a paused runner', runner: { paused: true }, given: false },
  { rule: 'a job to a locked runner of its project', runner: { locked: true }, given: true },
  {
    rule: 'no job of a project without instance runners to one',
    project: { instanceRunners: false },
    given: false,
  },
  {
    rule: 'a job below a group to its runner',
    runner: { scope: { kind: 'group', group: 'acme' } },
    project: { path: 'acme/web/shop', instanceRunners: false },
    given: true,
  },
  {
    rule: 'no job beside a group to its runner',
    runner: { scope: { kind: 'group', group: 'acme' } },
    project: { path: 'acme-labs/shop' },
    given: false,
  },
  {
    rule: 'no job of a project without group runners to one',
    runner: { scope: { kind: 'group', group: 'acme' } },
    project: { path: 'acme/shop', groupRunners: false },
    given: false,
  },
  {
    rule: 'a job to a runner of its project',
    runner: { scope: { kind: 'projects', projects: [1] } },
    project: { instanceRunners: false, groupRunners: false },
    given: true,
  },
  {
    rule: 'no job to a runner of other projects',
    runner: { scope: { kind: 'projects', projects: [7] } },
    given: false,
  },
];

describe('a runner is given', () => {
  test.each(cases)('$rule', ({ runner, job, project, given }) => {
    const { gitlab } = gitlabNow();
    gitlab.addProject(project);
    const { id } = gitlab.addRunner(runner);
    const queued = gitlab.enqueue({ durationMs: 1_000, ...job });
    expect(gitlab.wouldGive(id)).toBe(given);
    expect(gitlab.queueSize(id)).toBe(given ? 1 : 0);
    expect(gitlab.request(id)?.id ?? null).toBe(given ? queued.id : null);
    expect(queued.status).toBe(given ? 'running' : 'pending');
  });

  test('a job once a wildcard protects its ref', () => {
    const { gitlab } = gitlabNow();
    gitlab.addProject({ protectedRefs: ['main', 'release/*'] });
    const runner = gitlab.addRunner({ accessLevel: 'ref_protected' });
    gitlab.enqueue({ durationMs: 1, ref: 'prerelease/1' });
    const job = gitlab.enqueue({ durationMs: 1, ref: 'release/1.2' });
    expect(gitlab.request(runner.id)).toBe(job);
    expect(gitlab.request(runner.id)).toBeNull();
  });

  test('the oldest job when it is a project’s or a group’s runner', () => {
    const { gitlab } = gitlabNow();
    const projects = [gitlab.addProject(), gitlab.addProject()];
    const runner = gitlab.addRunner({ scope: { kind: 'projects', projects: [1, 2] } });
    const jobs = [0, 0, 1, 0].map((at) => gitlab.enqueue({ durationMs: 1, project: projects[at]?.id ?? 0 }));
    expect(jobs.map(() => gitlab.request(runner.id))).toEqual(jobs);
  });

  test('a job of the project with fewest jobs on instance runners when it is one', () => {
    const { gitlab } = gitlabNow();
    gitlab.addProject();
    gitlab.addProject();
    const runner = gitlab.addRunner();
    const [a1, a2, a3, b1, b2] = [1, 1, 1, 2, 2].map((project) => gitlab.enqueue({ durationMs: 1, project }));
    const given = [1, 2, 3].map(() => gitlab.request(runner.id));
    expect(given).toEqual([a1, b1, a2]);
    gitlab.finish(b1?.id ?? 0, { ok: true });
    expect(gitlab.request(runner.id)).toBe(b2);
    expect(gitlab.request(runner.id)).toBe(a3);
  });

  test('what it could not take before once its settings or its project change', () => {
    const { gitlab } = gitlabNow();
    gitlab.addProject({ instanceRunners: false });
    const runner = gitlab.addRunner();
    let told = 0;
    gitlab.onWork(() => {
      told += 1;
    });
    gitlab.enqueue({ durationMs: 1, tags: ['docker'] });
    expect(gitlab.request(runner.id)).toBeNull();
    gitlab.changeRunner(runner.id, { tags: ['docker'] });
    expect(gitlab.request(runner.id)).toBeNull();
    gitlab.changeProject(1, { instanceRunners: true });
    expect(gitlab.request(runner.id)).not.toBeNull();
    expect(told).toBe(3);
  });
});

describe('a runner or project nobody knows', () => {
  test('is refused', () => {
    const { gitlab } = gitlabNow();
    expect(() => gitlab.request(1)).toThrow('no runner 1');
    expect(() => gitlab.enqueue({ durationMs: 1, project: 9 })).toThrow('no project 9');
    expect(() => gitlab.enqueue({ durationMs: 1, pipeline: 9 })).toThrow('no pipeline 9');
  });
});

describe('a runner', () => {
  test('has a token of its own', () => {
    const { gitlab } = gitlabNow();
    const tokens = [1, 2, 3].map(() => gitlab.addRunner().token);
    expect(new Set(tokens).size).toBe(3);
    expect(tokens[0]).toMatch(/^glrt-[0-9a-f]{20}$/);
    expect(gitlab.addRunner({ token: 'glrt-mine' }).token).toBe('glrt-mine');
  });
});
