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

  /** Everything that is to end and was not asked for yet, with what the plan wants asked again: one call a site. */
  function terminate(again: readonly string[]): void {
    const repeat = new Set(again);
    const bySite = new Map<string, string[]>();
    for (const machine of store.machines()) {
      if (machine.phase !== 'terminating' || machine.instance === null) continue;
      if (machine.endAskedAt !== null && !repeat.has(machine.id)) continue;
      bySite.set(machine.site, [...(bySite.get(machine.site) ?? []), machine.id]);
    }
    for (const [site, ids] of bySite) {
      deps.track(terminateMachines(deps, site, ids).finally(() => deps.nudge()));
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
      terminate(plan.actions.flatMap((action) => (action.kind === 'terminate' ? action.machines : [])));
    },
    retireNow(ids, code) {
      const done = ids.filter((id) => {
        provisions.get(id)?.abort();
        return retireMachine(deps, id, { code, machine: id });
      });
      terminate([]);
      return done.length;
    },
  };
}
