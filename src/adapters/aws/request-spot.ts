// One RequestSpotInstances call, and what its answer means: requests that are open, of which machines come later.
// Trap: an open request may be filled when nobody waits any more; whoever sends it must look for it until it is over.
import type { SpotInstanceRequest } from '@aws-sdk/client-ec2';
import type { LaunchRequest } from '../../domain/launch.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { LaunchAnswer } from '../../ports/cloud.ts';
import { outcomeOfError, spoilsResolution, unreadableAnswer, withQuota } from './errors.ts';
import { placesOf } from './launch-parts.ts';
import type { SiteCalls } from './site-calls.ts';
import { spotRequestInput } from './spot-request-input.ts';

/** Milliseconds a launch may wait for its tokens: the planner asks `budget` first, so this covers races only. */
const LAUNCH_WAIT_MS: DurationMs = 3 * SECOND_MS;

type Deps = { calls: SiteCalls; signal: AbortSignal; spoiled(): void };

/** One attempt, never throws. */
export async function requestSpot(
  order: { token: string; count: number; request: LaunchRequest },
  deps: Deps,
): Promise<LaunchAnswer> {
  const action = 'RequestSpotInstances';
  const [place] = placesOf(order.request);
  const refused = (outcome: Outcome): LaunchAnswer => {
    const { type, zone, market, subnetId } = place;
    const told = withQuota(outcome, place);
    return {
      kind: 'refused',
      outcome: told,
      refusals: [{ offering: { type, zone, market }, subnetId, outcome: told }],
    };
  };
  try {
    const { RequestSpotInstancesCommand } = await import('@aws-sdk/client-ec2');
    const command = new RequestSpotInstancesCommand(spotRequestInput(order));
    const call = { action, signal: deps.signal, maxWaitMs: LAUNCH_WAIT_MS };
    const answer = await deps.calls.call(call, (clients, signal) =>
      clients.launch.send(command, { abortSignal: signal }),
    );
    const made = (answer.SpotInstanceRequests ?? []).filter((one) => one.SpotInstanceRequestId !== undefined);
    if (made.length === 0) return { kind: 'unknown', outcome: unreadableAnswer(action, 'without requests') };
    const going = made.filter(
      ({ State }) => State !== 'closed' && State !== 'cancelled' && State !== 'failed',
    );
    const over = made.find((one) => !going.includes(one));
    // Asked again with the same token, EC2 shows the same requests, also when they are over by now.
    if (going.length === 0) return refused(overOutcome(over));
    const requests = going.flatMap(({ SpotInstanceRequestId: id }) => id ?? []);
    return { kind: 'launched', instances: [], short: Math.max(0, order.count - requests.length), requests };
  } catch (error) {
    const outcome = outcomeOfError(error);
    if (outcome.kind === 'unknown') return { kind: 'unknown', outcome };
    if (spoilsResolution(outcome)) deps.spoiled();
    return refused(outcome);
  }
}

/** Why a request that is over brought nothing. */
function overOutcome(request: SpotInstanceRequest | undefined): Outcome {
  const code = request?.Status?.Code ?? request?.State ?? 'closed';
  const message = request?.Fault?.Message ?? request?.Status?.Message ?? `the spot request is ${code}`;
  if (code === 'bad-parameters') return { kind: 'invalid', scope: 'pool', code, message };
  if (code === 'price-too-low') return { kind: 'price', scope: 'offering', code, message };
  return { kind: 'insufficient-capacity', scope: 'offering', code, message };
}
