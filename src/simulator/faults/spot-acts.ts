// What the spot market does to a stage: it takes machines back, advises to leave them, moves its prices; the account's quota
// shrinks. True when it hit something.
import { type DurationMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import { instanceType } from '../../sim/instance-types.ts';
import type { Seeded } from '../../sim/seeded.ts';
import { NOTICE_MS } from '../../sim/unasked-ends.ts';
import type { Stage } from '../run/stage.ts';

export type Places = readonly { type: string; zone: string }[];

const between = (random: Seeded, from: DurationMs, to: DurationMs) => from + (to - from) * random.float();

function runningSpot({ world }: Stage) {
  return world.instances().filter(({ market, state }) => market === 'spot' && state === 'running');
}

/** EC2 takes three of ten back after its notice. */
export function reclaim(stage: Stage, random: Seeded): boolean {
  const taken = runningSpot(stage).filter(() => random.float() < 0.3);
  const region = (zone: string) => stage.world.region(zone.slice(0, -1));
  return (
    taken.filter((instance) => region(instance.zone).unaskedEnds.reclaim(instance, NOTICE_MS)).length > 0
  );
}

/** EC2 advises to leave half of them. */
export function advise(stage: Stage, random: Seeded): boolean {
  const told = runningSpot(stage).filter(() => random.float() < 0.5);
  const region = (zone: string) => stage.world.region(zone.slice(0, -1));
  return told.filter((instance) => region(instance.zone).unaskedEnds.advise(instance)).length > 0;
}

/** Some prices rise, up to what an instance costs on demand. */
export function movePrices({ world, timeline }: Stage, random: Seeded, places: Places): boolean {
  const moved = places.filter(() => random.float() < 0.5);
  for (const place of moved) {
    const type = instanceType(place.type);
    if (type !== null) world.prices.set(place, Number((type.hourlyUsd * between(random, 0.4, 1)).toFixed(4)));
  }
  timeline.after(between(random, 10 * MINUTE_MS, HOUR_MS), () => {
    for (const place of moved) world.prices.set(place, null);
  });
  return moved.length > 0;
}

/** The account's spot quota is a few machines for a while. */
export function shrinkQuota({ world, timeline }: Stage, random: Seeded): boolean {
  const quota = { market: 'spot', class: 'standard' } as const;
  world.quotas.set(quota, Math.floor(between(random, 4, 32)));
  timeline.after(between(random, 5 * MINUTE_MS, 40 * MINUTE_MS), () => world.quotas.set(quota, null));
  return true;
}

/** As it was before. */
export function calmMarket({ world }: Stage, places: Places): void {
  for (const place of places) world.prices.set(place, null);
  world.quotas.set({ market: 'spot', class: 'standard' }, null);
}
