// A stage under the eyes of the checkers: every rule looked at while time runs, everything said and done written down and
// hashed, so that two runs can be compared to the last line.
import { createHash } from 'node:crypto';
import { type EpochMs, MINUTE_MS } from '../../domain/units.ts';
import { isEnded } from '../../sim/gitlab/job.ts';
import { type BreachBook, createBreachBook } from '../checks/breaches.ts';
import { type Checkers, createCheckers } from '../checks/checkers.ts';
import { drive } from '../time/drive.ts';
import { type CostBook, createCostBook, LOOK_EVERY_MS } from './cost-book.ts';
import { createStage, type Stage, type StageHooks, type StageOptions } from './stage.ts';

export type WatchedStage = {
  stage: Stage;
  book: BreachBook;
  costs: CostBook;
  now(): EpochMs;
  /** Adds a line to the run's history. */
  tell(line: string): void;
  /** Runs until `until`, until `isOver` after a minute, or until the first breach. */
  live(until: EpochMs, isOver?: () => boolean): Promise<void>;
  /** Of the whole history so far. */
  hash(): string;
};

/** Hooks that a run brings itself; the checkers have the others. */
type OwnHooks = Omit<Partial<StageHooks>, keyof Checkers>;

/** Sets a stage with all checkers. */
export function createWatchedStage(
  options: Omit<StageOptions, 'hooks'> & { hooks?: OwnHooks; trace?: ((line: string) => void) | undefined },
): WatchedStage {
  const hash = createHash('sha256');
  const now = () => stage.timeline.now();
  const book = createBreachBook(now);
  const checkers = createCheckers(book, () => stage);
  const tell = (line: string) => {
    hash.update(`${now()} ${line}\n`);
    options.trace?.(`${new Date(now()).toISOString()} ${line}`);
  };
  const stage: Stage = createStage({
    ...options,
    hooks: {
      ...options.hooks,
      ...checkers,
      said(level, message, fields) {
        checkers.said(level, message, fields);
        tell(`${level} ${message} ${JSON.stringify(fields)}`);
      },
    },
  });
  stage.gitlab.on(({ job, from }) =>
    tell(`job ${job.id} ${from ?? 'new'} -> ${job.status} ${job.failure ?? ''} ${job.machine ?? ''}`),
  );
  const costs = createCostBook(stage.world);
  let upAt = options.startAt;
  let lookedAt = options.startAt;

  function minute(): void {
    if (!stage.daemon.isUp()) upAt = now();
    checkers.minute(stage.daemon.isUp() && now() - upAt >= MINUTE_MS);
    if (now() - lookedAt < LOOK_EVERY_MS) return;
    costs.look();
    lookedAt = now();
  }

  return {
    stage,
    book,
    costs,
    now,
    tell,
    hash: () => hash.copy().digest('hex'),
    async live(until, isOver = () => false) {
      while (now() < until && book.all().length === 0) {
        await drive(stage.timeline, Math.min(until, now() + MINUTE_MS));
        minute();
        if (isOver()) return;
      }
    },
  };
}

/** Every job has come to an end. */
export function allEnded({ gitlab }: Stage): boolean {
  return [...gitlab.jobs()].every(isEnded);
}

/** Spot requests, volumes and launch templates of ours. */
function thingsLeft(world: Stage['world']): string[] {
  const { templates, volumes } = world.region('eu-central-1');
  const query = { ids: [], filters: [], page: { maxResults: null, nextToken: null } };
  const requests = world.spotRequests().filter(({ state }) => state === 'open');
  return [
    ...requests.map(({ id }) => id),
    ...volumes.describe(query).things.flatMap(({ id, state }) => (state === 'available' ? [id] : [])),
    ...templates.describe({ ...query, names: [] }).things.map(({ id }) => id),
  ];
}

/** What still stands, in words: instances, records, leases, open launches, releases. */
export function leftovers({ world, daemon, folder }: Stage): string[] {
  const { machines, leases, launches } = daemon.disk.tables;
  const alive = world.instances().filter(({ endingAt }) => endingAt === null);
  const rows = [...machines.values()].filter(({ phase }) => phase !== 'gone');
  const open = [...launches.values()].filter(({ state }) => state === 'intended');
  return [
    ...alive.map(({ id }) => id),
    ...rows.map(({ id, phase }) => `${id} ${phase}`),
    ...leases.keys(),
    ...open.map(({ token }) => `launch ${token}`),
    ...folder.released.map(({ name }) => `release ${name}`),
    ...thingsLeft(world),
  ];
}
