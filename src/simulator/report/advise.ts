// The cheapest IdleCount, factor and periods that keep a wait, for recorded jobs: candidates by rule, each one's least count by
// halving, judged by the quick estimate. The simulator proves the result where asked.
// Trap: cost is machine-hours; all candidates have the same jobs and the same price, so only idle hours differ.
import type { IdlePolicy, Schedule } from '../../domain/config.ts';
import { type DurationMs, type EpochMs, HOUR_MS, SECOND_MS } from '../../domain/units.ts';
import type { Arrival } from '../../sim/workload.ts';
import { type Estimate, estimate, spansOf } from './estimate.ts';
import {
  type Batch,
  batchPeriod,
  dailyBatches,
  type Hours,
  officeHours,
  officePeriod,
} from './find-periods.ts';
import { createStageBook } from './stage-book.ts';

export type AdviseOrder = {
  arrivals: readonly Arrival[];
  startAt: EpochMs;
  days: number;
  bootMs: DurationMs;
  waitP95S: number;
  /** 0 = none. */
  limit: number;
};

export type Advice = { schedule: Schedule; estimate: Estimate };
export type Advised = {
  best: Advice | null;
  curve: CurvePoint[];
  /** Every setting that was estimated to its end, in the order of the search. */
  estimates: Estimate[];
  tried: number;
};
/** A point of the curve: the wait, and the cheapest that was found to keep it; null = nothing keeps it. */
export type CurvePoint = { waitP95S: number; advice: Advice | null };

/** SSH, provisioning and EC2's answer beside the boot: as the simulator has them, in the mean. */
const BESIDE_BOOT_MS: DurationMs = 3_500;
/** The runner's next look (3 s apart) and its preparation of a second, as the simulator has them, in the mean. */
const HAND_OVER_MS: DurationMs = 1_700;
/** More idle machines than this for usual jobs: something else is wrong. */
const MOST_IDLE = 128;

const bases = [0, 1, 2, 4, 8];
const idleTimesS = [60, 300, 900];
const factors = [0, 0.5, 1];
const batchShares = [0.6, 0.8, 1];
/** A setting that idles so many times as long as the best so far is of no use to the curve either. */
const GIVEN_UP_AT = 1.3;
/** Of the wait asked for. */
const curveFactors = [0.5, 1, 2, 4];

type Shape = { base: number; idleTimeS: number; factor: number; batchShare: number };

function policyOf(idleCount: number, { idleTimeS, factor }: Shape): IdlePolicy {
  const idleScaleFactor = idleCount > 1 ? factor : 0;
  const idleCountMin = idleScaleFactor > 0 ? Math.ceil(idleCount / 3) : 0;
  return { idleCount, idleCountMin, idleScaleFactor, idleTimeMs: idleTimeS * SECOND_MS };
}

/** Office hours with the count, the rest with the base, or the count at all times where there are no office hours. */
function scheduleOf(
  count: number,
  shape: Shape,
  seen: { hours: Hours | null; batches: readonly Batch[] },
): Schedule {
  const plain = { ...shape, factor: 0 };
  const office = seen.hours === null ? [] : [officePeriod(seen.hours, policyOf(count, shape))];
  const batches = seen.batches.map((batch) =>
    batchPeriod(batch, policyOf(Math.ceil(batch.jobs * shape.batchShare), plain)),
  );
  const base = seen.hours === null ? policyOf(count, shape) : policyOf(Math.min(shape.base, count), plain);
  return { base, periods: [...office, ...batches] };
}

const PLAIN: Shape = { base: 0, idleTimeS: 60, factor: 0, batchShare: 1 };

/** The same sections with values that all differ. */
function distinct({ base, periods }: Schedule): Schedule {
  return {
    base: { ...base, idleCount: 0 },
    periods: periods.map((period, index) => ({ ...period, idleCount: index + 1 })),
  };
}

function shapesOf(seen: { hours: Hours | null; batches: readonly Batch[] }): Shape[] {
  const some = seen.hours === null ? [0] : bases;
  const shares = seen.batches.length === 0 ? [1] : batchShares;
  return some.flatMap((base) =>
    idleTimesS.flatMap((idleTimeS) =>
      factors.flatMap((factor) => shares.map((batchShare) => ({ base, idleTimeS, factor, batchShare }))),
    ),
  );
}

/** The advice for each wait of the curve; the one for `waitP95S` is among them. */
export function advise(order: AdviseOrder): Advised {
  const { arrivals, startAt, days, bootMs, waitP95S, limit } = order;
  const seen = {
    hours: officeHours(arrivals, startAt, days),
    // What comes by itself; later stages come when machines have served the earlier ones.
    batches: dailyBatches(createStageBook(arrivals).firsts, startAt, days),
  };
  const waits = curveFactors.map((factor) => waitP95S * factor);
  const cheapest = new Map<number, Advice>();
  const endMs = days * 24 * HOUR_MS;
  const comesAfterMs = bootMs + BESIDE_BOOT_MS;
  const spans = spansOf(distinct(scheduleOf(1, PLAIN, seen)), startAt, endMs + comesAfterMs);
  const estimates: Estimate[] = [];
  let tried = 0;

  function tryOne(count: number, shape: Shape): Advice {
    tried += 1;
    const schedule = scheduleOf(count, shape, seen);
    const asked = { arrivals, schedule, startAt, endMs, limit, spans };
    const least = cheapest.get(waitP95S)?.estimate.idleHours;
    const bound = least === undefined ? {} : { mostIdleHours: least * GIVEN_UP_AT };
    const times = { comesAfterMs, handOverMs: HAND_OVER_MS };
    const advice = { schedule, estimate: estimate({ ...asked, ...times, ...bound }) };
    if (Number.isFinite(advice.estimate.wait.p95)) estimates.push(advice.estimate);
    for (const wait of waits) {
      const best = cheapest.get(wait);
      const keeps = advice.estimate.wait.p95 <= wait;
      if (keeps && (best === undefined || advice.estimate.idleHours < best.estimate.idleHours))
        cheapest.set(wait, advice);
    }
    return advice;
  }

  const isDear = ({ estimate: { idleHours } }: Advice): boolean =>
    idleHours > (cheapest.get(waitP95S)?.estimate.idleHours ?? Infinity);

  /** The least count that keeps the wait: a larger one waits no longer. Whatever is tried on the way counts too. */
  function halve(shape: Shape): void {
    const bound = Math.min(MOST_IDLE, limit > 0 ? limit : MOST_IDLE);
    let [low, high] = [0, 8];
    for (; high < bound; [low, high] = [high, high * 2]) {
      const advice = tryOne(high, shape);
      if (isDear(advice) || advice.estimate.wait.p95 <= waitP95S) break;
    }
    high = Math.min(high, bound);
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      const advice = tryOne(middle, shape);
      // It costs more already than what another shape needs: no greater count of this one will do better.
      if (isDear(advice)) high = middle;
      else if (advice.estimate.wait.p95 <= waitP95S) high = middle;
      else low = middle;
    }
    if (high <= 1) tryOne(0, shape);
  }

  for (const shape of shapesOf(seen)) halve(shape);
  const curve = waits.map((wait) => ({ waitP95S: wait, advice: cheapest.get(wait) ?? null }));
  return { best: cheapest.get(waitP95S) ?? null, curve, estimates, tried };
}
