// What becomes of jobs: stages, retries, cancels, runners that fall silent, and how GitLab itself does.
import { describe, expect, test } from 'vitest';
import { createGitlab, type JobEvent } from '../../../../src/sim/gitlab/gitlab.ts';
import { createVirtualTimeline } from '../../../../src/sim/timeline.ts';

const START = Date.UTC(2026, 0, 5, 9);
const MINUTE = 60_000;
const HOUR = 3_600_000;

function gitlabNow() {
  const timeline = createVirtualTimeline(START);
  const gitlab = createGitlab({ timeline });
  const runner = gitlab.addRunner();
  const events: JobEvent[] = [];
  const moves: string[] = [];
  gitlab.on((event) => {
    events.push(event);
    moves.push(`${event.job.name} ${event.from ?? 'new'}→${event.job.status}`);
  });
  return { timeline, gitlab, runner, events, moves };
}

describe('a pipeline', () => {
  test('begins a stage when the one before has succeeded', () => {
    const { gitlab, runner } = gitlabNow();
    const pipeline = gitlab.addPipeline({
      stages: [
        [
          { durationMs: 1, name: 'build' },
          { durationMs: 1, name: 'lint' },
        ],
        [{ durationMs: 1, name: 'test' }],
        [{ durationMs: 1, name: 'deploy' }],
      ],
    });
    const statuses = () => pipeline.jobs.map(({ status }) => status);
    expect(statuses()).toEqual(['pending', 'pending', 'created', 'created']);
    expect(pipeline.status).toBe('pending');
    const [build, lint, tests, deploy] = pipeline.jobs.map(({ id }) => id);
    gitlab.request(runner.id);
    gitlab.request(runner.id);
    expect(gitlab.request(runner.id)).toBeNull();
    gitlab.finish(build ?? 0, { ok: true });
    expect(statuses()).toEqual(['success', 'running', 'created', 'created']);
    gitlab.finish(lint ?? 0, { ok: true });
    expect(statuses()).toEqual(['success', 'success', 'pending', 'created']);
    for (const id of [tests, deploy]) {
      expect(gitlab.request(runner.id)?.id).toBe(id);
      gitlab.finish(id ?? 0, { ok: true });
    }
    expect(pipeline.status).toBe('success');
  });

  test('skips what cannot begin after a failure', () => {
    const { gitlab, runner } = gitlabNow();
    const pipeline = gitlab.addPipeline({
      stages: [[{ durationMs: 1 }], [{ durationMs: 1 }], [{ durationMs: 1 }]],
    });
    const job = gitlab.request(runner.id);
    gitlab.finish(job?.id ?? 0, { ok: false, failure: 'script_failure' });
    expect(pipeline.jobs.map(({ status }) => status)).toEqual(['failed', 'skipped', 'skipped']);
    expect(pipeline.status).toBe('failed');
  });

  test('goes on after a retry that succeeds', () => {
    const { gitlab, runner } = gitlabNow();
    const pipeline = gitlab.addPipeline({
      stages: [[{ durationMs: 1, retries: 1, name: 'test' }], [{ durationMs: 1, name: 'deploy' }]],
    });
    const first = gitlab.request(runner.id);
    gitlab.finish(first?.id ?? 0, { ok: false, failure: 'runner_system_failure' });
    const second = gitlab.request(runner.id);
    expect([second?.name, second?.retryOf]).toEqual(['test', first?.id]);
    expect(second?.id).toBeGreaterThan(first?.id ?? 0);
    gitlab.finish(second?.id ?? 0, { ok: true });
    expect(gitlab.request(runner.id)?.name).toBe('deploy');
    expect(pipeline.status).toBe('running');
  });

  test('retries no more often than asked', () => {
    const { gitlab, runner } = gitlabNow();
    gitlab.enqueue({ durationMs: 1, retries: 2 });
    let tries = 0;
    for (let job = gitlab.request(runner.id); job !== null; job = gitlab.request(runner.id)) {
      tries += 1;
      gitlab.finish(job.id, { ok: false, failure: 'script_failure' });
    }
    expect(tries).toBe(3);
  });

  test('takes a job that is added to one of its stages', () => {
    const { gitlab, runner } = gitlabNow();
    const pipeline = gitlab.addPipeline({ stages: [[{ durationMs: 1 }]] });
    const late = gitlab.enqueue({ durationMs: 1, pipeline: pipeline.id, stage: 1 });
    expect(late.status).toBe('created');
    gitlab.finish(gitlab.request(runner.id)?.id ?? 0, { ok: true });
    expect(late.status).toBe('pending');
  });
});

describe('a job', () => {
  test('tells each of its moves once, in order', () => {
    const { gitlab, runner, moves } = gitlabNow();
    const job = gitlab.enqueue({ durationMs: 1, name: 'test' });
    gitlab.request(runner.id);
    gitlab.finish(job.id, { ok: true });
    gitlab.finish(job.id, { ok: false, failure: 'script_failure' });
    gitlab.cancel(job.id);
    expect(moves).toEqual([
      'test new→created',
      'test created→pending',
      'test pending→running',
      'test running→success',
    ]);
  });

  test('carries its times', () => {
    const { gitlab, runner, timeline } = gitlabNow();
    const job = gitlab.enqueue({ durationMs: 1 });
    timeline.advance(5_000);
    gitlab.request(runner.id);
    timeline.advance(7_000);
    gitlab.finish(job.id, { ok: true });
    expect([job.queuedAt, job.startedAt, job.endedAt].map((at) => (at ?? 0) - START)).toEqual([
      0, 5_000, 12_000,
    ]);
    expect(job.runner).toBe(runner.id);
    expect(gitlab.runner(runner.id).contactedAt).toBe(START + 5_000);
  });

  test('that waits is cancelled at once, one that runs when its runner hears of it', () => {
    const { gitlab, runner } = gitlabNow();
    const [first, second] = [1, 2].map(() => gitlab.enqueue({ durationMs: 1 }));
    gitlab.request(runner.id);
    gitlab.cancel(first?.id ?? 0);
    gitlab.cancel(second?.id ?? 0);
    expect([first?.status, second?.status]).toEqual(['canceling', 'canceled']);
    expect(gitlab.pending()).toEqual([]);
    expect(gitlab.touch(first?.id ?? 0)).toBe('canceling');
    gitlab.finish(first?.id ?? 0, { ok: true });
    expect(first?.status).toBe('canceled');
  });

  test('whose runner is silent for an hour is failed, and not while it calls', () => {
    const { gitlab, runner, timeline } = gitlabNow();
    const job = gitlab.enqueue({ durationMs: 1 });
    gitlab.request(runner.id);
    for (let calls = 0; calls < 5; calls += 1) {
      timeline.advance(50 * MINUTE);
      gitlab.touch(job.id);
    }
    expect(job.status).toBe('running');
    timeline.advance(59 * MINUTE);
    expect(job.status).toBe('running');
    timeline.advance(2 * MINUTE);
    expect([job.status, job.failure]).toEqual(['failed', 'stuck_or_timeout_failure']);
  });

  test('that is to be cancelled while its runner is silent is cancelled after an hour', () => {
    const { gitlab, runner, timeline } = gitlabNow();
    const job = gitlab.enqueue({ durationMs: 1 });
    gitlab.request(runner.id);
    gitlab.cancel(job.id);
    timeline.advance(61 * MINUTE);
    expect(job.status).toBe('canceled');
  });

  test('that nobody takes is dropped after a day', () => {
    const { gitlab, timeline } = gitlabNow();
    const job = gitlab.enqueue({ durationMs: 1, tags: ['nowhere'] });
    timeline.advance(23 * HOUR);
    expect(job.status).toBe('pending');
    timeline.advance(2 * HOUR);
    expect([job.status, job.failure]).toEqual(['failed', 'stuck_or_timeout_failure']);
    expect(gitlab.pending()).toEqual([]);
  });

  test('of long ago is forgotten with its pipeline when asked, others are kept', () => {
    const { gitlab, runner, timeline } = gitlabNow();
    const [old, open] = [1, 2].map(() => gitlab.enqueue({ durationMs: 1 }));
    gitlab.request(runner.id);
    gitlab.finish(old?.id ?? 0, { ok: true });
    timeline.advance(HOUR);
    gitlab.forgetBefore(timeline.now());
    expect([...gitlab.jobs()]).toEqual([open]);
    expect(gitlab.pipeline(old?.pipeline ?? 0)).toBeNull();
    expect(gitlab.touch(old?.id ?? 0)).toBe('canceled');
  });

  test('has the same id for the same seed', () => {
    const ids = (seed: number) => {
      const gitlab = createGitlab({ timeline: createVirtualTimeline(START), seed });
      return Array.from({ length: 20 }, () => gitlab.enqueue({ durationMs: 1 }).id);
    };
    expect(ids(1)).toEqual(ids(1));
    expect(ids(1)).not.toEqual(ids(2));
    expect(ids(1)).toEqual(ids(1).toSorted((a, b) => a - b));
  });
});

describe('GitLab', () => {
  test('is away, slow or refusing for as long as it is told, and well otherwise', () => {
    const { gitlab, timeline } = gitlabNow();
    const { weather } = gitlab;
    expect(weather.call()).toEqual({ delayMs: 0, refused: null });
    weather.slowUntil(START + 10_000, 700);
    expect(weather.call()).toEqual({ delayMs: 700, refused: null });
    weather.awayUntil(START + 5_000);
    expect(weather.call()).toEqual({ delayMs: 700, refused: 502 });
    timeline.advance(10_000);
    expect(weather.call()).toEqual({ delayMs: 0, refused: null });
    weather.throttledUntil(START + 20_000, 0.5);
    const refused = Array.from({ length: 1_000 }, () => weather.call().refused).filter(
      (status) => status === 429,
    );
    expect(Math.abs(refused.length - 500)).toBeLessThan(80);
  });
});
