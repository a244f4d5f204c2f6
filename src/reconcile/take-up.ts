// What the process before left half done, made so that the loop does it again: all steps may run twice.
// Must not touch machines that are well, and must not call anything; the loop acts.
import { moveMachine } from '../domain/machine.ts';
import type { EpochMs } from '../domain/units.ts';
import type { Store } from '../ports/store.ts';

/** At start, before the first tick: half-dressed hosts are dressed anew, unanswered terminations are asked again. */
export function takeUp(store: Store, now: EpochMs): void {
  for (const machine of store.machines()) {
    if (machine.phase === 'provisioning') store.putMachine(moveMachine(machine, 'booting', now));
    else if (machine.phase === 'terminating' && !machine.endAccepted)
      store.putMachine({ ...machine, endAskedAt: null });
  }
}
