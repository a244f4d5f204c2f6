// The loop: wake, observe, plan, check, act, explain, sleep. One tick at a time; a wake-up carries no data.
// Traps: a plan that breaks a rule is dropped whole, not mended; a tick that throws must not end the loop, but a loop
// that keeps failing must show (healthz turns red by `lastTickAt`).
import { messageOf } from '../domain/error.ts';
import type { Plan } from '../domain/plan.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import { breaches } from '../planner/check.ts';
import { planTick } from '../planner/plan.ts';
import type { Clock } from '../ports/clock.ts';
import type { Keys } from '../ports/keys.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Random } from '../ports/random.ts';
import type { Actor } from './act.ts';
import { createBurstWait } from './burst-wait.ts';
import type { Explainer } from './explain.ts';
import type { Observer } from './observe.ts';

/** A quiet pool is looked at this often: listings are behind the loop, so a tick costs no call by itself. */
const TICK_EVERY_MS: DurationMs = 5 * SECOND_MS;
/** Not more often than this, whatever wakes it. */
const TICK_FLOOR_MS: DurationMs = 50;
/** Growing pause after ticks that threw. */
const FAILED_PAUSES_MS: readonly DurationMs[] = [1_000, 2_000, 5_000, 10_000, 30_000];
/** Machine rows that ended are kept this long, for `machines` and late questions; events keep the rest. */
const GONE_KEPT_MS: DurationMs = 600 * SECOND_MS;

export type Loop = {
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Look again now. */
  nudge(): void;
  /** A create came: look again once the burst is over. */
  nudgeForDemand(): void;
  /** `quietMs`: how long the last tick, or the start before it, lies back. */
  state(): { lastTickAt: EpochMs | null; ticks: number; failures: number; quietMs: DurationMs };
};

type LoopDeps = {
  observer: Observer;
  actor: Actor;
  explainer: Explainer;
  clock: Clock;
  random: Random;
  keys: Keys;
  log: Log;
  metrics: Metrics;
  /** How many pools there are. */
  pools(): number;
  dropGone(before: EpochMs): void;
};

/** The loop of one daemon. */
export function createLoop(deps: LoopDeps): Loop {
  const { clock, log, metrics } = deps;
  const make = { machineId: () => `m-${deps.random.id(10)}`, token: () => deps.keys.token() };
  let orphans: ReadonlyMap<string, EpochMs> = new Map();
  let wake = new AbortController();
  const burst = createBurstWait(clock, deps.pools);
  let gather = new AbortController();
  let lastTickAt: EpochMs | null = null;
  let tickedAt = clock.monotonic();
  let ticks = 0;
  let failures = 0;

  async function tick(): Promise<Plan> {
    const begun = clock.monotonic();
    const observation = deps.observer.observe(orphans);
    const plan = planTick(observation, make);
    const broken = breaches(observation, plan);
    if (broken.length > 0)
      throw new Error(`the plan breaks a rule and was dropped: ${broken.slice(0, 5).join('; ')}`);
    orphans = plan.orphans;
    await deps.actor.act(plan);
    deps.explainer.explain(observation, plan);
    deps.dropGone(observation.now - GONE_KEPT_MS);
    metrics.tick(clock.monotonic() - begun, observation.now);
    return plan;
  }

  /** A burst of creates becomes one launch: wait until it is quiet, or long enough. */
  async function awaitBurst(signal: AbortSignal): Promise<void> {
    for (let left = burst.left(); left > 0 && !signal.aborted; left = burst.left()) {
      gather = new AbortController();
      await clock.sleep(left, gather.signal);
    }
    burst.over();
  }

  async function tickSafely(): Promise<DurationMs> {
    try {
      const plan = await tick();
      lastTickAt = clock.now();
      tickedAt = clock.monotonic();
      ticks++;
      failures = 0;
      return Math.min(Math.max(plan.wakeAt - clock.now(), TICK_FLOOR_MS), TICK_EVERY_MS);
    } catch (error) {
      metrics.tickFailed();
      const pause = FAILED_PAUSES_MS[Math.min(failures, FAILED_PAUSES_MS.length - 1)] ?? TICK_EVERY_MS;
      failures++;
      log.error('a tick failed', { error: messageOf(error), failures, next_ms: pause });
      return pause;
    }
  }

  // With a reason of its own: the default one is an exception with a stack, made at each wake-up.
  const nudge = () => wake.abort('woken');

  return {
    nudge,
    nudgeForDemand() {
      if (burst.came()) gather.abort('full');
      nudge();
    },
    state: () => ({ lastTickAt, ticks, failures, quietMs: clock.monotonic() - tickedAt }),
    async run(signal) {
      // One listener for the loop's life, in place of a combined signal at each tick.
      signal.addEventListener('abort', () => {
        gather.abort('stopped');
        nudge();
      });
      while (!signal.aborted) {
        await awaitBurst(signal);
        wake = new AbortController();
        const pause = await tickSafely();
        await clock.sleep(TICK_FLOOR_MS, signal);
        if (!signal.aborted) await clock.sleep(pause, wake.signal);
      }
    },
  };
}
