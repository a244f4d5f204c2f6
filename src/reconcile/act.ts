// Carries a plan out: each action by its one executor, in the plan's order. What takes long is started and tracked,
// never awaited; only the intents of launches are, so that the next tick sees them.

import { unreachable } from '../domain/assert.ts';
import { HostlerError, messageOf } from '../domain/error.ts';
import type { Action, Plan } from '../domain/plan.ts';
import type { ActDeps } from './act-deps.ts';
import { adoptInstance, matchMachine } from './actions/adopt.ts';
import { endMachines, type LaunchesInFlight, launchMachines, send } from './actions/launch.ts';
import { endFailedBoot, type ProvisionsUnderWay, startProvision } from './actions/provision.ts';
import {
  buryMachine,
  drainMachine,
  endOrphan,
  retireMachine,
  terminateMachines,
} from './actions/terminate.ts';

export type Actor = {
  act(plan: Plan): Promise<void>;
  /** Starts ending machines right now, outside a plan (a person's order). */
  retireNow(ids: readonly string[], code: 'by-person' | 'cleanup'): number;
};

/** The executor of one daemon's plans. */
export function createActor(deps: ActDeps): Actor {
  const { store } = deps;
  const inFlight: LaunchesInFlight = new Set();
  const provisions: ProvisionsUnderWay = new Map();

  function retire(action: Extract<Action, { kind: 'retire' }>): void {
    const machine = store.machine(action.machine);
    if (machine === null) return;
    provisions.get(machine.id)?.abort();
    const failedBoot = machine.phase === 'booting' || machine.phase === 'provisioning';
    if (failedBoot && action.reason.code === 'boot-timeout' && machine.instance !== null) {
      deps.track(
        endFailedBoot(
          deps,
          machine.id,
          'boot-timeout',
          machine.failure ?? `still ${machine.phase} after boot_timeout`,
        ),
      );
      return;
    }
    retireMachine(deps, machine.id, action.reason);
  }

  async function one(action: Action): Promise<void> {
    switch (action.kind) {
      case 'launch':
        return launchMachines(deps, inFlight, action);
      case 'resend': {
        const launch = store.launch(action.token);
        if (launch !== null && launch.state === 'intended') send(deps, inFlight, launch);
        return;
      }
      case 'forget-launch': {
        const launch = store.launch(action.token);
        if (launch === null || launch.state !== 'intended' || inFlight.has(action.token)) return;
        if (action.reason.code === 'launched') return store.putLaunch({ ...launch, state: 'launched' });
        endMachines(deps, launch, 'lost', {
          kind: 'unknown',
          scope: 'call',
          code: action.reason.code,
          message: 'no instance of this launch ever showed',
        });
        return;
      }
      case 'match':
        return matchMachine(deps, action.machine, action.instance);
      case 'provision':
        return startProvision(deps, provisions, action.machine);
      case 'retire':
        return retire(action);
      case 'drain':
        return drainMachine(deps, action.machine, action.reason);
      case 'bury':
        provisions.get(action.machine)?.abort();
        return buryMachine(deps, action.machine, action.reason);
      case 'terminate':
        // The rows are marked before the first wait, so the next tick does not ask twice.
        deps.track(terminateMachines(deps, action.site, action.machines).finally(() => deps.nudge()));
        return;
      case 'adopt':
        return adoptInstance(deps, action);
      case 'end-orphan':
        deps.track(endOrphan(deps, action.site, action.instance, 'orphan'));
        return;
      default:
        unreachable(action);
    }
  }

  return {
    async act(plan) {
      for (const memory of plan.memories) store.putMemory(memory);
      for (const action of plan.actions) {
        try {
          await one(action);
        } catch (error) {
          // One action's trouble must not keep the others from happening; the next plan sees what is still to do.
          const code = error instanceof HostlerError ? error.code : 'internal';
          deps.log.error('an action failed', { action: action.kind, code, error: messageOf(error) });
        }
      }
    },
    retireNow(ids, code) {
      const done = ids.filter((id) => {
        provisions.get(id)?.abort();
        return retireMachine(deps, id, { code, machine: id });
      });
      deps.nudge();
      return done.length;
    },
  };
}
