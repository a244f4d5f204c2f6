// Which market a machine comes from: spot, or on demand by the pool's rule (`on_demand`), and why in words.
// Trap: `when-short` is for jobs that have waited long enough; idle machines never come on demand by it.
import type { OnDemandRule } from '../domain/config.ts';
import type { Market } from '../domain/instance.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import { isCounted } from './count-pool.ts';
import type { PoolDraft, Slot } from './draft.ts';
import type { Lane } from './lanes.ts';

/** Machines of a pool by market, this tick's orders included. */
export type Mix = { spot: number; onDemand: number };

/** What stands of a pool now. */
export function mixOf(slots: readonly Slot[]): Mix {
  const standing = slots.filter(isCounted);
  const spot = standing.filter(({ machine }) => machine.offering.market === 'spot').length;
  return { spot, onDemand: standing.length - spot };
}

/** Whether the rule wants the next machine of the pool on demand, however spot stands. */
export function wantsOnDemand(rule: OnDemandRule, { spot, onDemand }: Mix): boolean {
  if (rule.kind === 'base') return onDemand < rule.count;
  if (rule.kind !== 'share') return false;
  return onDemand < Math.ceil((rule.percent / 100) * (spot + onDemand + 1));
}

/** Machines on demand beyond what the rule always wants: they end before spot ones, to be spot again. */
export function beyondRule(rule: OnDemandRule, mix: Mix): number {
  if (rule.kind === 'base') return Math.max(0, mix.onDemand - rule.count);
  if (rule.kind === 'share')
    return Math.max(0, mix.onDemand - Math.ceil((rule.percent / 100) * (mix.spot + mix.onDemand)));
  return mix.onDemand;
}

/**
 * What comes on top of a boot: the tick, EC2's answer to a launch (2 to 5 s, docs/ec2.md), making a Docker host of it. The
 * launch goes out so much earlier, so that a job starts a boot after `fallback_after` and no later.
 */
const LEAD_MS: DurationMs = 6 * SECOND_MS;

/** When a need of that age may be met on demand; null = never by its age. Half of the wait at least is kept for spot. */
export function fallbackAt({ spec }: PoolDraft, since: EpochMs): EpochMs | null {
  const { onDemand, fallbackAfterMs } = spec;
  if (onDemand.kind !== 'when-short') return null;
  return since + Math.max(fallbackAfterMs / 2, fallbackAfterMs - LEAD_MS);
}

/** Markets of the next machine, the first choice first. */
export function marketsFor(pool: PoolDraft, mix: Mix): readonly Market[] {
  const { markets } = pool.spec.launch;
  if (markets.length < 2) return markets;
  return wantsOnDemand(pool.spec.onDemand, mix) ? ['on-demand'] : ['spot'];
}

/** Why this lane, in a few words for `explain`. */
export function whyLane(pool: PoolDraft, lane: Lane): string {
  const { onDemand } = pool.spec;
  const isMixed = pool.spec.launch.markets.length > 1;
  const words: string[] = [];
  if (isMixed && lane.market === 'on-demand')
    words.push(onDemand.kind === 'when-short' ? 'spot was short for fallback_after' : 'on_demand wants it');
  const count = lane.places?.length ?? 1;
  if (lane.gate.kind === 'probe') words.push(`a probe after ${lane.gate.rest.outcome.code}`);
  else if (lane.of === 1) words.push('the only place');
  else if (count === 1) words.push(`the first that is free of ${lane.of} places`);
  else words.push(`EC2 chooses among ${count} of ${lane.of} places`);
  return words.join('; ');
}
