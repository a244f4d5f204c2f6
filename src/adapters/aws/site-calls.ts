// The one way a call leaves for EC2 or SSM: token bucket, count, time limit, one attempt, failure as an Outcome.
// Everything above it works with answers and `cloud-refused` errors whose cause is the outcome.
// Trap: a call that waited for its tokens and was then stopped was never sent, and must say so.
import type { CloudSite } from '../../domain/config.ts';
import type { CallBudget } from '../../domain/observation.ts';
import { type Outcome, refusal } from '../../domain/outcome.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { createCallLimits } from './call-limits.ts';
import { outcomeOfError } from './errors.ts';
import { createSdkClients, isSameAccess, type SdkClients, type TimeHeard } from './sdk-clients.ts';

export type CallDeps = {
  clock: Clock;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
  /** After each call: its outcome's kind, or `ok`. */
  onCall: (call: { action: string; outcome: string; ms: DurationMs }) => void;
  /** Makes a site's clients; default: the SDK's over HTTP. */
  clients?: (site: CloudSite, heard: TimeHeard) => Promise<SdkClients>;
};

export type CallOrder = {
  action: string;
  signal: AbortSignal;
  /** Instances that the call launches or ends (EC2's resource tokens). */
  instances?: number;
  /** How long it may wait for tokens before it is refused as throttled. */
  maxWaitMs?: DurationMs;
};

export type SiteCalls = {
  /** Sends one call. Throws `cloud-refused` with the outcome as cause. */
  call<T>(order: CallOrder, send: (clients: SdkClients, signal: AbortSignal) => Promise<T>): Promise<T>;
  /** EC2's clock less ours, in ms, by its last answer; 0 before the first. */
  clockAhead(): DurationMs;
  budget(): CallBudget;
  /** Resource tokens there now. */
  instanceTokens(action: string): number;
  refundInstances(action: string, instances: number): void;
  counts(): ReadonlyMap<string, number>;
  /** Takes over changed credentials or endpoint; buckets and counts stay. */
  use(site: CloudSite): void;
  close(): void;
};

/** Milliseconds a call may wait for its tokens: a page of a listing comes late rather than not at all. */
const MAX_WAIT_MS: DurationMs = 10 * SECOND_MS;

/** Milliseconds for one call with everything: above the sockets' own 30 s, which name the reason better. */
const CALL_LIMIT_MS: DurationMs = 45 * SECOND_MS;

export function createSiteCalls(first: CloudSite, deps: CallDeps): SiteCalls {
  const { clock } = deps;
  const limits = createCallLimits(() => clock.monotonic());
  const counts = new Map<string, number>();
  let site = first;
  let clients: Promise<SdkClients> | null = null;
  let ahead: DurationMs = 0;
  const heard: TimeHeard = (at) => {
    ahead = at - clock.now();
  };

  const load = async (action: string): Promise<SdkClients> => {
    clients ??= deps.clients?.(site, heard) ?? createSdkClients(site, deps.env, heard);
    try {
      return await clients;
    } catch (error) {
      clients = null;
      throw refusal(action, outcomeOfError(error));
    }
  };

  const waitForTokens = async (order: CallOrder): Promise<void> => {
    const { action, instances = 0, maxWaitMs = MAX_WAIT_MS } = order;
    const waitMs = limits.reserve({ action, instances, maxWaitMs });
    if (waitMs === null) throw refusal(action, ownRate(action, maxWaitMs));
    if (waitMs > 0) await clock.sleep(waitMs, order.signal);
    if (order.signal.aborted) throw refusal(action, notSent(action));
  };

  return {
    call: async (order, send) => {
      const { action } = order;
      // Before the tokens: the first load takes longer than tokens take to come back.
      const loaded = await load(action);
      await waitForTokens(order);
      counts.set(action, (counts.get(action) ?? 0) + 1);
      const started = clock.monotonic();
      const done = (outcome: string): void =>
        deps.onCall({ action, outcome, ms: clock.monotonic() - started });
      try {
        const answer = await send(loaded, clock.timeout(CALL_LIMIT_MS, order.signal));
        done('ok');
        return answer;
      } catch (error) {
        const outcome = outcomeOfError(error);
        if (outcome.kind === 'throttled') limits.throttled(action);
        done(outcome.kind);
        deps.log.debug('EC2 call failed', { action, site: site.key, code: outcome.code });
        throw refusal(action, outcome);
      }
    },
    clockAhead: () => ahead,
    budget: () => limits.launchBudget(),
    instanceTokens: (action) => limits.instances(action),
    refundInstances: (action, instances) => limits.refundInstances(action, instances),
    counts: () => counts,
    use: (next) => {
      // Calls under way end with the clients they began with, so these are left, not destroyed.
      if (!isSameAccess(site, next)) clients = null;
      site = next;
    },
    close: () => {
      // A failed load has nothing to end; it was already told to its caller.
      void clients?.then(
        (made) => made.destroy(),
        () => undefined,
      );
      clients = null;
    },
  };
}

/** Our own bucket is empty: as EC2's throttling to the planner, without having asked. */
function ownRate(action: string, maxWaitMs: DurationMs): Outcome {
  return {
    kind: 'throttled',
    scope: 'call',
    code: 'Hostler.OwnRate',
    message: `${action} would exceed EC2's published rate for more than ${Math.ceil(maxWaitMs / SECOND_MS)} s`,
  };
}

function notSent(action: string): Outcome {
  return {
    kind: 'unknown',
    scope: 'call',
    code: 'Hostler.NotSent',
    message: `${action} was stopped before it went out`,
  };
}
