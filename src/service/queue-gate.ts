// The one gate before all calls to one GitLab, whoever makes them: waits for a call's turn, counts what it came to.
// Traps: two tokens may be one user's, so the budget belongs to the address and not to the token; a sweep over a thousand
// projects fills the line for seconds, so what a webhook asks for goes before it.
import { gitlabError } from '../domain/gitlab-failure.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { CallGate } from '../ports/queue.ts';
import type { Random } from '../ports/random.ts';
import { createPace, type PaceState } from '../queue/pace.ts';

/** With all places taken the gate looks again so soon. */
const FULL_LOOK_MS: DurationMs = 100;
/** A long pause is slept in parts: an answer under way may end it or make it longer. */
const PART_MS: DurationMs = 10 * SECOND_MS;

export type QueueGate = CallGate & { state(): PaceState };

type Deps = { clock: Clock; random: Random; metrics: Metrics };

/** A gate that has let nobody through yet. `gitlab`: its host, as metrics name it. */
export function createQueueGate(gitlab: string, { clock, random, metrics }: Deps): QueueGate {
  const pace = createPace(clock.now());
  // Who came first goes first, urgent ones among themselves: newcomers must not take the turns of those that wait.
  const lines = { usual: Promise.resolve(), urgent: Promise.resolve() };
  let urgentWaiting = 0;

  async function turn(signal: AbortSignal, isUrgent: boolean): Promise<void> {
    for (;;) {
      if (signal.aborted) throw gitlabError('away', 'stopped before GitLab was asked');
      const wait = !isUrgent && urgentWaiting > 0 ? Infinity : pace.take(clock.now());
      if (wait === 0) return;
      await clock.sleep(wait === Infinity ? FULL_LOOK_MS : Math.min(wait, PART_MS), signal);
    }
  }

  return {
    async enter(signal, isUrgent = false) {
      const line = isUrgent ? 'urgent' : 'usual';
      if (isUrgent) urgentWaiting += 1;
      const mine = lines[line].then(() => turn(signal, isUrgent));
      lines[line] = mine.catch(() => undefined);
      try {
        await mine;
      } finally {
        if (isUrgent) urgentWaiting -= 1;
      }
    },
    leave(report) {
      pace.settle(report, clock.now(), random.float());
      metrics.gitlabCall(report.what, report.outcome, report.ms);
      const { callsPerMinute, remaining } = pace.state();
      metrics.gitlabBudget(gitlab, callsPerMinute, remaining);
    },
    state: () => pace.state(),
  };
}
