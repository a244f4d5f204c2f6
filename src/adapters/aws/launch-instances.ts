// One RunInstances call for all equal machines, and what its answer means.
// Trap: one attempt, never throws; an answer that was lost or cannot be read is `unknown`, because it may have happened.
import type { LaunchRequest } from '../../domain/launch.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { LaunchAnswer } from '../../ports/cloud.ts';
import { outcomeOfError, spoilsResolution, unreadableAnswer, withQuota } from './errors.ts';
import type { FleetAnswers } from './fleet-answers.ts';
import { placesOf } from './launch-parts.ts';
import { runInstancesInput } from './run-instances-input.ts';
import type { SiteCalls } from './site-calls.ts';

/** Milliseconds a launch may wait for its tokens: the planner asks `budget` first, so this covers races only. */
const LAUNCH_WAIT_MS: DurationMs = 3 * SECOND_MS;

type Deps = {
  calls: SiteCalls;
  answers: FleetAnswers;
  signal: AbortSignal;
  /** What the launch was resolved to may be stale: look it up anew before the next one. */
  spoiled(): void;
};

export async function launchInstances(
  order: { token: string; count: number; request: LaunchRequest },
  deps: Deps,
): Promise<LaunchAnswer> {
  const action = 'RunInstances';
  const { calls, answers, signal } = deps;
  const { count } = order;
  try {
    const input = runInstancesInput(order);
    const { instances } = await calls.call(
      { action, signal, instances: count, maxWaitMs: LAUNCH_WAIT_MS },
      (clients, limit) => answers.run(clients.launch, input, limit),
    );
    if (instances.length === 0)
      return { kind: 'unknown', outcome: unreadableAnswer(action, 'without instances') };
    const short = Math.max(0, count - instances.length);
    calls.refundInstances(action, short);
    return { kind: 'launched', instances, short };
  } catch (error) {
    const outcome = outcomeOfError(error);
    if (outcome.kind === 'unknown') return { kind: 'unknown', outcome };
    // EC2 charges resource tokens for instances that it launches; a refusal launched none.
    if (outcome.kind !== 'throttled') calls.refundInstances(action, count);
    if (spoilsResolution(outcome)) deps.spoiled();
    const [place] = placesOf(order.request);
    return { kind: 'refused', outcome: withQuota(outcome, place) };
  }
}
