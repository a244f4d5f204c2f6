// What the world looks like right after a plan was carried out and before any answer came: intents are stored, rows are
// moved, calls are on their way. The executor's promise to the planner, in its shortest form.
import { type Instance } from '../../src/domain/instance.ts';
import type { Launch } from '../../src/domain/launch.ts';
import { canRetire, type Machine, moveMachine } from '../../src/domain/machine.ts';
import type { Observation } from '../../src/domain/observation.ts';
import type { Action, Plan } from '../../src/domain/plan.ts';
import { addressOf } from '../../src/planner/address.ts';
import { adoptedMachine } from '../../src/planner/orphans.ts';
import {
  launchRequest,
  launch as launchRow,
  launchSpec,
  machine as machineRow,
  poolSpec,
} from './builders.ts';

type Rows = { machines: Map<string, Machine>; launches: Map<string, Launch> };

function applyLaunch(rows: Rows, seen: Observation, action: Extract<Action, { kind: 'launch' }>): void {
  const spec = seen.pools.find((pool) => pool.spec.id === action.pool)?.spec ?? poolSpec();
  const site = spec.launch.site.key;
  const { token, machines, offering, way, places } = action;
  const request = launchRequest({ offering, ...(way && { way }), ...(places && { places }) });
  rows.launches.set(
    token,
    launchRow({ token, pool: spec.id, site, machines, request, at: seen.now, sends: 1 }),
  );
  for (const id of machines) {
    rows.machines.set(
      id,
      machineRow({
        id,
        pool: spec.id,
        phase: 'requested',
        since: seen.now,
        createdAt: seen.now,
        launch: token,
        spec: seen.currentSpecs.get(spec.id) ?? '',
        site,
        offering: action.offering,
      }),
    );
  }
}

function settleMatched(rows: Rows, token: string): void {
  const open = [...rows.machines.values()].some((each) => each.launch === token && each.instance === null);
  if (!open) rows.launches.delete(token);
}

function match(rows: Rows, seen: Observation, id: string, instance: Instance): void {
  const known = rows.machines.get(id);
  if (known === undefined) return;
  const spec = seen.pools.find((pool) => pool.spec.id === known.pool)?.spec.launch ?? launchSpec();
  const found = {
    ...known,
    instance: instance.id,
    imageId: instance.imageId,
    address: addressOf(instance, spec),
  };
  rows.machines.set(id, known.phase === 'requested' ? moveMachine(found, 'booting', seen.now) : found);
  settleMatched(rows, known.launch);
}

function forget(rows: Rows, token: string): void {
  rows.launches.delete(token);
  for (const each of rows.machines.values()) {
    if (each.launch === token && each.instance === null) rows.machines.delete(each.id);
  }
}

function applyOne(rows: Rows, seen: Observation, action: Action): void {
  const change = (id: string, to: (machine: Machine) => Machine) => {
    const known = rows.machines.get(id);
    if (known !== undefined) rows.machines.set(id, to(known));
  };
  switch (action.kind) {
    case 'launch':
      return applyLaunch(rows, seen, action);
    case 'resend': {
      const launch = rows.launches.get(action.token);
      if (launch !== undefined) rows.launches.set(action.token, { ...launch, sends: launch.sends + 1 });
      return;
    }
    case 'forget-launch':
      return forget(rows, action.token);
    case 'match':
      return match(rows, seen, action.machine, action.instance);
    case 'provision':
      return change(action.machine, (each) => moveMachine(each, 'provisioning', seen.now));
    case 'retire':
      return change(action.machine, (each) =>
        canRetire(each)
          ? { ...moveMachine(each, 'terminating', seen.now), ending: each.ending ?? action.reason.code }
          : each,
      );
    case 'drain':
      return change(action.machine, (each) => ({ ...each, ending: each.ending ?? action.reason.code }));
    case 'bury':
      rows.machines.delete(action.machine);
      return;
    case 'terminate':
      for (const id of action.machines) {
        change(id, (each) => (each.phase === 'terminating' ? { ...each, endAskedAt: seen.now } : each));
      }
      return;
    case 'adopt': {
      const spec = seen.pools.find((pool) => pool.spec.id === action.pool)?.spec ?? poolSpec();
      rows.machines.set(
        action.machine,
        adoptedMachine(action.instance, { id: action.machine, pool: spec, now: seen.now }),
      );
      return;
    }
    case 'end-orphan':
  }
}

/** The observation after the plan, at the same moment. */
export function applyPlan(seen: Observation, plan: Plan): Observation {
  const rows: Rows = {
    machines: new Map(seen.machines.map((each) => [each.id, each])),
    launches: new Map(seen.launches.map((each) => [each.token, each])),
  };
  for (const action of plan.actions) applyOne(rows, seen, action);
  const budgets = new Map([...seen.budgets].map(([site, budget]) => [site, { ...budget }]));
  for (const action of plan.actions) {
    if (action.kind !== 'launch' && action.kind !== 'resend') continue;
    const launch = rows.launches.get(action.token);
    const budget = budgets.get(launch?.site ?? '');
    if (launch === undefined || budget === undefined) continue;
    budget.launches -= 1;
    budget.instances -= launch.count;
  }
  const memories = new Map(plan.memories.map((each) => [each.pool, each]));
  return {
    ...seen,
    pools: seen.pools.map((view) => ({ ...view, memory: memories.get(view.spec.id) ?? view.memory })),
    machines: [...rows.machines.values()],
    launches: [...rows.launches.values()],
    budgets,
    orphansSeen: plan.orphans,
  };
}
