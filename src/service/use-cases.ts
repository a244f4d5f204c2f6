// What the socket offers, as one object of plain functions: the HTTP door translates to it and holds no policy.
import type {
  BreakerReply,
  CleanupReply,
  ConfigReply,
  CostReply,
  EventReply,
  LeaksReply,
  LeaseReply,
  LeaseRequest,
  MachineDetailReply,
  MachineReply,
  PlanReply,
  PoolReply,
  QueueReply,
  StatusReply,
} from '../contract/api.ts';
import type { CostGroup } from '../domain/cost.ts';
import { HostlerError } from '../domain/error.ts';
import type { Machine } from '../domain/machine.ts';
import type { Plan } from '../domain/plan.ts';
import { describeReason, type ReasonCode } from '../domain/reason.ts';
import type { EpochMs } from '../domain/units.ts';
import { describeAction } from '../planner/plan-text.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import { breakerReplies, resetBreaker } from './breakers.ts';
import type { CurrentConfig } from './current-config.ts';
import type { LeaseConnection } from './door-connections.ts';
import type { Journal } from './journal.ts';
import type { Leases } from './leases.ts';
import { freshMemory } from './pool-memory.ts';
import { type Switch, switchPools } from './pool-switches.ts';
import { queueReply } from './queue-reply.ts';
import type { QueueStatus } from './queue-status.ts';
import { eventReply, isoTime, launchReply, leaseReply, machineReply, poolReply } from './replies.ts';
import type { WaitingLine } from './waiting-line.ts';

/** Events of one machine in its detail answer. */
const MACHINE_EVENTS = 200;

export type UseCases = {
  /** Throws `daemon-stopping` while the daemon ends. */
  assertOpen(): void;
  openLease(request: LeaseRequest, connection: LeaseConnection): Promise<void>;
  commitLease(name: string): void;
  /** Several at once, see Commits. */
  commitLeases(names: readonly string[]): readonly (HostlerError | null)[];
  leases(): readonly LeaseReply[];
  lease(name: string): LeaseReply;
  endLease(name: string, byPerson: boolean): Promise<string>;
  machines(): readonly MachineReply[];
  machine(id: string): MachineDetailReply;
  retire(id: string, force: boolean): string;
  pools(): readonly PoolReply[];
  switchPool(what: Switch, pool: string): string;
  plan(): PlanReply;
  breakers(): readonly BreakerReply[];
  resetBreaker(key: string): string;
  /** The job queues, with at most that many jobs of each. */
  queue(jobs: number): readonly QueueReply[];
  events(query: {
    after?: number;
    limit: number;
    pool?: string;
    machine?: string;
    lease?: string;
  }): readonly EventReply[];
  config(): ConfigReply;
  status(): StatusReply;
  /** `since` null = a week ago. */
  cost(by: CostGroup, since: EpochMs | null): CostReply;
  leaks(): Promise<LeaksReply>;
  reload(): Promise<string>;
  cleanup(allManagers: boolean): Promise<CleanupReply>;
};

export type UseCaseDeps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  journal: Journal;
  leases: Leases;
  line: WaitingLine;
  lastPlan(): Plan | null;
  queueStatus(): readonly QueueStatus[];
  retireNow(ids: readonly string[], code: 'by-person'): number;
  /** Ends a lease from our side; its folder, if it stands, says so to every door call from then on. */
  loseHost(lease: string, code: ReasonCode, why: string): void;
  /** Facts only the shell knows: process, ticks, sources, calls. */
  process(): Omit<
    StatusReply,
    | 'pools'
    | 'waiting'
    | 'warnings'
    | 'config_files'
    | 'config_loaded'
    | 'config_error'
    | 'owner'
    | 'state_error'
  >;
  leaks(): Promise<LeaksReply>;
  cost(by: CostGroup, since: EpochMs | null): CostReply;
  reload(): Promise<string>;
  cleanup(allManagers: boolean): Promise<CleanupReply>;
  isStopping(): boolean;
  nudge(): void;
};

type ReadCases = Pick<
  UseCases,
  'leases' | 'lease' | 'machines' | 'machine' | 'pools' | 'plan' | 'queue' | 'events' | 'config' | 'status'
>;

/** A machine by its id, its instance or its lease. */
function findMachine({ store }: UseCaseDeps, id: string): Machine {
  const known = store.machine(id);
  const machine =
    known ?? store.machines().find((other) => other.instance === id || other.lease === id) ?? null;
  if (machine === null) throw new HostlerError('not-found', `no machine, instance or lease is named ${id}`);
  return machine;
}

function poolReplies({ store, config, clock, lastPlan }: UseCaseDeps): PoolReply[] {
  const [now, machines, rests, plan] = [clock.now(), store.machines(), store.rests(), lastPlan()];
  return config.get().pools.map((spec) => {
    const memory = store.memory(spec.id) ?? freshMemory(spec.id);
    const size = plan?.pools.find((pool) => pool.pool === spec.id) ?? null;
    return poolReply({ spec, memory, machines, rests, size, now });
  });
}

function planReply(plan: Plan | null): PlanReply {
  if (plan === null) return { at: null, wake_at: null, pools: [], actions: [] };
  return {
    at: isoTime(plan.at),
    wake_at: isoTime(plan.wakeAt),
    pools: plan.pools.map((size) => ({ ...size, lines: size.reasons.map(describeReason) })),
    actions: plan.actions.map(describeAction),
  };
}

function statusReply(deps: UseCaseDeps): StatusReply {
  const { loadedAt, error } = deps.config.state();
  const { settings, files, warnings } = deps.config.get();
  return {
    ...deps.process(),
    owner: settings.owner,
    config_files: files,
    config_loaded: isoTime(loadedAt),
    config_error: error,
    state_error: deps.store.trouble(),
    warnings,
    pools: poolReplies(deps),
    waiting: deps.line.size(),
  };
}

function readCases(deps: UseCaseDeps): ReadCases {
  const { store, config, clock, line } = deps;
  return {
    leases: () => store.leases().map((lease) => leaseReply(lease, line.place(lease.name), clock.now())),
    lease(name) {
      const lease = store.lease(name);
      if (lease === null) throw new HostlerError('not-found', `no lease is named ${name}`);
      return leaseReply(lease, line.place(name), clock.now());
    },
    machines: () =>
      store
        .machines()
        .filter((machine) => machine.phase !== 'gone')
        .map(machineReply),
    machine(id) {
      const machine = findMachine(deps, id);
      const events = store.events({ machine: machine.id, limit: MACHINE_EVENTS }).map(eventReply);
      return { machine: machineReply(machine), events, launch: launchReply(store.launch(machine.launch)) };
    },
    pools: () => poolReplies(deps),
    plan: () => planReply(deps.lastPlan()),
    queue: (jobs) => deps.queueStatus().map((status) => queueReply(status, clock.now(), jobs)),
    events: (query) => store.events(query).map(eventReply),
    config: () => ({ values: config.get().values, warnings: config.get().warnings }),
    status: () => statusReply(deps),
  };
}

/** The use cases of one daemon. */
export function createUseCases(deps: UseCaseDeps): UseCases {
  const { store, leases } = deps;

  function retire(id: string, force: boolean): string {
    const machine = findMachine(deps, id);
    if (machine.lease !== null && !force) {
      const cure = 'retire it with --force, or let it end with its lease';
      throw new HostlerError('machine-busy', `${machine.id} is leased to ${machine.lease}; ${cure}`);
    }
    if (machine.lease !== null) deps.loseHost(machine.lease, 'by-person', 'a person retired it');
    const current = store.machine(machine.id);
    if (current?.cleaning === true) store.putMachine({ ...current, ending: 'by-person' });
    else deps.retireNow([machine.id], 'by-person');
    deps.nudge();
    return `${machine.id} ends`;
  }

  return {
    ...readCases(deps),
    retire,
    assertOpen() {
      if (deps.isStopping())
        throw new HostlerError('daemon-stopping', 'the daemon is stopping; ask again when it is back');
    },
    openLease: (request, connection) => leases.open(request, connection),
    commitLease: (name) => leases.commit(name),
    commitLeases: (names) => leases.commitAll(names),
    async endLease(name, byPerson) {
      const lease = store.lease(name);
      if (lease === null) throw new HostlerError('not-found', `no lease is named ${name}`);
      if (byPerson) deps.loseHost(name, 'by-person', 'a person ended it');
      else leases.end(name, 'lease-ended');
      if (byPerson && lease.machine !== null) retire(lease.machine, false);
      await leases.folderSettled(name);
      return `${name} is given back`;
    },
    switchPool: (what, pool) => switchPools(deps, what, pool),
    leaks: () => deps.leaks(),
    breakers: () => breakerReplies(deps),
    resetBreaker: (key) => resetBreaker(deps, key),
    cost: (by, since) => deps.cost(by, since),
    reload: () => deps.reload(),
    cleanup: (allManagers) => deps.cleanup(allManagers),
  };
}
