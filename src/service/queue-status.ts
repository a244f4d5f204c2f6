// All that is known of one pool's queue, put together for people: `hostler queue` and the status pages.
// Must not decide or ask anything. Trap: looks may fail while the last good one still counts, and both are shown.
import type { ComingJob, ForecastSlot, PoolQueue } from '../domain/queue.ts';
import type { EpochMs } from '../domain/units.ts';
import type { Periods } from '../queue/poll-plan.ts';
import type { RunnerQueue } from '../queue/runner-queue.ts';
import type { QueueAhead } from './queue-ahead.ts';
import type { QueueFigures } from './queue-figures.ts';
import type { Verdict } from './queue-look-book.ts';
import type { Member } from './queue-members.ts';
import { stateOf } from './queue-state.ts';
import type { WebhookBook } from './webhook-book.ts';

/** One pool's queue for people: `hostler queue`. */
export type QueueStatus = PoolQueue & {
  /** GitLab's address; null when it is not asked. */
  url: string | null;
  /** What is assumed, and what the token may not see. */
  remarks: readonly string[];
  projects: number;
  periods: Periods | null;
  /** Pending jobs with the verdict on each. */
  verdicts: readonly Verdict[];
  /** Projects hidden from the token, with GitLab's words. */
  refused: ReadonlyMap<number, string>;
  /** Jobs whose stage is about to begin, where lookahead is on. */
  coming: readonly ComingJob[];
  /** Jobs at a time that are usual in this quarter of an hour and the next ones, where forecast is on and has learned. */
  forecast: readonly ForecastSlot[];
  /** Where webhooks are taken, or why they are not; null = not asked for. */
  webhook: string | null;
  /** Why looks fail now, also while the last good one still counts. */
  failing: string | null;
  /** Jobs that the runner's own figures tell of, where they are the source. */
  told: number;
  /** What GitLab told the runner with its last job, by the runner's metrics; null = nothing yet. */
  lastTold: RunnerQueue['told'];
};

type Looked = Pick<QueueStatus, 'periods' | 'verdicts' | 'refused' | 'failing'>;

function lookedOf({ looker, spec, scope, problem }: Member): Looked {
  if (looker === null) {
    // Before GitLab has answered once, what keeps it from it is all that can be said.
    const failing = scope === null ? problem : null;
    return { periods: null, verdicts: [], refused: new Map(), failing };
  }
  const { periods, refused, failing } = looker.state();
  return { periods, refused, failing, verdicts: looker.verdicts(spec.id) };
}

type Deps = { figures: QueueFigures; ahead: QueueAhead; webhooks: WebhookBook };

/** One pool's queue as it stands at `now`. */
export function statusOf({ figures, ahead, webhooks }: Deps, member: Member, now: EpochMs): QueueStatus {
  const { scope, site, spec } = member;
  const state = stateOf(member, figures, now);
  const figure = state.source === 'metrics' ? figures.group(spec.id, now) : null;
  return {
    ...state,
    ...lookedOf(member),
    url: site?.url ?? null,
    remarks: scope?.remarks ?? [],
    projects: scope?.projects.length ?? 0,
    coming: ahead.coming(member, now),
    forecast: ahead.forecast(spec, now),
    webhook: webhooks.describe(member.settings.webhook?.listen ?? null, now),
    told: figure?.queuedAt.length ?? 0,
    lastTold: figures.told(spec.id),
  };
}
