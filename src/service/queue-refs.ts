// Which refs are protected: asked once, kept for ten minutes, for runners that take protected refs only.
// Trap: jobs of a thousand refs must not become a thousand calls at once; they are asked one after the other, the oldest
// question first, and until then a job counts as `assume_protected` says.
import type { QueuedJob } from '../domain/queue.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { QueueSite } from './queue-site.ts';

/** Protection changes rarely, and GitLab itself caches it (facts: 10 min). */
const KEPT_MS: DurationMs = 10 * MINUTE_MS;
/** Refs that are remembered; with some hundred bytes each below 1 MB. */
const MOST_REFS = 5_000;
/** Questions that wait; more come with the next look. */
const MOST_WAITING = 200;
/** A question that failed is asked again after this. */
const FAILED_PAUSE_MS: DurationMs = 30 * SECOND_MS;

/** … and so many in a row are GitLab's trouble and no ref's. */
const MOST_FAILURES = 3;

export type QueueRefs = {
  /** What is known of a job's ref now; asks for it when it is not. */
  isProtected(job: QueuedJob): boolean | null;
};

type Question = { key: string; project: number; ref: string; gitTag: boolean | null };

/** Refs of one site. `changed`: something new is known. */
export function createQueueRefs(
  deps: { site: QueueSite; clock: Clock; changed(): void },
  stop: AbortSignal,
): QueueRefs {
  const { site, clock } = deps;
  const known = new Map<string, { value: boolean | null; at: DurationMs }>();
  const waiting = new Map<string, Question>();
  let isAsking = false;
  let pausedUntil = 0;

  function keep(key: string, value: boolean | null): void {
    known.delete(key);
    const [oldest] = known.keys();
    if (known.size >= MOST_REFS && oldest !== undefined) known.delete(oldest);
    known.set(key, { value, at: clock.monotonic() });
  }

  async function askAll(): Promise<void> {
    const failed = new Set<Question>();
    let inRow = 0;
    for (const question of waiting.values()) {
      if (stop.aborted) return;
      if (failed.has(question)) continue;
      try {
        const gitlab = await site.gitlab(stop);
        keep(question.key, await gitlab.isProtected(question, stop));
        waiting.delete(question.key);
        inRow = 0;
        deps.changed();
      } catch (error) {
        // To the end of the line: one ref that GitLab cannot tell of must not keep the others waiting.
        waiting.delete(question.key);
        waiting.set(question.key, question);
        failed.add(question);
        inRow += 1;
        if (inRow >= MOST_FAILURES) throw error;
      }
    }
    if (failed.size > 0) pausedUntil = clock.monotonic() + FAILED_PAUSE_MS;
  }

  function start(): void {
    if (isAsking || stop.aborted || clock.monotonic() < pausedUntil) return;
    isAsking = true;
    void askAll()
      .catch(() => {
        pausedUntil = clock.monotonic() + FAILED_PAUSE_MS;
      })
      .finally(() => {
        isAsking = false;
      });
  }

  return {
    isProtected(job) {
      const { project, ref, gitTag } = job;
      const key = JSON.stringify([project.id, ref, gitTag]);
      const found = known.get(key);
      const isOld = found === undefined || clock.monotonic() - found.at >= KEPT_MS;
      if (isOld && waiting.size < MOST_WAITING) waiting.set(key, { key, project: project.id, ref, gitTag });
      if (waiting.size > 0) start();
      return found?.value ?? null;
    },
  };
}
