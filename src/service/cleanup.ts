// Ends everything that this owner has in EC2, also what has no record (what a `terraform destroy` leaves behind), and
// looks again to prove it. Trap: it ends hosts with jobs too, so only a person may ask for it.
import type { CleanupReply } from '../contract/api.ts';
import type { CloudSite } from '../domain/config.ts';
import { HostlerError, messageOf } from '../domain/error.ts';
import { type Instance, TAG } from '../domain/instance.ts';
import type { Lease } from '../domain/lease.ts';
import type { LeftoverKind } from '../domain/leftover.ts';
import { moveMachine } from '../domain/machine.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Store } from '../ports/store.ts';
import type { Journal } from './journal.ts';

/** All looks and calls of one cleanup together. */
const CLEANUP_LIMIT_MS: DurationMs = 60 * SECOND_MS;

type CleanupDeps = {
  /** Closes the pools first: an active one would launch again at the next tick. */
  drainPools(): void;
  store: Store;
  cloud: Cloud;
  clock: Clock;
  journal: Journal;
  owner: string;
  manager: string;
  /** Leaves word in the folder of a lease that its host is gone. */
  tellGone(lease: Lease, why: string): void;
  nudge(): void;
};

const isOver = (instance: Instance) => instance.state === 'terminated' || instance.state === 'shutting-down';

/** Those that this cleanup may end: all carry the manager's tag since their launch. */
function isInScope(deps: CleanupDeps, tags: Instance['tags'], allManagers: boolean): boolean {
  return allManagers || tags[TAG.manager] === deps.manager;
}

type Scope = { site: CloudSite; allManagers: boolean; signal: AbortSignal };
type Kept = { instance: string; why: string };

/** Removes leftovers of these kinds. */
async function removeLeftovers(
  deps: CleanupDeps,
  { site, allManagers, signal }: Scope,
  kinds: readonly LeftoverKind[],
): Promise<{ removed: string[]; kept: Kept[] }> {
  const listed = await deps.cloud.listLeftovers(site, deps.owner, signal);
  const mine = listed.filter(({ kind, tags }) => kinds.includes(kind) && isInScope(deps, tags, allManagers));
  const answers = mine.length === 0 ? [] : await deps.cloud.removeLeftovers(site, mine, signal);
  return {
    removed: answers.flatMap((answer) => (answer.kind === 'done' ? [answer.id] : [])),
    kept: answers.flatMap((answer): Kept[] =>
      answer.kind === 'done'
        ? []
        : [{ instance: answer.id, why: `${answer.outcome.code}: ${answer.outcome.message}` }],
    ),
  };
}

async function listInstances(deps: CleanupDeps, { site, signal }: Scope): Promise<readonly Instance[]> {
  try {
    return await deps.cloud.list(site, deps.owner, signal);
  } catch (error) {
    throw new HostlerError('cloud-refused', `instances cannot be listed: ${messageOf(error)}`, {
      where: site.key,
      cause: error,
    });
  }
}

/** What the last listing still shows. */
async function countLeft(deps: CleanupDeps, scope: Scope): Promise<number> {
  const instances = (await listInstances(deps, scope)).filter((instance) => !isOver(instance));
  const things = await deps.cloud.listLeftovers(scope.site, deps.owner, scope.signal);
  return [...instances, ...things].filter(({ tags }) => isInScope(deps, tags, scope.allManagers)).length;
}

async function cleanSite(deps: CleanupDeps, scope: Scope): Promise<CleanupReply> {
  const { cloud } = deps;
  const { site, signal, allManagers } = scope;
  const alive = (await listInstances(deps, scope)).filter((instance) => !isOver(instance));
  const ours = alive.filter(({ tags }) => isInScope(deps, tags, allManagers));
  const kept: Kept[] = alive
    .filter((instance) => !ours.includes(instance))
    .map(({ id }) => ({ instance: id, why: 'another manager owns it' }));
  // Requests first: an open one could still bring an instance.
  const requests = await removeLeftovers(deps, scope, ['spot-request']);
  const ids = ours.map((instance) => instance.id);
  markEnded(deps, new Set(ids));
  const terminated: string[] = [];
  for (const answer of await cloud.terminate(site, ids, signal)) {
    if (answer.kind === 'accepted') terminated.push(answer.instance);
    else kept.push({ instance: answer.instance, why: `${answer.outcome.code}: ${answer.outcome.message}` });
  }
  const things = await removeLeftovers(deps, scope, ['volume', 'launch-template']);
  return {
    terminated,
    removed: [...requests.removed, ...things.removed],
    kept: [...kept, ...requests.kept, ...things.kept],
    left: await countLeft(deps, scope),
  };
}

/** Ends this owner's instances, spot requests, volumes and templates at these sites; of other managers only with `allManagers`. */
export async function cleanUp(
  deps: CleanupDeps,
  sites: readonly CloudSite[],
  allManagers: boolean,
): Promise<CleanupReply> {
  const signal = deps.clock.timeout(CLEANUP_LIMIT_MS);
  deps.drainPools();
  const done: CleanupReply[] = [];
  for (const site of sites) done.push(await cleanSite(deps, { site, allManagers, signal }));
  const terminated = done.flatMap((one) => one.terminated);
  const removed = done.flatMap((one) => one.removed);
  const kept = done.flatMap((one) => one.kept);
  const left = done.reduce((sum, one) => sum + one.left, 0);
  deps.journal({
    code: 'cleanup',
    level: 'warn',
    detail: { terminated: terminated.length, removed: removed.length, kept: kept.length, left },
  });
  deps.nudge();
  return { terminated, removed, kept, left };
}

/** The rows follow: leases end with their machines, since a person asked for it. */
function markEnded(deps: CleanupDeps, instances: ReadonlySet<string>): void {
  const { store, clock } = deps;
  const now = clock.now();
  const lost: Lease[] = [];
  store.transaction(() => {
    for (const machine of store.machines()) {
      const isOurs = machine.instance !== null && instances.has(machine.instance);
      if (
        machine.phase === 'gone' ||
        machine.phase === 'terminating' ||
        !(isOurs || machine.instance === null)
      )
        continue;
      const lease = machine.lease === null ? null : store.lease(machine.lease);
      if (lease !== null) {
        store.deleteLease(lease.name);
        lost.push(lease);
      }
      const loose = {
        ...machine,
        lease: null,
        cleaning: false,
        ending: 'cleanup' as const,
      };
      const asked = { ...loose, endAskedAt: now, endAccepted: true };
      // A launch on its way may still bring an instance: its row waits for it, to end it.
      const mayCome = machine.instance === null && store.launch(machine.launch)?.state === 'intended';
      if (mayCome) store.putMachine(moveMachine(loose, 'terminating', now));
      else store.putMachine(moveMachine(asked, machine.instance === null ? 'gone' : 'terminating', now));
    }
  });
  for (const lease of lost) deps.tellGone(lease, 'cleanup ended it');
}
