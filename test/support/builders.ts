// Plain values for tests: each builder gives a whole, valid value and takes only what the test is about.
// No behaviour of hostler lives here.
import type { HostSpec, IdlePolicy, LaunchSpec, PoolSpec, Schedule } from '../../src/domain/config.ts';
import { type Instance, TAG } from '../../src/domain/instance.ts';
import type { Launch, LaunchRequest } from '../../src/domain/launch.ts';
import type { Lease } from '../../src/domain/lease.ts';
import type { Machine } from '../../src/domain/machine.ts';
import type { Observation, PoolMemory, PoolView, Source } from '../../src/domain/observation.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/units.ts';

/** Monday, 2026-11-23, 12:00 UTC. */
export const NOON = Date.UTC(2026, 10, 23, 12);
export const SITE = 'eu-central-1';
export const SPEC = 'spec-1';

export function idlePolicy(over: Partial<IdlePolicy> = {}): IdlePolicy {
  return { idleCount: 0, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: 30 * MINUTE_MS, ...over };
}

export function schedule(base: Partial<IdlePolicy> = {}, periods: Schedule['periods'] = []): Schedule {
  return { base: idlePolicy(base), periods };
}

export function period(
  cron: string,
  over: Partial<IdlePolicy>,
  timezone = 'UTC',
): Schedule['periods'][number] {
  return { ...idlePolicy(over), cron: [cron], written: [cron], timezone };
}

export function launchSpec(over: Partial<LaunchSpec> = {}): LaunchSpec {
  return {
    site: {
      key: SITE,
      region: 'eu-central-1',
      endpoint: null,
      credentials: { kind: 'chain' },
      assumeRoleArn: null,
    },
    ami: null,
    vpcId: null,
    zone: 'eu-central-1a',
    subnetId: null,
    securityGroups: ['docker-machine'],
    securityGroupReadonly: false,
    openPorts: [],
    tags: {},
    instanceType: over.instanceTypes?.[0] ?? 'm5.large',
    instanceTypes: [over.instanceType ?? 'm5.large'],
    needs: null,
    subnetIds: over.subnetId == null ? [] : [over.subnetId],
    market: 'spot',
    markets: [over.market ?? 'spot'],
    way: 'auto',
    template: null,
    maxPriceUsd: null,
    deviceName: null,
    rootSizeGb: 16,
    volumeType: 'gp3',
    volumeEncrypted: true,
    volumeKmsKey: null,
    iamInstanceProfile: null,
    keypairName: null,
    monitoring: false,
    ebsOptimized: false,
    privateAddressOnly: false,
    usePrivateAddress: true,
    userData: null,
    metadataTokens: 'required',
    metadataHopLimit: 1,
    ...over,
  };
}

export function hostSpec(over: Partial<HostSpec> = {}): HostSpec {
  return {
    sshUser: 'ubuntu',
    sshPort: 22,
    sshKeyPath: null,
    dockerPort: 2376,
    engineInstallUrl: 'https://get.docker.com',
    engineOptions: [],
    engineEnv: [],
    engineLabels: [],
    engineRegistryMirrors: [],
    engineInsecureRegistries: [],
    engineStorageDriver: null,
    tlsSans: [],
    prepull: [],
    waitUserData: true,
    ...over,
  };
}

export function poolSpec(over: Partial<PoolSpec> = {}): PoolSpec {
  const id = over.id ?? 'linux';
  return {
    id,
    runnerName: id,
    namePrefixes: [`runner-${id}-machine-`],
    options: ['amazonec2-region=eu-central-1'],
    machineDriver: 'amazonec2',
    limit: 0,
    runnerSchedule: schedule(),
    ownSchedule: schedule(),
    maxBuilds: 0,
    maxComing: 0,
    createWaitMs: 10 * MINUTE_MS,
    bootTimeoutMs: 5 * MINUTE_MS,
    maxAgeMs: 0,
    maxMachineLifeMs: 24 * HOUR_MS,
    deadManMs: 2 * HOUR_MS,
    onDemand: { kind: 'never' },
    fallbackAfterMs: MINUTE_MS,
    rebalance: 'drain',
    failedLaunchesPerMinute: 6,
    interruptionQueue: null,
    launch: launchSpec(),
    host: hostSpec(),
    ...over,
  };
}

/** A pool whose runner and we want the same idle machines, as in a drop-in file. */
export function dropIn(idle: Partial<IdlePolicy>, over: Partial<PoolSpec> = {}): PoolSpec {
  return poolSpec({ runnerSchedule: schedule(idle), ownSchedule: schedule(idle), ...over });
}

export function memory(over: Partial<PoolMemory> = {}): PoolMemory {
  return { pool: 'linux', reserve: 0, reserveAt: 0, paused: false, draining: false, ...over };
}

export function poolView(spec: PoolSpec, over: Partial<Omit<PoolView, 'spec'>> = {}): PoolView {
  return { spec, memory: memory({ pool: spec.id }), bootP90Ms: 40 * SECOND_MS, ...over };
}

/** A ready, idle machine; its instance is `i-` and its id. */
export function machine(over: Partial<Machine> = {}): Machine {
  const id = over.id ?? 'm-1';
  const phase = over.phase ?? 'ready';
  const since = over.since ?? NOON - MINUTE_MS;
  const served = phase === 'ready' || phase === 'leased' || phase === 'draining';
  return {
    id,
    pool: 'linux',
    phase,
    since,
    launch: `t-${id}`,
    spec: SPEC,
    site: SITE,
    offering: { type: 'm5.large', zone: 'eu-central-1a', market: 'spot' },
    instance: phase === 'requested' ? null : `i-${id}`,
    imageId: 'ami-1',
    address: phase === 'requested' ? null : '10.0.0.1',
    createdAt: since - MINUTE_MS,
    readyAt: served ? since : null,
    idleSince: served ? since : null,
    builds: 0,
    lease: null,
    cleaning: false,
    hostKeys: ['ssh-ed25519 AAAA'],
    failedPings: 0,
    endAskedAt: null,
    endAccepted: false,
    ending: null,
    failure: null,
    ...over,
  };
}

/** A waiting create. */
export function lease(over: Partial<Lease> = {}): Lease {
  return {
    name: 'runner-linux-machine-1',
    pool: 'linux',
    state: 'waiting',
    machine: null,
    since: NOON - SECOND_MS,
    grantedAt: null,
    heldAt: null,
    store: '/store',
    runnerPid: 100,
    urlAt: null,
    configAt: null,
    containers: 0,
    containersAt: null,
    lookedAt: null,
    jobs: [],
    ...over,
  };
}

/** `count` waiting creates, the first the oldest. */
export function creates(count: number, over: Partial<Lease> = {}): Lease[] {
  return Array.from({ length: count }, (_, index) =>
    lease({
      name: `create-${over.pool ?? 'linux'}-${String(index).padStart(4, '0')}`,
      since: NOON - 10 * SECOND_MS + index,
      ...over,
    }),
  );
}

/** A leased machine and the lease that holds it; `job`: containers run on it. */
export function leased(
  id: string,
  over: { job?: boolean; machine?: Partial<Machine>; lease?: Partial<Lease> } = {},
) {
  const name = `lease-${id}`;
  const heldAt = NOON - 10 * MINUTE_MS;
  const busy = over.job === true ? { containers: 2, urlAt: heldAt, containersAt: NOON, lookedAt: NOON } : {};
  const pool = over.machine?.pool ?? 'linux';
  return {
    machine: machine({ id, phase: 'leased', lease: name, since: heldAt, ...over.machine }),
    lease: lease({
      name,
      pool,
      state: 'held',
      machine: id,
      since: heldAt,
      grantedAt: heldAt,
      heldAt,
      ...busy,
      ...over.lease,
    }),
  };
}

/** The instance behind a machine, with this manager's tags. */
export function instanceOf(of: Machine, over: Partial<Instance> = {}): Instance {
  return {
    id: of.instance ?? `i-${of.id}`,
    state: 'running',
    stateReason: null,
    type: of.offering.type,
    zone: of.offering.zone,
    market: of.offering.market,
    imageId: of.imageId,
    privateAddress: '10.0.0.1',
    publicAddress: null,
    launchedAt: of.createdAt,
    tags: {
      [TAG.owner]: 'ci',
      [TAG.manager]: 'manager-1',
      [TAG.pool]: of.pool,
      [TAG.launch]: of.launch,
      [TAG.spec]: of.spec,
    },
    ...over,
  };
}

export function launchRequest(over: Partial<LaunchRequest> = {}): LaunchRequest {
  return {
    offering: { type: 'm5.large', zone: 'eu-central-1a', market: 'spot' },
    imageId: 'ami-1',
    subnetId: null,
    securityGroupIds: [],
    associatePublicIp: null,
    keyName: null,
    iamInstanceProfile: null,
    maxPriceUsd: null,
    rootDevice: '/dev/sda1',
    rootSizeGb: 16,
    volumeType: 'gp3',
    volumeEncrypted: true,
    volumeKmsKey: null,
    monitoring: false,
    ebsOptimized: false,
    metadataTokens: 'required',
    metadataHopLimit: 1,
    userData: '',
    tags: {},
    ...over,
  };
}

export function launch(over: Partial<Launch> = {}): Launch {
  const machines = over.machines ?? ['m-1'];
  return {
    token: 't-1',
    pool: 'linux',
    site: SITE,
    count: machines.length,
    machines,
    request: launchRequest(),
    bootstrapHostKey: 'ssh-ed25519 AAAA',
    state: 'intended',
    at: NOON - SECOND_MS,
    sends: 1,
    ...over,
  };
}

export function freshList(instances: readonly Instance[], at = NOON): Source<readonly Instance[]> {
  return { kind: 'fresh', value: instances, at };
}

/** At noon, one pool without limits, budgets that never end; each machine has its running instance listed. */
export function observation(
  over: Partial<Omit<Observation, 'pools'>> & { pools?: readonly (PoolSpec | PoolView)[] } = {},
): Observation {
  const pools = (over.pools ?? [poolSpec()]).map((pool) => ('spec' in pool ? pool : poolView(pool)));
  const machines = over.machines ?? [];
  const listed = machines.filter(({ instance }) => instance !== null).map((each) => instanceOf(each));
  return {
    now: NOON,
    concurrent: 1000,
    maxMachines: 0,
    owner: 'ci',
    manager: 'manager-1',
    takeover: false,
    machines,
    leases: [],
    launches: [],
    rests: [],
    instances: new Map([[SITE, freshList(listed)]]),
    budgets: new Map([[SITE, { launches: 5, instances: 1000 }]]),
    orphansSeen: new Map(),
    frozenUntil: 0,
    currentSpecs: new Map(pools.map(({ spec }) => [spec.id, SPEC])),
    ...over,
    pools,
  };
}

/** Ids that count up, so that plans can be compared; those of another `plan` are others. */
export function counter(plan = 'new'): { machineId(): string; token(): string } {
  let [machines, tokens] = [0, 0];
  return {
    machineId: () => `m-${plan}-${String(++machines).padStart(4, '0')}`,
    token: () => `t-${plan}-${String(++tokens).padStart(4, '0')}`,
  };
}
