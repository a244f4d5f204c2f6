// When and how often things go wrong in one run: a clock of its own for each fault, a counter of what really happened. What a
// fault does stands in fault-acts.ts. Faults of calls come in storms besides their usual rate: what breaks EC2 once often
// breaks the next call too, and only then two failures meet in one launch.
// Trap: a fault counts as fired only when it hit something; a reclaim in an empty pool is none.
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import { createSeeded, hashOf, type Seeded } from '../../sim/seeded.ts';
import type { Timeline } from '../../sim/timeline.ts';
import { type FaultName, faultNames, faults } from './fault-names.ts';

/** Between two storms, how long one lasts at most, and how much more often calls fail in it. */
const STORM_EVERY_MS: DurationMs = 1.5 * HOUR_MS;
const STORM_MS: DurationMs = 4 * MINUTE_MS;
const STORM_FACTOR = 12;

export type FaultPlan = {
  /** Draws whether a fault that rides on something hits now; counts it. */
  hits(name: FaultName): boolean;
  random(name: FaultName): Seeded;
  fired(): Readonly<Record<string, number>>;
  count(name: FaultName): void;
  /** Moments from now until `until`: `act` returns whether it hit something. */
  schedule(timeline: Timeline, until: EpochMs, act: (name: FaultName) => boolean): void;
  /** Nothing goes wrong from now on. */
  stop(): void;
};

/** Whether a storm of failing calls is on; storms have a clock of their own. */
function createStorms(random: Seeded, start: EpochMs): (now: EpochMs) => boolean {
  const gap = () => -Math.log(1 - random.float()) * STORM_EVERY_MS;
  let from = start + gap();
  let until = from + random.float() * STORM_MS;
  return (now) => {
    while (now >= until) {
      from = until + gap();
      until = from + random.float() * STORM_MS;
    }
    return now >= from;
  };
}

/** The plan of one seed with these faults. */
export function createFaultPlan(order: {
  seed: number;
  names: readonly FaultName[];
  start: EpochMs;
  now(): EpochMs;
}): FaultPlan {
  const { seed, names, now } = order;
  const isStormy = createStorms(createSeeded(seed * 7919 + 17), order.start);
  const sources = new Map<FaultName, Seeded>(
    faultNames.map((name) => [name, createSeeded(seed * 7919 + (hashOf(name) % 1_000_003))]),
  );
  const counts: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  const isOn = new Set(names);
  let isOver = false;
  const random = (name: FaultName) => sources.get(name) as Seeded;
  const count = (name: FaultName) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  return {
    random,
    count,
    fired: () => counts,
    stop() {
      isOver = true;
    },
    hits(name) {
      const { rate } = faults[name] as { rate?: number };
      if (isOver || !isOn.has(name) || rate === undefined) return false;
      const factor = name.startsWith('ec2-') && isStormy(now()) ? STORM_FACTOR : 1;
      if (random(name).float() >= rate * factor) return false;
      count(name);
      return true;
    },
    schedule(timeline, until, act) {
      for (const name of names) {
        const { mean } = faults[name] as { mean?: number };
        if (mean === undefined) continue;
        const next = () => {
          const waitMs = -Math.log(1 - random(name).float()) * mean;
          if (timeline.now() + waitMs >= until) return;
          timeline.after(waitMs, () => {
            if (isOver) return;
            if (act(name)) count(name);
            next();
          });
        };
        next();
      }
    },
  };
}
