// TerminateInstances in batches. EC2 ends none of a batch when one id in it is unknown or protected, so such ids are
// taken out (by the names in the error, else by halving) until the rest goes through.
// Trap: the number of calls is bounded; what is left over is reported as failed and comes back with the next tick.
import type { Outcome } from '../../domain/outcome.ts';
import type { TerminateAnswer } from '../../ports/cloud.ts';
import { outcomeOfError, unreadableAnswer } from './errors.ts';

/** Instances in one call; EC2's maximum. */
export const MAX_BATCH = 1_000;

/** Instances; below this a batch rather waits for its resource tokens (20 a second) than shrinks further. */
const MIN_BATCH = 20;

/** Calls beyond one a batch that finding bad ids may cost: ten bad ones in a thousand need about that many. */
const SPARE_CALLS = 60;

type Deps = {
  /** One call: the ids that EC2 took. Throws `cloud-refused`. */
  send(ids: readonly string[]): Promise<readonly string[]>;
  /** Resource tokens there now. */
  tokens(): number;
};

/** One answer for each distinct id, in the order given. Never throws. */
export async function terminateInstances(ids: readonly string[], deps: Deps): Promise<TerminateAnswer[]> {
  const distinct = [...new Set(ids)];
  const answers = new Map<string, TerminateAnswer>();
  const fail = (part: readonly string[], outcome: Outcome): void => {
    for (const instance of part) answers.set(instance, { instance, kind: 'failed', outcome });
  };

  const queue: (readonly string[])[] = [distinct];
  let calls = 0;
  const maxCalls = SPARE_CALLS + Math.ceil(distinct.length / MIN_BATCH);
  let stop: Outcome | null = null;
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next.length === 0) continue;
    if (calls >= maxCalls) stop ??= leftOver;
    if (stop !== null) {
      fail(next, stop);
      continue;
    }
    const size = Math.min(MAX_BATCH, Math.max(MIN_BATCH, deps.tokens()));
    const batch = next.slice(0, size);
    queue.push(next.slice(size));
    calls += 1;
    try {
      const accepted = new Set(await deps.send(batch));
      for (const instance of batch) {
        if (accepted.has(instance)) answers.set(instance, { instance, kind: 'accepted' });
        else fail([instance], unreadableAnswer('TerminateInstances', `without ${instance}`));
      }
    } catch (error) {
      const outcome = outcomeOfError(error);
      if (isAboutOne(outcome)) {
        const { guilty, rest } = divide(batch, outcome);
        fail(guilty, outcome);
        queue.push(...rest);
      } else {
        fail(batch, outcome);
        if (outcome.kind === 'throttled' || outcome.kind === 'denied') stop = outcome;
      }
    }
  }
  return distinct.flatMap((id) => answers.get(id) ?? []);
}

const leftOver: Outcome = {
  kind: 'unknown',
  scope: 'call',
  code: 'Hostler.TooManyBadIds',
  message: 'TerminateInstances: too many ids that EC2 refuses; the rest is tried again later',
};

/** True when one instance of the batch may have refused it for all. A missing permission can hang on one instance's tags. */
function isAboutOne(outcome: Outcome): boolean {
  if (outcome.kind === 'denied') return outcome.scope === 'pool';
  return ['not-found', 'protected', 'invalid', 'unsupported'].includes(outcome.kind);
}

/** Takes out the ids that the message names; without any, a single one is guilty and several are halved. */
function divide(
  batch: readonly string[],
  outcome: Outcome,
): { guilty: readonly string[]; rest: readonly (readonly string[])[] } {
  const named = new Set(outcome.message.match(/\bi-[\w-]+/g));
  const guilty = batch.filter((id) => named.has(id));
  if (guilty.length > 0) return { guilty, rest: [batch.filter((id) => !named.has(id))] };
  if (batch.length === 1) return { guilty: batch, rest: [] };
  const middle = Math.ceil(batch.length / 2);
  return { guilty: [], rest: [batch.slice(0, middle), batch.slice(middle)] };
}
