// The queue as the socket shows it, from verdicts.
import { describe, expect, test } from 'vitest';
import type { QueuedJob } from '../../../src/domain/queue.ts';
import { queueReply } from '../../../src/service/queue-reply.ts';
import type { QueueStatus } from '../../../src/service/queue-status.ts';
import { NOON } from '../../support/builders.ts';

const job = (id: number, over: Partial<QueuedJob> = {}): QueuedJob => ({
  id,
  project: { id: 1, path: 'group/app' },
  name: `job ${id}`,
  stage: 'build',
  status: 'pending',
  tags: [],
  ref: 'main',
  gitTag: false,
  protectedRef: null,
  queuedAt: NOON - id * 1_000,
  createdAt: null,
  pipeline: 1,
  url: null,
  ...over,
});

const status = (over: Partial<QueueStatus> = {}): QueueStatus => ({
  pool: 'linux',
  source: 'rest',
  state: 'fresh',
  at: NOON - 4_000,
  why: 'one project',
  exact: true,
  url: 'https://gitlab.example.com',
  remarks: [],
  projects: 1,
  periods: { busy: 10_000, quiet: 60_000, dormant: 300_400, jitter: 0, stretch: 1 },
  verdicts: [],
  refused: new Map(),
  coming: [],
  forecast: [],
  webhook: null,
  failing: null,
  told: 0,
  lastTold: null,
  ...over,
});

describe('the reply for one queue', () => {
  test('counts by project, oldest first, with every reason against', () => {
    const verdicts = [
      { job: job(3), match: { takes: true } as const, observedAt: NOON },
      { job: job(9), match: { takes: false, why: 'tags', detail: 'gpu' } as const, observedAt: NOON },
      { job: job(7), match: { takes: false, why: 'paused', detail: '' } as const, observedAt: NOON },
      {
        job: job(5, { project: { id: 2, path: '' } }),
        match: { takes: true } as const,
        observedAt: NOON,
      },
    ];
    const reply = queueReply(status({ verdicts, refused: new Map([[8, 'not shown']]) }), NOON, 3);
    expect(reply).toMatchObject({ pending: 4, may_take: 2, oldest_s: 9, age_s: 4 });
    expect(reply.jobs.map(({ id }) => id)).toEqual([9, 7, 5]);
    expect(reply.jobs[0]).toMatchObject({ takes: false, why_not: 'tags', detail: 'gpu', waited_s: 9 });
    expect(reply.projects).toEqual([
      {
        id: 1,
        path: 'group/app',
        pending: 3,
        may_take: 1,
        coming: 0,
        oldest_s: 9,
        why_not: { 'the runner lacks gpu': 1, 'the runner is paused': 1 },
        hidden: null,
      },
      { id: 2, path: '', pending: 1, may_take: 1, coming: 0, oldest_s: 5, why_not: {}, hidden: null },
      {
        id: 8,
        path: '',
        pending: 0,
        may_take: 0,
        coming: 0,
        oldest_s: null,
        why_not: {},
        hidden: 'not shown',
      },
    ]);
  });

  test('states how long a job may stay unseen, the slowest projects counted', () => {
    expect(queueReply(status(), NOON, 0).seen_within_s).toEqual({ busy: 10, quiet: 301 });
    expect(queueReply(status({ periods: null }), NOON, 0).seen_within_s).toBeNull();
  });

  test('keeps the oldest age of a project whatever the order of its jobs', () => {
    const verdicts = [job(2), job(1), job(30), job(4)].map((one) => ({
      job: one,
      match: { takes: true } as const,
      observedAt: NOON,
    }));
    expect(queueReply(status({ verdicts }), NOON, 10).projects[0]?.oldest_s).toBe(30);
  });

  test('counts what the runner itself tells where that is the source, and says why looks fail', () => {
    const reply = queueReply(status({ source: 'metrics', told: 7, failing: 'away' }), NOON, 3);
    expect(reply).toMatchObject({ pending: 7, may_take: 7, jobs: [], failing: 'away' });
  });

  test('carries what GitLab told the runner with its last job, and when', () => {
    const lastTold = { size: 7, depth: 3, at: NOON - 12_300 };
    expect(queueReply(status({ lastTold }), NOON, 0).runner_told).toEqual({
      queue_size: 7,
      queue_depth: 3,
      age_s: 12,
    });
    expect(queueReply(status(), NOON, 0).runner_told).toBeNull();
  });
});
