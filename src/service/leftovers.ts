// Things in EC2 that outlived their use and carry this manager's tags: volumes without an instance, open spot requests of
// settled launches, a launch template that no pool needs. Looked for soon after the start and every few minutes, removed
// at the second look that finds them; what cannot be removed is tried again for ever, ever more rarely.
// Trap: another manager's are never touched, whatever they look like; a listing that failed says nothing.
import type { CloudSite, PoolSpec } from '../domain/config.ts';
import { TAG } from '../domain/instance.ts';
import type { Leftover } from '../domain/leftover.ts';
import { wayFor } from '../domain/offering.ts';
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';

/** The start has better to do with its first EC2 calls. */
const FIRST_LOOK_MS: DurationMs = 30 * SECOND_MS;
/** Leftovers cost cents an hour; three calls a look. */
const LOOK_EVERY_MS: DurationMs = 5 * MINUTE_MS;
/** Two looks apart: what is on its way in or out looks like a leftover for seconds. */
const LOOKS_APART_MS: DurationMs = MINUTE_MS;
/** A removal that keeps failing needs a person; asking more often only costs calls. */
const AGAIN_LONGEST_MS: DurationMs = HOUR_MS;
/** One listing or one removal, all pages. */
const CALL_LIMIT_MS: DurationMs = 60 * SECOND_MS;

type Deps = {
  store: Store;
  config: CurrentConfig;
  cloud: Cloud;
  clock: Clock;
  journal: Journal;
  metrics: Metrics;
  manager: string;
  sites(): readonly CloudSite[];
};

/** One that was seen: when first, when it may be tried next, and what stood in the way. */
type Seen = { leftover: Leftover; at: DurationMs; tries: number; nextAt: DurationMs; failure: string | null };

function usesFleet({ launch }: PoolSpec): boolean {
  const places =
    launch.needs === null ? launch.instanceTypes.length * Math.max(1, launch.subnetIds.length) : 2;
  return wayFor(launch.way, places * launch.markets.length, launch.template !== null) === 'fleet';
}

/** Why a leftover of this manager is still of use; null = it is not. */
export function useOf(
  leftover: Leftover,
  site: string,
  { store, pools }: { store: Store; pools: readonly PoolSpec[] },
): string | null {
  if (leftover.kind === 'volume') return null;
  if (leftover.kind === 'spot-request') {
    const launch = store.launch(leftover.tags[TAG.launch] ?? '');
    return launch?.state === 'intended' ? 'its launch is under way' : null;
  }
  const isNeeded = pools.some((pool) => pool.launch.site.key === site && usesFleet(pool));
  return isNeeded ? 'fleets of a pool are launched with it' : null;
}

export type Leftovers = {
  run(signal: AbortSignal): Promise<void>;
  /** Why one could not be removed so far, by id. */
  failures(): ReadonlyMap<string, string>;
};

/** What was seen and what became of it. */
function createMemory({ clock, journal, metrics }: Pick<Deps, 'clock' | 'journal' | 'metrics'>) {
  const seen = new Map<string, Seen>();
  /** By site: what the last good listing showed. */
  const known = new Map<string, ReadonlySet<string>>();
  return {
    all: () => [...seen.values()],
    isOpen: ({ leftover, tries }: Seen) => seen.has(leftover.id) && tries === 0,
    listed(site: string, leftovers: readonly Leftover[]): Seen[] {
      known.set(site, new Set(leftovers.map(({ id }) => id)));
      return leftovers.map((leftover) => {
        const fresh = { leftover, at: clock.monotonic(), tries: 0, nextAt: 0, failure: null };
        const one = seen.get(leftover.id) ?? fresh;
        seen.set(leftover.id, one);
        return one;
      });
    },
    removed({ leftover: { kind, id, tags } }: Seen): void {
      const text = `${kind} ${id} had outlived its use and was removed`;
      journal({ code: 'leftover-removed', pool: tags[TAG.pool] ?? null, text, detail: { kind, id } });
      seen.delete(id);
    },
    failed(one: Seen, failure: string): void {
      const { kind, id, tags } = one.leftover;
      const pool = tags[TAG.pool] ?? null;
      const text = `${kind} ${id} cannot be removed: ${failure}`;
      if (one.failure === null)
        journal({ code: 'leftover-failed', level: 'warn', pool, text, detail: { kind, id } });
      one.failure = failure;
      one.tries += 1;
      const waitMs = Math.min(AGAIN_LONGEST_MS, LOOKS_APART_MS * 2 ** Math.min(one.tries, 10));
      one.nextAt = clock.monotonic() + waitMs;
    },
    /** Forgets what no listing shows any more, and counts the rest. */
    settle(): void {
      const standing = new Set([...known.values()].flatMap((ids) => [...ids]));
      for (const id of seen.keys()) if (!standing.has(id)) seen.delete(id);
      const all = [...seen.values()];
      for (const kind of ['volume', 'spot-request', 'launch-template'] as const)
        metrics.leftovers(kind, all.filter(({ leftover }) => leftover.kind === kind).length);
      metrics.leftoversStuck(all.filter(({ failure }) => failure !== null).length);
    },
  };
}

/** The watch over one manager's leftovers. */
export function createLeftovers(deps: Deps): Leftovers {
  const { store, config, cloud, clock } = deps;
  const memory = createMemory(deps);

  function isMine(leftover: Leftover, site: string): boolean {
    if (leftover.tags[TAG.manager] !== deps.manager) return false;
    return useOf(leftover, site, { store, pools: config.get().pools }) === null;
  }

  async function removeDue(site: CloudSite, found: readonly Seen[], signal: AbortSignal): Promise<void> {
    const now = clock.monotonic();
    const due = found.filter((one) => now - one.at >= LOOKS_APART_MS && one.nextAt <= now);
    if (due.length === 0) return;
    const limit = clock.timeout(CALL_LIMIT_MS, signal);
    const answers = await cloud.removeLeftovers(
      site,
      due.map(({ leftover }) => leftover),
      limit,
    );
    if (signal.aborted) return;
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    for (const one of due) {
      const answer = byId.get(one.leftover.id);
      if (answer?.kind === 'done') memory.removed(one);
      else {
        const { code, message } = answer?.outcome ?? { code: 'unknown', message: 'no answer' };
        memory.failed(one, `${code}: ${message}`);
      }
    }
  }

  /** True: some wait for their second look. */
  async function look(site: CloudSite, signal: AbortSignal): Promise<boolean> {
    const { owner } = config.get().settings;
    const listed = await cloud.listLeftovers(site, owner, clock.timeout(CALL_LIMIT_MS, signal));
    const found = memory.listed(
      site.key,
      listed.filter((leftover) => isMine(leftover, site.key)),
    );
    await removeDue(site, found, signal);
    return found.some((one) => memory.isOpen(one));
  }

  return {
    failures: () =>
      new Map(
        memory.all().flatMap(({ leftover, failure }) => (failure === null ? [] : [[leftover.id, failure]])),
      ),
    async run(signal) {
      let waitMs = FIRST_LOOK_MS;
      while (!signal.aborted) {
        await clock.sleep(waitMs, signal);
        if (signal.aborted) return;
        waitMs = LOOK_EVERY_MS;
        for (const site of deps.sites()) {
          // A listing that fails is tried at the next look; what is known stays.
          const isWaiting = await look(site, signal).catch(() => false);
          if (isWaiting) waitMs = LOOKS_APART_MS;
        }
        memory.settle();
      }
    },
  };
}
