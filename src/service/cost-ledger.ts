// The ledger of what machines cost: follows each one from its start to its end, and writes an entry whenever its use changes
// (and each hour, so that reports are fresh and prices follow the market). Sums for reports and for metrics.
// Trap: entries of a machine must follow each other, also over a restart: the last one that is stored says where to go on.
import type { CostReply, CostRowReply } from '../contract/api.ts';
import {
  type CostEntry,
  type CostGroup,
  type CostJob,
  type CostRow,
  type CostUse,
  costOfStretch,
  reportCosts,
} from '../domain/cost.ts';
import { offeringKey } from '../domain/instance.ts';
import { isBusy, type JobSeen, type Lease } from '../domain/lease.ts';
import { isComing, type Machine } from '../domain/machine.ts';
import { type DurationMs, type EpochMs, HOUR_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import { isBilled, type PriceBook } from './price-book.ts';
import { isoTime } from './replies.ts';

/** Jobs begin and end in seconds; the ledger is right to this grain. */
const LOOK_MS: DurationMs = 5 * SECOND_MS;
/** Longest stretch in one entry. */
const ENTRY_MS: DurationMs = HOUR_MS;
/** How far back a start looks for the last entry of machines that stand: max_machine_life is a day unless told otherwise. */
const TAKE_UP_MS: DurationMs = 48 * HOUR_MS;

type Deps = { store: Store; config: CurrentConfig; clock: Clock; metrics: Metrics; prices: PriceBook };

/** What a machine is used for now. The job's name comes with its first container; until then it has none. */
type Use = { use: CostUse; lease: string | null; job: JobSeen | null };

/** A stretch that is not over: what it is for, and since when. */
type Open = Use & { from: EpochMs; machine: Machine };

function jobOf(job: JobSeen | null): CostJob | null {
  if (job === null) return null;
  return { id: job.id, url: job.url, project: job.project ?? null, pipeline: job.pipeline ?? null };
}

function useOf(machine: Machine, lease: Lease | null, now: EpochMs): Use {
  if (isComing(machine)) return { use: 'boot', lease: null, job: null };
  if (lease === null) return { use: 'idle', lease: null, job: null };
  if (!isBusy(lease, now)) return { use: 'held', lease: lease.name, job: null };
  // Between `url` and its first container the job seen last is another one.
  return { use: 'job', lease: lease.name, job: lease.containers > 0 ? (lease.jobs.at(-1) ?? null) : null };
}

function isSame(a: Use, b: Use): boolean {
  return a.use === b.use && a.lease === b.lease && a.job?.id === b.job?.id;
}

/** Sums of products are no better than that; more digits only look exact. */
const rounded = (value: number) => Math.round(value * 1e6) / 1e6;

function rowReply(row: CostRow): CostRowReply {
  return {
    key: row.key,
    url: row.url,
    usd: rounded(row.usd),
    on_demand_usd: rounded(row.onDemandUsd),
    saved_usd: rounded(row.savedUsd),
    hours: rounded(row.hours),
    job_hours: rounded(row.jobHours),
    unpriced_hours: rounded(row.unpricedHours),
    idle_share: rounded(row.idleShare),
    machines: row.machines,
    jobs: row.jobs,
  };
}

export type CostLedger = {
  run(signal: AbortSignal): Promise<void>;
  report(by: CostGroup, since: EpochMs): CostReply;
};

/** Entries out of stretches. */
function createPricer({ prices }: Pick<Deps, 'prices'>) {
  return (open: Open, until: EpochMs, isLast: boolean): CostEntry => {
    const { machine, from, use, lease, job } = open;
    const { offering, site, id, pool, createdAt } = machine;
    const stretch = { ms: until - from, lived: until - createdAt, isLast };
    const rate = prices.priceOf(site, offering)?.usdPerHour ?? null;
    const onDemand = prices.priceOf(site, { ...offering, market: 'on-demand' })?.usdPerHour ?? null;
    const usd = costOfStretch(rate, stretch);
    const onDemandUsd = costOfStretch(onDemand, stretch);
    return { from, until, pool, machine: id, lease, use, job: jobOf(job), offering, usd, onDemandUsd };
  };
}

/** What stands now, by pool. Thousands stand at few prices: each is looked up once. */
function tellRunning({ config, metrics, prices }: Deps, standing: readonly Machine[]): void {
  const rates = new Map<string, { paid: number | null; onDemand: number | null }>();
  const rateOf = ({ site, offering }: Machine) => {
    const key = `${site}/${offeringKey(offering)}`;
    const known = rates.get(key);
    if (known !== undefined) return known;
    const paid = prices.priceOf(site, offering)?.usdPerHour ?? null;
    const onDemand = prices.priceOf(site, { ...offering, market: 'on-demand' })?.usdPerHour ?? null;
    rates.set(key, { paid, onDemand });
    return { paid, onDemand };
  };
  const sums = new Map(
    config.get().pools.map(({ id }) => [id, { usdPerHour: 0, onDemandUsdPerHour: 0, unpriced: 0 }]),
  );
  for (const machine of standing) {
    const sum = sums.get(machine.pool);
    if (sum === undefined) continue;
    const { paid, onDemand } = rateOf(machine);
    sum.usdPerHour += paid ?? 0;
    sum.onDemandUsdPerHour += onDemand ?? 0;
    if (paid === null) sum.unpriced += 1;
  }
  for (const [id, sum] of sums) metrics.running(id, sum);
}

/** The ledger of one daemon. */
export function createCostLedger(deps: Deps): CostLedger {
  const { store, clock, metrics } = deps;
  const open = new Map<string, Open>();
  const entryOf = createPricer(deps);
  let lastUntil: Map<string, EpochMs> | null = null;

  /** Where the entries of a machine that is new to this process ended. */
  function beginOf(machine: Machine): EpochMs {
    lastUntil ??= new Map(
      store.costs(clock.now() - TAKE_UP_MS).map((entry) => [entry.machine, entry.until] as const),
    );
    return lastUntil.get(machine.id) ?? machine.createdAt;
  }

  function close(one: Open, until: EpochMs, isLast: boolean): void {
    if (until <= one.from && !isLast) return;
    const entry = entryOf(one, Math.max(one.from, until), isLast);
    store.addCost(entry);
    if (entry.usd !== null) metrics.cost(entry.pool, entry.use, entry.usd);
  }

  function follow(machine: Machine, now: EpochMs): void {
    const lease = machine.lease === null ? null : store.lease(machine.lease);
    const use = useOf(machine, lease, now);
    const before = open.get(machine.id);
    if (before === undefined) {
      open.set(machine.id, { ...use, machine, from: Math.min(now, beginOf(machine)) });
      return;
    }
    // The stretch is the job's from the start, whose name came later.
    const isNamed = use.use === 'job' && isSame(before, { ...use, job: null });
    if (isNamed) before.job = use.job;
    before.machine = machine;
    if (isSame(before, use) && now - before.from < ENTRY_MS) return;
    close(before, now, false);
    open.set(machine.id, { ...use, machine, from: now });
  }

  /** What ends or changes in one look is written together: hundreds of jobs may end in a few seconds. */
  function look(): void {
    store.transaction(followAll, 'crash');
    tellRunning(
      deps,
      Array.from(open.values(), ({ machine }) => machine),
    );
  }

  function followAll(): void {
    const now = clock.now();
    for (const machine of store.machines()) if (isBilled(machine)) follow(machine, now);
    for (const [id, one] of open) {
      const machine = store.machine(id);
      if (machine !== null && isBilled(machine)) continue;
      close(one, Math.min(now, machine?.endAskedAt ?? machine?.since ?? now), true);
      open.delete(id);
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        look();
        await clock.sleep(LOOK_MS, signal);
      }
      // What runs on is entered up to here; the next start goes on from it.
      const now = clock.now();
      store.transaction(() => {
        for (const one of open.values()) close(one, now, false);
      }, 'crash');
    },
    report(by, since) {
      // What began since the last look counts in.
      look();
      const now = clock.now();
      const running = [...open.values()].map((one) => entryOf(one, Math.max(now, one.from), false));
      const entries = [...store.costs(since), ...running].filter(({ until }) => until >= since);
      const { rows, total } = reportCosts(entries, by);
      return {
        by,
        since: isoTime(since),
        until: isoTime(now),
        rows: rows.map(rowReply),
        total: rowReply(total),
      };
    },
  };
}
