// The cloud and the executor of a story: what becomes of a plan's actions over time. Calls answer after seconds, boots
// take what the story says, capacity may be out. Time moves only when the story does.
import { type Instance, TAG } from '../../../src/domain/instance.ts';
import type { Launch } from '../../../src/domain/launch.ts';
import { type Machine, moveMachine } from '../../../src/domain/machine.ts';
import type { Source } from '../../../src/domain/observation.ts';
import type { Outcome, Rest } from '../../../src/domain/outcome.ts';
import type { Action } from '../../../src/domain/plan.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../../../src/domain/units.ts';
import { restAfter, restKeyOf, restKeysFor } from '../../../src/planner/rest.ts';
import { instanceOf, launchRequest, launch as launchRow, machine as machineRow, SITE } from '../builders.ts';

const LAUNCH_TAKES_MS: DurationMs = 2 * SECOND_MS;
const ACCEPT_TAKES_MS: DurationMs = 1 * SECOND_MS;
const SHUTDOWN_TAKES_MS: DurationMs = 20 * SECOND_MS;

export type Cloud = ReturnType<typeof createCloud>;

type Happening = { at: EpochMs; what: () => void };

const noCapacity: Outcome = {
  kind: 'insufficient-capacity',
  scope: 'offering',
  code: 'InsufficientInstanceCapacity',
  message: 'no capacity',
};

/** An empty cloud. `world` tells the time, a pool's boot time and spec, and hears of ready machines. */
export function createCloud(world: {
  now(): EpochMs;
  bootMs(pool: string): DurationMs;
  specOf(pool: string): string;
  jobsWait(pool: string): boolean;
  becameReady(machine: Machine): void;
}) {
  const machines = new Map<string, Machine>();
  const launches = new Map<string, Launch>();
  const instances = new Map<string, Instance>();
  const rests = new Map<string, Rest>();
  const happenings: Happening[] = [];
  let listing: 'fresh' | 'failed' = 'fresh';
  let capacity = true;
  let bucket = { calls: 5, at: world.now() };

  const after = (ms: DurationMs, what: () => void) => happenings.push({ at: world.now() + ms, what });
  const change = (id: string, to: (machine: Machine) => Machine) => {
    const known = machines.get(id);
    if (known !== undefined) machines.set(id, to(known));
  };
  const setState = (id: string, state: Instance['state']) => {
    const known = instances.get(id);
    if (known !== undefined) instances.set(id, { ...known, state });
  };

  /** RunInstances' own bucket: 5 calls, 2 more a second (facts/ec2.md §6). */
  function calls(): number {
    const now = world.now();
    const filled = (Math.max(0, now - bucket.at) / SECOND_MS) * 2;
    bucket = { calls: Math.min(5, bucket.calls + filled), at: now };
    return Math.floor(bucket.calls);
  }

  function answer(token: string): void {
    const intent = launches.get(token);
    if (intent === undefined) return;
    launches.delete(token);
    const now = world.now();
    const { offering } = intent.request;
    if (!capacity) {
      for (const id of intent.machines) machines.delete(id);
      const key = restKeyOf(SITE, intent.pool, offering, noCapacity);
      const mood = { random01: 1, jobsWait: world.jobsWait(intent.pool) };
      rests.set(key, restAfter(rests.get(key) ?? null, { key, outcome: noCapacity }, now, mood));
      return;
    }
    for (const key of restKeysFor(SITE, intent.pool, offering)) rests.delete(key);
    for (const id of intent.machines) {
      change(id, (machine) => ({
        ...moveMachine(machine, 'booting', now),
        instance: `i-${id}`,
        address: '10.0.0.1',
      }));
      const born = machines.get(id);
      if (born !== undefined) instances.set(`i-${id}`, instanceOf(born));
    }
  }

  function ready(id: string): void {
    const now = world.now();
    if (machines.get(id)?.phase !== 'provisioning') return;
    change(id, (machine) => ({ ...moveMachine(machine, 'ready', now), readyAt: now, idleSince: now }));
    const machine = machines.get(id);
    if (machine !== undefined) world.becameReady(machine);
  }

  function launch(action: Extract<Action, { kind: 'launch' }>): void {
    const now = world.now();
    bucket.calls -= 1;
    const { token, pool, offering } = action;
    const request = launchRequest({ offering });
    launches.set(token, launchRow({ token, pool, machines: action.machines, request, at: now, sends: 1 }));
    for (const id of action.machines) {
      const row = {
        id,
        pool,
        phase: 'requested',
        since: now,
        createdAt: now,
        launch: token,
        offering,
      } as const;
      machines.set(id, machineRow({ ...row, spec: world.specOf(pool) }));
    }
    after(LAUNCH_TAKES_MS, () => answer(token));
  }

  function terminate(ids: readonly string[]): void {
    const asked = world.now();
    for (const id of ids) {
      change(id, (machine) => ({ ...machine, endAskedAt: asked }));
      setState(`i-${id}`, 'shutting-down');
      after(ACCEPT_TAKES_MS, () => change(id, (machine) => ({ ...machine, endAccepted: true })));
      after(SHUTDOWN_TAKES_MS, () => setState(`i-${id}`, 'terminated'));
    }
  }

  function act(action: Action): void {
    const now = world.now();
    if (action.kind === 'launch') launch(action);
    else if (action.kind === 'terminate') terminate(action.machines);
    else if (action.kind === 'bury') machines.delete(action.machine);
    else if (action.kind === 'retire') {
      change(action.machine, (machine) => ({
        ...moveMachine(machine, 'terminating', now),
        ending: machine.ending ?? action.reason.code,
      }));
    } else if (action.kind === 'drain') {
      change(action.machine, (machine) => ({ ...machine, ending: machine.ending ?? action.reason.code }));
    } else if (action.kind === 'provision') {
      const { createdAt, pool } = machines.get(action.machine) ?? { createdAt: now, pool: '' };
      change(action.machine, (machine) => moveMachine(machine, 'provisioning', now));
      const left = Math.max(0, createdAt + world.bootMs(pool) - now);
      if (Number.isFinite(left)) after(left, () => ready(action.machine));
    } else if (action.kind === 'adopt') {
      const { machine: id, instance, pool } = action;
      const launchToken = instance.tags[TAG.launch] ?? '';
      const row = { id, pool, phase: 'booting', since: now, createdAt: now, launch: launchToken } as const;
      machines.set(id, machineRow({ ...row, instance: instance.id, spec: world.specOf(pool) }));
    } else if (action.kind === 'end-orphan') setState(action.instance, 'terminated');
  }

  function source(): Source<readonly Instance[]> {
    return listing === 'failed'
      ? { kind: 'failed', why: 'DescribeInstances timed out' }
      : { kind: 'fresh', value: [...instances.values()], at: world.now() };
  }

  return {
    machines,
    launches,
    rests,
    instances,
    act,
    calls,
    source,
    change,
    happenings,
    setListing: (to: 'fresh' | 'failed') => {
      listing = to;
    },
    setCapacity: (to: boolean) => {
      capacity = to;
    },
  };
}
