// The way of one call to the world's EC2 and back: it takes EC2's time, something may go wrong with it on purpose, and its
// process may die meanwhile. Must not know what is asked.
// Trap: a call that was sent happens, also when its process has died or its answer is lost.
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import { Ec2Error } from '../../sim/ec2-error.ts';
import type { Call, Region } from '../../sim/region.ts';
import type { Seeded } from '../../sim/seeded.ts';
import type { NetworkLine } from './network-line.ts';

/** What goes wrong with one call on purpose; null = nothing. */
export type CallTrouble = 'failed' | 'throttled' | 'lost-answer' | 'duplicated' | 'slow' | null;

export type WireHooks = {
  /** Asked once a call, in the order of the calls. */
  trouble(action: string): CallTrouble;
  /** A call has reached EC2 (`ok`), was refused there for its rate or on purpose, or was refused otherwise. */
  onCall(action: string, answer: 'ok' | 'throttled' | 'refused'): void;
};

export type SimWire = {
  /** Sends one call. Rejects with EC2's error, with the signal's reason, or as a broken connection does. */
  ask<T>(call: WireCall, work: (region: Region) => T): Promise<T>;
};

export type WireCall = Pick<Call, 'action'> & Partial<Call> & { signal: AbortSignal };

/** From and to; facts/ec2.md: launches answer within 2 to 5 s, everything else in tenths of a second. */
const LATENCY: Readonly<Record<string, readonly [DurationMs, DurationMs]>> = {
  RunInstances: [1_500, 4_000],
  CreateFleet: [1_500, 4_000],
  RequestSpotInstances: [500, 1_500],
  TerminateInstances: [300, 900],
};
const USUAL_LATENCY: readonly [DurationMs, DurationMs] = [80, 300];
/** A slow call takes this much longer: from annoying to beyond every limit. */
const SLOW_MS: readonly [DurationMs, DurationMs] = [5 * SECOND_MS, 70 * SECOND_MS];

const isThrottle = (error: unknown) =>
  error instanceof Ec2Error && /^(RequestLimitExceeded|EC2ThrottledException)$/.test(error.code);

/** The wire between one process and one region. */
export function createSimWire(
  parts: WireHooks & { line: NetworkLine; random: Seeded; region: Region },
): SimWire {
  const { line, random, region, trouble, onCall } = parts;
  const between = ([from, to]: readonly [number, number]) => from + (to - from) * random.float();

  /** One arrival at EC2. */
  function arrive<T>(call: Call, isStruck: boolean, what: (region: Region) => T): T {
    try {
      region.admit(call);
      if (isStruck) throw new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.');
      const answer = what(region);
      onCall(call.action, 'ok');
      return answer;
    } catch (error) {
      onCall(call.action, isThrottle(error) && !isStruck ? 'throttled' : 'refused');
      throw error;
    }
  }

  function work<T>(call: Call, wrong: CallTrouble, what: (region: Region) => T): T {
    if (wrong === 'failed') throw new Ec2Error('InternalError', 'An internal error has occurred');
    const answer = arrive(call, wrong === 'throttled', what);
    return wrong === 'duplicated' ? arrive(call, false, what) : answer;
  }

  return {
    async ask({ action, narrowed = true, dryRun = false, signal }, what) {
      const wrong = trouble(action);
      const legMs =
        between(LATENCY[action] ?? USUAL_LATENCY) / 2 + (wrong === 'slow' ? between(SLOW_MS) / 2 : 0);
      const call = { action, narrowed, dryRun };
      const answer = await line.ask({
        what: action,
        thereMs: legMs,
        backMs: legMs,
        signal,
        work: () => work(call, wrong, what),
      });
      if (wrong === 'lost-answer') throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      return answer;
    },
  };
}
