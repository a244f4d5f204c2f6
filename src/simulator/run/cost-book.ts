// What a world cost: every instance with the time it was paid for, by looking at EC2 often enough that none is missed. It knows
// no policy, so that two policies are billed alike. Prices are the world's own: a model, good to compare, never to bill.
import { TAG } from '../../domain/instance.ts';
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import type { SimInstance } from '../../sim/instance.ts';
import { instanceType } from '../../sim/instance-types.ts';
import type { World } from '../../sim/world.ts';

/** EC2 lists an ended instance for an hour: a look each ten minutes misses none. */
export const LOOK_EVERY_MS: DurationMs = 10 * MINUTE_MS;
/** EC2 bills by the second, a minute at least (EC2 on-demand pricing). */
const LEAST_MS: DurationMs = MINUTE_MS;

/** What the machines of one pool in one market cost. `pool` is null for those without the tag. */
export type CostShare = {
  pool: string | null;
  market: SimInstance['market'];
  machineMs: DurationMs;
  costUsd: number;
};

export type CostSum = {
  machines: number;
  machineMs: DurationMs;
  costUsd: number;
  interruptions: number;
  shares: readonly CostShare[];
};

export type CostBook = {
  /** To be called each `LOOK_EVERY_MS` and at the end. */
  look(): void;
  /** Up to `now`; instances that still run count until then. */
  sum(now: EpochMs): CostSum;
  /** USD an hour of what runs now. */
  rate(): number;
};

/** USD an hour of an instance by the world's prices now. */
function hourly(world: World, { type, zone, market }: SimInstance): number {
  const known = instanceType(type);
  if (known === null) return 0;
  return market === 'spot' ? world.prices.of(known, zone) : known.hourlyUsd;
}

/** The book of one world. */
export function createCostBook(world: World): CostBook {
  const known = new Map<string, { instance: SimInstance; usd: number }>();
  const look = () => {
    for (const instance of world.instances()) {
      if (!known.has(instance.id)) known.set(instance.id, { instance, usd: hourly(world, instance) });
    }
  };
  return {
    look,
    sum(now) {
      look();
      let [machineMs, costUsd, interruptions] = [0, 0, 0];
      const shares = new Map<string, CostShare>();
      for (const { instance, usd } of known.values()) {
        const { market, tags } = instance;
        const pool = tags.get(TAG.pool) ?? null;
        const ms = (instance.endingAt ?? now) - instance.launchedAt;
        const cost = (Math.max(LEAST_MS, ms) / HOUR_MS) * usd;
        machineMs += ms;
        costUsd += cost;
        const key = `${pool}:${market}`;
        const share = shares.get(key) ?? { pool, market, machineMs: 0, costUsd: 0 };
        share.machineMs += ms;
        share.costUsd += cost;
        shares.set(key, share);
        if (instance.stateReason?.code === 'Server.SpotInstanceTermination') interruptions += 1;
      }
      return { machines: known.size, machineMs, costUsd, interruptions, shares: [...shares.values()] };
    },
    rate() {
      let usd = 0;
      for (const instance of world.instances())
        if (instance.endingAt === null) usd += hourly(world, instance);
      return usd;
    },
  };
}
