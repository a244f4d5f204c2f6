// The history that a forecast would have learned from jobs of weeks before, without simulating the machines of those weeks:
// each job gets a machine at once, and the daemon's own rule looks at the jobs at a time.
// Trap: a rush is found by looking often; looks as far apart as a boot would miss most of them.
import { type DurationMs, type EpochMs, SECOND_MS } from '../../domain/units.ts';
import { type RushHistory, recordRush } from '../../queue/forecast.ts';
import { AHEAD_MARGIN_MS } from '../../queue/lookahead.ts';
import { createRushWatch } from '../../queue/rush.ts';
import type { Arrival } from '../../sim/workload.ts';
import { createMoments } from '../report/moments.ts';
import { createStageBook, type QueuedJob } from '../report/stage-book.ts';

const LOOK_EVERY_MS: DurationMs = 5 * SECOND_MS;

export type Past = {
  /** Times count from `startAt`. */
  arrivals: readonly Arrival[];
  startAt: EpochMs;
  lengthMs: DurationMs;
  bootMs: DurationMs;
  /** Later stages are announced. */
  lookahead: boolean;
  /** Ending jobs leave their machines to others. */
  reuses: boolean;
};

/** A number that changes at a moment. */
type Change = { at: number; by: number };

/** Machines that look-ahead would have asked for, stage by stage. */
function createAnnouncements({ bootMs, reuses }: Past) {
  const ends = new Map<string, number[]>();
  return {
    begins: ({ place }: Arrival, endsAt: number): void => {
      if (place !== undefined) ends.set(place.pipeline, [...(ends.get(place.pipeline) ?? []), endsAt]);
    },
    /** A stage begins with these jobs. */
    stage(pipeline: string, jobs: number, at: number): Change {
      const leaving = (ends.get(pipeline) ?? []).filter((end) => end >= at - bootMs).length;
      ends.delete(pipeline);
      return { at, by: Math.max(0, jobs - (reuses ? leaving : 0)) };
    },
  };
}

/** When how many jobs ran at a time, and what was announced: changes, the oldest first. */
function play(past: Past): { changes: Change[]; announced: Change[] } {
  const book = createStageBook(past.arrivals);
  const announcements = createAnnouncements(past);
  const changes: Change[] = [];
  const announced: Change[] = [];
  const moments = createMoments();
  for (const { atMs } of book.firsts) moments.add(atMs);
  const begin = ({ job, queuedMs }: QueuedJob): void => {
    const endsAt = queuedMs + job.durationMs;
    changes.push({ at: queuedMs, by: 1 }, { at: endsAt, by: -1 });
    book.begins(job, endsAt);
    announcements.begins(job, endsAt);
  };
  let next = 0;
  while (Math.min(moments.first(), book.nextAt()) < past.lengthMs) {
    const now = Math.min(moments.first(), book.nextAt());
    while (moments.first() <= now) {
      moments.take();
      const job = book.firsts[next++];
      if (job !== undefined) begin({ job, queuedMs: job.atMs });
    }
    const due = Map.groupBy(book.due(now), ({ job }) => job.place?.pipeline ?? '');
    for (const [pipeline, jobs] of due) {
      announced.push(announcements.stage(pipeline, jobs.length, now));
      for (const one of jobs) begin(one);
    }
  }
  return { changes: changes.toSorted((a, b) => a.at - b.at), announced };
}

/** The sum of all changes up to moments that only go on. */
function createSum(changes: readonly Change[]): (until: number) => number {
  let [next, sum] = [0, 0];
  return (until) => {
    for (let one = changes[next]; one !== undefined && one.at <= until; one = changes[++next]) sum += one.by;
    return sum;
  };
}

/** What the daemon would have stored of these jobs. */
export function learnedRushes({ startAt, lengthMs, bootMs, ...past }: Past): RushHistory {
  const { changes, announced } = play({ startAt, lengthMs, bootMs, ...past });
  const history: RushHistory = {};
  const watch = createRushWatch();
  const horizonMs = bootMs + AHEAD_MARGIN_MS;
  const [jobs, foretold, begun] = [createSum(changes), createSum(announced), createSum(announced)];
  for (let now = 0; now < lengthMs; now += LOOK_EVERY_MS) {
    const ahead = past.lookahead ? foretold(now + horizonMs) - begun(now) : 0;
    recordRush(
      history,
      startAt + now,
      watch.see(startAt + now, { jobs: jobs(now), announced: ahead, bootMs, reuses: past.reuses }),
    );
  }
  return history;
}
