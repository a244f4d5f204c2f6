// The runner's own figures as a source of the queue, and beside any source: the jobs of its other sections, which count
// against `concurrent` too. Read on this machine, so often as it likes.
// Trap: a runner that does not answer says nothing of the queue; its jobs cannot start either, so nothing is held for it.
import type { PoolSpec } from '../domain/config.ts';
import { messageOf } from '../domain/error.ts';
import type { JobGroup, RunnerBounds } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { RunnerMetrics, RunnerScrape } from '../ports/queue.ts';
import { nextRunnerQueue, type QueueFigure, type RunnerQueue, waitingIn } from '../queue/runner-queue.ts';
import type { CurrentConfig } from './current-config.ts';
import { isLabelOf } from './runner-labels.ts';

/** Loopback: a scrape costs a millisecond. */
const LOOK_EVERY_MS: DurationMs = 5 * SECOND_MS;
const ANSWER_LIMIT_MS: DurationMs = 5 * SECOND_MS;
/** Of a runner that took jobs and names no queue. */
const TOO_OLD = "the runner's metrics do not say how many jobs wait (runners from 18.1 on do)";

/** Jobs that a figure may come to, as of all looks together: a stranger may answer with any number. */
const MOST_JOBS = 20_000;

export type QueueFigures = {
  /** Scrapes once. `changed` is called when a pool's figure moved. */
  look(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
  /** The jobs that wait for a pool by the runner's last word; null = none known. */
  group(pool: string, now: EpochMs): JobGroup | null;
  /** What GitLab told the pool's runner with its last job, however long ago; null = nothing yet. */
  told(pool: string): RunnerQueue['told'];
  otherJobs(): number;
  /** What the runner may run by its own word; null while it does not answer. */
  bounds(): RunnerBounds | null;
  state(): { at: EpochMs | null; failing: string | null };
  /** Whether the runner serves metrics that tell of the queue; null = it was not asked yet. */
  serves(): boolean | null;
};

type Deps = { config: CurrentConfig; runner: RunnerMetrics; clock: Clock; changed(): void };

/** Of several labels, an old and a new token, the fuller queue: both stand before the same jobs. */
function figureOf({ queueSize, queueDepth }: RunnerScrape, labels: readonly string[]): QueueFigure | null {
  const figures = labels.flatMap((label): QueueFigure[] => {
    const size = queueSize.get(label);
    return size === undefined ? [] : [{ size, depth: queueDepth.get(label) ?? 1 }];
  });
  return figures.toSorted((a, b) => b.size - a.size)[0] ?? null;
}

/** A limit of 0 is none; of several labels the larger limit counts. */
function boundsOf({ concurrent, limit }: RunnerScrape, pools: readonly PoolSpec[]): RunnerBounds {
  const limits = pools.flatMap((pool): [string, number][] => {
    const mine = [...limit].filter(([label]) => isLabelOf(pool, label)).map(([, most]) => most);
    return mine.length === 0 || mine.includes(0) ? [] : [[pool.id, Math.max(...mine)]];
  });
  return { concurrent, limits: new Map(limits) };
}

/** The figures of the runner named by the configuration. */
export function createQueueFigures({ config, runner, clock, changed }: Deps): QueueFigures {
  const queues = new Map<string, RunnerQueue>();
  let others = 0;
  let bounds: RunnerBounds | null = null;
  let at: EpochMs | null = null;
  let failing: string | null = null;
  let isOld = false;

  function countOthers({ jobs }: RunnerScrape): number {
    const { pools } = config.get();
    const foreign = [...jobs].filter(([label]) => !pools.some((pool) => isLabelOf(pool, label)));
    return foreign.reduce((sum, [, count]) => sum + count, 0);
  }

  /** A pool's figures over its labels; old and new token may both be there for a while. */
  function read(scrape: RunnerScrape, now: EpochMs): boolean {
    const { startedAt } = scrape;
    let hasMoved = false;
    for (const pool of config.get().pools) {
      const labels = [...scrape.taken.keys()].filter((label) => isLabelOf(pool, label));
      const taken = labels.reduce((sum, label) => sum + (scrape.taken.get(label) ?? 0), 0);
      const before = queues.get(pool.id) ?? null;
      const after = nextRunnerQueue(before, { taken, figure: figureOf(scrape, labels), startedAt }, now);
      hasMoved ||= after.told?.at !== before?.told?.at;
      queues.set(pool.id, after);
    }
    return hasMoved;
  }

  async function look(): Promise<void> {
    const url = config.get().settings.runnerMetrics;
    if (url === null) return;
    try {
      const scrape = await runner.scrape(url, clock.timeout(ANSWER_LIMIT_MS));
      at = clock.now();
      failing = null;
      others = countOthers(scrape);
      bounds = boundsOf(scrape, config.get().pools);
      isOld = scrape.taken.size > 0 && scrape.queueSize.size === 0;
      if (read(scrape, at)) changed();
    } catch (error) {
      failing = messageOf(error);
      others = 0;
      bounds = null;
    }
  }

  return {
    look,
    async run(signal) {
      while (!signal.aborted) {
        await look();
        await clock.sleep(LOOK_EVERY_MS, signal);
      }
    },
    group(pool, now) {
      const queue = queues.get(pool);
      const count = queue === undefined ? 0 : Math.min(MOST_JOBS, waitingIn(queue, now));
      const observedAt = queue?.told?.at ?? null;
      if (count === 0 || observedAt === null) return null;
      return { pools: [pool], observedAt, held: false, queuedAt: Array<EpochMs>(count).fill(observedAt) };
    },
    told: (pool) => queues.get(pool)?.told ?? null,
    otherJobs: () => others,
    bounds: () => bounds,
    state: () => ({ at, failing: failing ?? (isOld ? TOO_OLD : null) }),
    serves() {
      if (config.get().settings.runnerMetrics === null || failing !== null || isOld) return false;
      return at === null ? null : true;
    },
  };
}
