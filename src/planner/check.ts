// Rules that no plan may break, checked from the observation alone: a bug in one part of the planner must not end a
// host with a job. It shares no counting with the planner; the loop drops a plan with a breach and says so.
// Trap: keep it simple and independent. Do not import the planner's own steps here.
import { type Instance, TAG } from '../domain/instance.ts';
import type { Machine } from '../domain/machine.ts';
import type { Observation } from '../domain/observation.ts';
import type { Action, Plan } from '../domain/plan.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { checkBudgets, checkFailures, type Launched, ordered } from './check-budgets.ts';

type Case = {
  seen: Observation;
  plan: Plan;
  /** The machines that the plan names; the others cannot be harmed by it. */
  machines: ReadonlyMap<string, Machine>;
  /** Machines by the instance that is theirs, of the instances that the plan names. */
  recorded: ReadonlyMap<string, string>;
  /** Machines that a runner has or that a lease names. */
  leased: ReadonlySet<string>;
  /** Sites with a fresh list of instances, and what those lists show. */
  fresh: ReadonlySet<string>;
  shown: ReadonlyMap<string, Instance>;
  launches: readonly Launched[];
  say: (breach: string) => void;
};

/** A second look is due a minute after the first; a little less is allowed for nothing. */
const LOOKS_APART_MS = 60_000;
/** EC2's bound for ClientToken. */
const TOKEN_LENGTH = 64;
const frozenEndings: ReadonlySet<ReasonCode> = new Set([
  'idle-time',
  'max-age',
  'max-life',
  'max-builds',
  'over-limit',
  'drift',
  'boot-timeout',
]);

function idsOf(action: Action): readonly string[] {
  if ('machine' in action) return [action.machine];
  return 'machines' in action ? action.machines : [];
}

function checkLeased({ plan, leased, machines, shown, say }: Case): void {
  for (const action of plan.actions) {
    if (action.kind === 'retire' && leased.has(action.machine))
      say(`retires the leased machine ${action.machine}`);
    if (action.kind === 'terminate') {
      for (const id of action.machines) if (leased.has(id)) say(`terminates the leased machine ${id}`);
    }
    if (action.kind === 'bury' && leased.has(action.machine)) {
      const instance = shown.get(machines.get(action.machine)?.instance ?? '');
      if (instance?.state !== 'terminated')
        say(`buries the leased machine ${action.machine} whose end EC2 does not show`);
    }
  }
}

function checkSources({ plan, machines, fresh, say }: Case): void {
  for (const action of plan.actions) {
    if (action.kind === 'retire' || action.kind === 'bury') {
      const site = machines.get(action.machine)?.site ?? '';
      if (!fresh.has(site)) say(`${action.kind} of ${action.machine} without a fresh list of instances`);
    } else if ((action.kind === 'terminate' || action.kind === 'end-orphan') && !fresh.has(action.site)) {
      say(`${action.kind} at ${action.site} without a fresh list of instances`);
    }
  }
}

function machinesOf(plan: Plan, kinds: readonly Action['kind'][]): Set<string> {
  return new Set(plan.actions.flatMap((action) => (kinds.includes(action.kind) ? idsOf(action) : [])));
}

function checkTerminations({ plan, machines, say }: Case): void {
  const retired = machinesOf(plan, ['retire']);
  for (const action of plan.actions) {
    if (action.kind !== 'terminate') continue;
    for (const id of action.machines) {
      const machine = machines.get(id);
      if (machine?.phase !== 'terminating' && !retired.has(id))
        say(`terminates ${id}, which was not retired`);
      if (machine !== undefined && machine.site !== action.site)
        say(`terminates ${id} at another site than its own`);
    }
  }
}

function checkPhases({ seen, plan, machines, say }: Case): void {
  const arrived = machinesOf(plan, ['match', 'adopt']);
  const isFrozen = seen.frozenUntil > seen.now;
  for (const action of plan.actions) {
    if (action.kind === 'provision') {
      const isBooting = machines.get(action.machine)?.phase === 'booting' || arrived.has(action.machine);
      if (!isBooting) say(`provisions ${action.machine}, which is not booting`);
    } else if (action.kind === 'retire' || action.kind === 'drain') {
      if (isFrozen && frozenEndings.has(action.reason.code))
        say(`ends ${action.machine} by policy while retirements are frozen`);
    }
  }
}

/** Acts that may follow another on the same machine within a plan; every other pair is a contradiction. */
const mayFollow: ReadonlySet<string> = new Set([
  'match provision',
  'match retire',
  'match terminate',
  'adopt provision',
  'retire terminate',
]);

function checkTwice({ plan, machines, say }: Case): void {
  const before = new Map<string, string>();
  const known = new Set(machines.keys());
  const touch = (id: string, kind: string) => {
    const earlier = before.get(id);
    if (earlier !== undefined && !mayFollow.has(`${earlier} ${kind}`))
      say(`${kind} of ${id} after ${earlier}`);
    before.set(id, kind);
  };
  for (const action of plan.actions) {
    for (const id of idsOf(action)) touch(id, action.kind);
    const isNew = action.kind === 'launch' || action.kind === 'adopt';
    for (const id of isNew ? idsOf(action) : []) {
      if (machines.has(id)) say(`${action.kind} uses the id ${id} a second time`);
      known.add(id);
    }
    for (const id of idsOf(action)) if (!known.has(id)) say(`${action.kind} of an unknown machine ${id}`);
  }
}

function checkLaunches({ seen, launches, say }: Case): void {
  const tokens = new Set(seen.launches.map(({ token }) => token));
  for (const { token, machines, pool } of launches) {
    if (tokens.has(token)) say(`the launch token ${token} is used a second time`);
    tokens.add(token);
    if (token.length === 0 || token.length > TOKEN_LENGTH)
      say(`the launch token ${token} has a wrong length`);
    if (machines.length === 0) say(`an empty launch for ${pool}`);
    const view = seen.pools.find(({ spec }) => spec.id === pool);
    if (view === undefined) say(`a launch for the unknown pool ${pool}`);
    else if (view.memory.paused || view.memory.draining)
      say(`a launch for ${pool}, which is paused or drained`);
  }
}

/** Stands against limits: all but terminations that EC2 accepted. */
function stands(machine: Machine): boolean {
  const isAnswered = machine.endAccepted || machine.endRefused === true;
  return machine.phase !== 'gone' && !(machine.phase === 'terminating' && isAnswered);
}

/** Machines that stand after the plan's bookkeeping, before its launches. */
function standingIn({ seen, plan }: Case): Machine[] {
  const buried = machinesOf(plan, ['bury']);
  const forgotten = new Set<string>();
  for (const action of plan.actions) if (action.kind === 'forget-launch') forgotten.add(action.token);
  return seen.machines.filter(
    (machine) =>
      stands(machine) &&
      !buried.has(machine.id) &&
      !(machine.instance === null && forgotten.has(machine.launch)),
  );
}

const comingPhases: ReadonlySet<string> = new Set(['requested', 'booting', 'provisioning']);

function checkLimits(it: Case): void {
  const { seen, plan, launches, say } = it;
  if (launches.length === 0) return;
  const standing = standingIn(it);
  const retired = machinesOf(plan, ['retire']);
  const all = standing.length + ordered(launches);
  if (seen.maxMachines > 0 && all > seen.maxMachines)
    say(`${all} machines, max_machines is ${seen.maxMachines}`);
  const perPool = Map.groupBy(standing, ({ pool }) => pool);
  for (const { spec } of seen.pools) {
    const more = ordered(launches, spec.id);
    if (more === 0) continue;
    const own = perPool.get(spec.id) ?? [];
    if (spec.limit > 0 && own.length + more > spec.limit)
      say(`${own.length + more} machines in ${spec.id}, its limit is ${spec.limit}`);
    const coming = own.filter(
      ({ id, phase, ending }) => comingPhases.has(phase) && ending === null && !retired.has(id),
    );
    if (spec.maxComing > 0 && coming.length + more > spec.maxComing)
      say(`${coming.length + more} machines coming in ${spec.id}, at most ${spec.maxComing} may`);
  }
}

function isForeign(seen: Observation, instance: Instance): boolean {
  return instance.tags[TAG.manager] !== seen.manager && !seen.takeover;
}

function checkInstances({ seen, plan, recorded, shown, say }: Case): void {
  for (const action of plan.actions) {
    if (action.kind !== 'adopt' && action.kind !== 'end-orphan' && action.kind !== 'match') continue;
    const id = action.kind === 'end-orphan' ? action.instance : action.instance.id;
    const instance = shown.get(id);
    if (instance === undefined) say(`${action.kind} of ${id}, which no fresh list shows`);
    const owner = recorded.get(id);
    const isOwn = action.kind === 'match' && owner === action.machine;
    if (owner !== undefined && !isOwn) say(`${action.kind} of ${id}, which has a record`);
    if (instance !== undefined && !isOwn && isForeign(seen, instance))
      say(`${action.kind} of ${id}, which belongs to another manager`);
    const first = seen.orphansSeen.get(id);
    if (action.kind !== 'match' && (first === undefined || seen.now - first < LOOKS_APART_MS))
      say(`${action.kind} of ${id} without a second look`);
  }
}

function checkWords({ seen, plan, say }: Case): void {
  const planned = new Set(plan.pools.map(({ pool }) => pool));
  for (const { spec } of seen.pools)
    if (!planned.has(spec.id)) say(`nothing is said about the pool ${spec.id}`);
  for (const size of plan.pools) {
    if (size.reasons.length === 0) say(`no reason for the size of ${size.pool}`);
    const figures = [size.busy, size.held, size.ready, size.coming, size.leaving, size.wanted, size.missing];
    if (figures.some((figure) => !Number.isInteger(figure) || figure < 0))
      say(`wrong figures for ${size.pool}`);
  }
  if (!(plan.wakeAt > plan.at)) say('the next look lies in the past');
}

/** Ids of machines and instances that the plan's actions name. */
function namedIn(plan: Plan): Set<string> {
  const named = new Set(plan.actions.flatMap(idsOf));
  for (const action of plan.actions) {
    if (action.kind === 'match' || action.kind === 'adopt') named.add(action.instance.id);
    if (action.kind === 'end-orphan') named.add(action.instance);
  }
  return named;
}

type Named = Pick<Case, 'machines' | 'recorded' | 'leased' | 'shown'>;

/** What the observation holds of the things named. */
function lookUp(seen: Observation, named: Set<string>): Named {
  const machines = new Map<string, Machine>();
  const recorded = new Map<string, string>();
  for (const machine of seen.machines) {
    if (named.has(machine.id)) machines.set(machine.id, machine);
    if (machine.instance !== null && named.has(machine.instance)) recorded.set(machine.instance, machine.id);
  }
  for (const { instance } of machines.values()) if (instance !== null) named.add(instance);
  const shown = new Map<string, Instance>();
  for (const source of seen.instances.values()) {
    if (source.kind !== 'fresh') continue;
    for (const instance of source.value) if (named.has(instance.id)) shown.set(instance.id, instance);
  }
  const leased = new Set(seen.leases.flatMap(({ machine }) => (machine === null ? [] : [machine])));
  for (const { id, lease } of machines.values()) if (lease !== null) leased.add(id);
  return { machines, recorded, leased, shown };
}

const nothing: Named = { machines: new Map(), recorded: new Map(), leased: new Set(), shown: new Map() };

function toCase(seen: Observation, plan: Plan, say: (breach: string) => void): Case {
  const named = namedIn(plan);
  // Most plans of a large installation name nothing, and a look at everything it has would be for nothing.
  const found = named.size === 0 ? nothing : lookUp(seen, named);
  const fresh = new Set([...seen.instances].flatMap(([site, { kind }]) => (kind === 'fresh' ? [site] : [])));
  const launches = plan.actions.filter((action) => action.kind === 'launch');
  return { seen, plan, ...found, fresh, launches, say };
}

/**
 * Every rule that this plan breaks, one line each; empty = it may be acted on. A breach is a bug of the planner: the
 * plan must be dropped as a whole.
 */
export function breaches(observation: Observation, plan: Plan): string[] {
  const found: string[] = [];
  const it = toCase(observation, plan, (breach) => found.push(breach));
  checkLeased(it);
  checkSources(it);
  checkTerminations(it);
  checkPhases(it);
  checkTwice(it);
  checkLaunches(it);
  checkLimits(it);
  checkBudgets(it);
  checkFailures(it);
  checkInstances(it);
  checkWords(it);
  return found;
}
