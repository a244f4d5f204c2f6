// What a world's machines and calls came to, whatever policy ran them: machine-seconds from launch to end, the seconds of
// them in which a job was on the machine, cost by the price of the offering, EC2 calls by name. Good to compare, never to
// bill.
// Trap: EC2 forgets an ended instance after an hour; `look` must come more often than that, and once at the end.
import type { SimInstance } from './instance.ts';
import { instanceType } from './instance-types.ts';
import type { SpotPrices } from './spot-prices.ts';

/** Per-second billing with a minute at least (EC2's on-demand pricing page). */
const LEAST_BILLED_MS = 60_000;
const HOUR_MS = 3_600_000;

export type LedgerTotals = {
  machines: number;
  machineSeconds: number;
  /** With at least one job on it. */
  busySeconds: number;
  /** All others: booting, waiting, ending. */
  idleSeconds: number;
  costUsd: number;
  calls: number;
  callsByAction: Readonly<Record<string, number>>;
  /** Spot machines that EC2 took back. */
  interruptions: number;
};

export type Ledger = {
  /** Takes down all instances that EC2 lists. */
  look(instances: Iterable<SimInstance>): void;
  call(action: string): void;
  /** A job is on that instance from now on; more than one at a time count once. */
  jobBegan(instance: string): void;
  jobEnded(instance: string): void;
  /** From launch to now, or to its end. */
  totals(): LedgerTotals;
  /** USD an hour of the instances that run at the last look. */
  rate(): number;
};

/** After that time EC2 lists an ended instance no more: its account can be closed. */
const CLOSED_AFTER_MS = 2 * HOUR_MS;

type Account = { instance: SimInstance; usdPerHour: number };
type Work = { jobs: number; since: number; busyMs: number };

/** `prices`: the world's spot prices; a machine pays what was asked at its launch. */
export function createLedger(now: () => number, prices: Pick<SpotPrices, 'of'>): Ledger {
  const accounts = new Map<string, Account>();
  const work = new Map<string, Work>();
  const calls = new Map<string, number>();

  const hourly = ({ type, zone, market }: SimInstance): number => {
    const known = instanceType(type);
    if (known === null) return 0;
    return market === 'spot' ? prices.of(known, zone) : known.hourlyUsd;
  };

  const livedMs = ({ launchedAt, endingAt }: SimInstance): number => (endingAt ?? now()) - launchedAt;

  /** Jobs on a machine that has ended kept it busy until then. */
  const busyMsOf = (instance: SimInstance): number => {
    const done = work.get(instance.id);
    if (done === undefined) return 0;
    const open = done.jobs > 0 ? Math.max(0, (instance.endingAt ?? now()) - done.since) : 0;
    return Math.min(done.busyMs + open, livedMs(instance));
  };

  const closed = { machines: 0, machineMs: 0, busyMs: 0, costUsd: 0, interruptions: 0 };
  const add = (sums: typeof closed, { instance, usdPerHour }: Account): void => {
    const ms = livedMs(instance);
    sums.machines += 1;
    sums.machineMs += ms;
    sums.busyMs += busyMsOf(instance);
    sums.costUsd += (Math.max(LEAST_BILLED_MS, ms) / HOUR_MS) * usdPerHour;
    if (instance.stateReason?.code === 'Server.SpotInstanceTermination') sums.interruptions += 1;
  };

  /** Runs over many days would keep every machine of theirs otherwise. */
  const closeOld = (): void => {
    for (const [id, account] of accounts) {
      const { terminatedAt } = account.instance;
      if (terminatedAt === null || now() - terminatedAt < CLOSED_AFTER_MS) continue;
      add(closed, account);
      accounts.delete(id);
      work.delete(id);
    }
  };

  return {
    look(instances) {
      closeOld();
      for (const instance of instances) {
        if (accounts.has(instance.id)) continue;
        accounts.set(instance.id, { instance, usdPerHour: hourly(instance) });
      }
    },
    call(action) {
      calls.set(action, (calls.get(action) ?? 0) + 1);
    },
    jobBegan(id) {
      const own = work.get(id) ?? { jobs: 0, since: 0, busyMs: 0 };
      if (own.jobs === 0) own.since = now();
      own.jobs += 1;
      work.set(id, own);
    },
    jobEnded(id) {
      const own = work.get(id);
      if (own === undefined || own.jobs === 0) return;
      own.jobs -= 1;
      if (own.jobs === 0) own.busyMs += now() - own.since;
    },
    totals() {
      const sums = { ...closed };
      for (const account of accounts.values()) add(sums, account);
      return {
        machines: sums.machines,
        machineSeconds: sums.machineMs / 1_000,
        busySeconds: sums.busyMs / 1_000,
        idleSeconds: (sums.machineMs - sums.busyMs) / 1_000,
        costUsd: sums.costUsd,
        calls: [...calls.values()].reduce((sum, count) => sum + count, 0),
        callsByAction: Object.fromEntries(calls),
        interruptions: sums.interruptions,
      };
    },
    rate() {
      let usd = 0;
      for (const { instance, usdPerHour } of accounts.values()) {
        if (instance.endingAt === null) usd += usdPerHour;
      }
      return usd;
    },
  };
}
