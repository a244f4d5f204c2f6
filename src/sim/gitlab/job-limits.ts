// GitLab's own patience: a job that nobody takes is dropped after a day, one whose runner is not heard of for an hour is
// failed, or, were it to be cancelled, cancelled. Without this a runner that died would keep its jobs running for ever.
import type { Timeline } from '../timeline.ts';
import type { Job } from './job.ts';
import type { JobBook } from './job-book.ts';
import { isActive } from './runner-book.ts';

/** GitLab's stuck-jobs worker: no sign of life from the runner. */
const UNHEARD_MS = 3_600_000;
/** The same worker: a job that nobody took. */
const PENDING_AT_MOST_MS = 86_400_000;

export type JobLimits = {
  /** A job is pending from now on. */
  pending(job: Job): void;
  /** A job was claimed now. */
  claimed(job: Job): void;
};

export function createJobLimits(timeline: Timeline, book: Pick<JobBook, 'end'>): JobLimits {
  const offs = new Map<number, () => void>();

  const claimed = (job: Job): void => {
    offs.get(job.id)?.();
    offs.delete(job.id);
    const due = (job.touchedAt ?? timeline.now()) + UNHEARD_MS;
    timeline.after(due - timeline.now(), () => {
      if (!isActive(job.status)) return;
      if ((job.touchedAt ?? 0) + UNHEARD_MS > timeline.now()) claimed(job);
      else if (job.status === 'canceling') book.end(job, 'canceled', null);
      else book.end(job, 'failed', 'stuck_or_timeout_failure');
    });
  };

  return {
    claimed,
    pending(job) {
      const off = timeline.after(PENDING_AT_MOST_MS, () => {
        offs.delete(job.id);
        if (job.status === 'pending') book.end(job, 'failed', 'stuck_or_timeout_failure');
      });
      offs.set(job.id, off);
    },
  };
}
