// Carries a plan out: each action by its one executor, in the plan's order. What takes long is started and tracked,
// never awaited; only the intents of launches are, so that the next tick sees them.

import { HostlerError, messageOf } from '../domain/error.ts';
import type { PoolMemory } from '../domain/observation.ts';
import type { Action, ActionKind, Plan } from '../domain/plan.ts';
import type { Store } from '../ports/store.ts';
import type { ActDeps } from './act-deps.ts';
import { adoptInstance, matchMachine } from './actions/adopt.ts';
import { type LaunchesInFlight, launchMachines, send } from './actions/launch.ts';
import { endFailedBoot, type ProvisionsUnderWay, startProvision } from './actions/provision.ts';
import { endMachines, settleShown } from './actions/settle-launch.ts';
import {
  buryMachine,
  drainMachine,
  endOrphan,
  retireMachine,
  terminateMachines,
} from './actions/terminate.ts';

export type Actor = {
  act(plan: Plan): Promise<void>;
  /** Asks again, at once, for every launch whose answer the process before did not store. */
  resume(): void;
  /** Starts ending machines right now, outside a plan (a person's order). */
  retireNow(ids: readonly string[], code: 'by-person' | 'cleanup'): number;
};

/** Provisioning under way, and failed boots whose console is being read. */
type Provisions = { underWay: ProvisionsUnderWay; ending: Set<string> };

type Executors = { [K in ActionKind]: (action: Extract<Action, { kind: K }>) => void | Promise<void> };

/** Ends a machine by policy; a boot that timed out leaves its console in the history first. */
function retire(deps: ActDeps, provisions: Provisions, action: Extract<Action, { kind: 'retire' }>): void {
  const machine = deps.store.machine(action.machine);
  if (machine === null) return;
  const underWay = provisions.underWay.get(machine.id);
  underWay?.abort();
  const isBoot = machine.phase === 'booting' || machine.phase === 'provisioning';
  if (isBoot && action.reason.code === 'boot-timeout' && machine.instance !== null) {
    // The plan asks again each tick until the row moves; its console is read once.
    if (provisions.ending.has(machine.id)) return;
    provisions.ending.add(machine.id);
    const end = async () => {
      const words = machine.failure ?? (await underWay?.words) ?? 'nothing was heard of it';
      const failure = `still ${machine.phase} after boot_timeout; ${words}`;
      await endFailedBoot(deps, machine.id, 'boot-timeout', failure);
    };
    deps.track(end().finally(() => provisions.ending.delete(machine.id)));
    return;
  }
  retireMachine(deps, machine.id, action.reason);
}

function forgetLaunch(
  deps: ActDeps,
  inFlight: LaunchesInFlight,
  action: Extract<Action, { kind: 'forget-launch' }>,
): void {
  const launch = deps.store.launch(action.token);
  if (launch === null || launch.state !== 'intended' || inFlight.has(action.token)) return;
  if (action.reason.code === 'launched') return settleShown(deps, launch);
  const message = 'no instance of this launch ever showed';
  endMachines(deps, launch, 'lost', { kind: 'unknown', scope: 'call', code: action.reason.code, message });
}

function createExecutors(deps: ActDeps, inFlight: LaunchesInFlight, provisions: Provisions): Executors {
  return {
    launch: (action) => launchMachines(deps, inFlight, action),
    resend(action) {
      const launch = deps.store.launch(action.token);
      if (launch?.state === 'intended') send(deps, inFlight, launch);
    },
    'forget-launch': (action) => forgetLaunch(deps, inFlight, action),
    match: (action) => matchMachine(deps, action.machine, action.instance),
    provision: (action) => startProvision(deps, provisions.underWay, action.machine),
    retire: (action) => retire(deps, provisions, action),
    drain: (action) => drainMachine(deps, action.machine, action.reason),
    bury(action) {
      provisions.underWay.get(action.machine)?.abort();
      buryMachine(deps, action.machine, action.reason);
    },
    // The rows are marked before the first wait, so the next tick does not ask twice.
    terminate: (action) =>
      deps.track(terminateMachines(deps, action.site, action.machines).finally(() => deps.nudge())),
    adopt: (action) => adoptInstance(deps, action),
    'end-orphan': (action) => deps.track(endOrphan(deps, action.site, action.instance, 'orphan')),
  };
}

/** The executor of one daemon's plans. */
export function createActor(deps: ActDeps): Actor {
  const { store } = deps;
  const inFlight: LaunchesInFlight = new Set();
  const provisions: Provisions = { underWay: new Map(), ending: new Set() };
  const executors = createExecutors(deps, inFlight, provisions);
  const execute = async <K extends ActionKind>(action: Extract<Action, { kind: K }>): Promise<void> =>
    executors[action.kind](action);

  return {
    async act(plan) {
      for (const memory of plan.memories) putChanged(store, memory);
      for (const action of plan.actions) {
        try {
          await execute(action);
        } catch (error) {
          // One action's trouble must not keep the others from happening; the next plan sees what is still to do.
          const code = error instanceof HostlerError ? error.code : 'internal';
          deps.log.error('an action failed', { action: action.kind, code, error: messageOf(error) });
        }
      }
    },
    resume() {
      for (const launch of store.launches()) if (launch.state === 'intended') send(deps, inFlight, launch);
    },
    retireNow(ids, code) {
      const done = ids.filter((id) => {
        provisions.underWay.get(id)?.abort();
        return retireMachine(deps, id, { code, machine: id });
      });
      deps.nudge();
      return done.length;
    },
  };
}

/** A quiet pool writes nothing: only a memory that differs goes to disk. */
function putChanged(store: Store, memory: PoolMemory): void {
  const known = store.memory(memory.pool);
  if (known === null || JSON.stringify(known) !== JSON.stringify(memory)) store.putMemory(memory);
}
