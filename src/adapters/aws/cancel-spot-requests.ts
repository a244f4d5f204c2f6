// CancelSpotInstanceRequests in batches. EC2 cancels none of a batch that holds an unknown id, so unknown ones are taken
// out by the names in its message, else by asking one by one.
// Trap: cancelling ends no instance; whoever wants both cancels first, then terminates.
import type { Outcome } from '../../domain/outcome.ts';
import type { RemovalAnswer } from '../../ports/cloud.ts';
import { outcomeOfError } from './errors.ts';
import type { SiteCalls } from './site-calls.ts';

/** Requests in one call: far above the twenty that hostler ever has open, below any limit of EC2's. */
const MAX_BATCH = 100;

type Deps = { calls: SiteCalls; signal: AbortSignal };

/**
 * One answer for each distinct id. One that EC2 does not know failed as `not-found`: a new request may be unknown for
 * some seconds and be filled later, so only a listing proves that it is over. Never throws.
 */
export async function cancelSpotRequests(ids: readonly string[], deps: Deps): Promise<RemovalAnswer[]> {
  const distinct = [...new Set(ids)];
  const answers: RemovalAnswer[] = [];
  for (let from = 0; from < distinct.length; from += MAX_BATCH) {
    answers.push(...(await cancelBatch(distinct.slice(from, from + MAX_BATCH), deps)));
  }
  return answers;
}

const failedWith =
  (outcome: Outcome) =>
  (id: string): RemovalAnswer => ({ id, kind: 'failed', outcome });

async function cancelBatch(ids: readonly string[], deps: Deps): Promise<RemovalAnswer[]> {
  const action = 'CancelSpotInstanceRequests';
  try {
    const { CancelSpotInstanceRequestsCommand } = await import('@aws-sdk/client-ec2');
    const command = new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [...ids] });
    await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      clients.terminate.send(command, { abortSignal: signal }),
    );
    return ids.map((id) => ({ id, kind: 'done' as const }));
  } catch (error) {
    const outcome = outcomeOfError(error);
    if (outcome.kind !== 'not-found' || ids.length === 1) return ids.map(failedWith(outcome));
    const named = new Set(outcome.message.match(/\bsir-[\w-]+/g));
    const unknown = ids.filter((id) => named.has(id)).map(failedWith(outcome));
    const rest = ids.filter((id) => !named.has(id));
    if (unknown.length > 0) return [...unknown, ...(rest.length === 0 ? [] : await cancelBatch(rest, deps))];
    const single: RemovalAnswer[] = [];
    for (const id of ids) single.push(...(await cancelBatch([id], deps)));
    return single;
  }
}
