// Ends everything that this owner has in EC2, also what has no record (what a `terraform destroy` leaves behind), and
// looks again to prove it. Trap: it ends hosts with jobs too, so only a person may ask for it.
import type { CleanupReply } from '../contract/api.ts';
import type { CloudSite } from '../domain/config.ts';
import { HostlerError, messageOf } from '../domain/error.ts';
import { type Instance, TAG } from '../domain/instance.ts';
import type { Lease } from '../domain/lease.ts';
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

/** Ends this owner's instances at these sites; of other managers only with `allManagers`. */
export async function cleanUp(
  deps: CleanupDeps,
  sites: readonly CloudSite[],
  allManagers: boolean,
): Promise<CleanupReply> {
  const { cloud, clock } = deps;
  const signal = clock.timeout(CLEANUP_LIMIT_MS);
  deps.drainPools();
  const terminated: string[] = [];
  const kept: { instance: string; why: string }[] = [];
  let left = 0;
  for (const site of sites) {
    let seen: readonly Instance[];
    try {
      seen = await cloud.list(site, deps.owner, signal);
    } catch (error) {
      throw new HostlerError('cloud-refused', `instances cannot be listed: ${messageOf(error)}`, {
        where: site.key,
        cause: error,
      });
    }
    const alive = seen.filter((instance) => !isOver(instance));
    const ours = alive.filter((instance) => allManagers || instance.tags[TAG.manager] === deps.manager);
    for (const instance of alive)
      if (!ours.includes(instance)) kept.push({ instance: instance.id, why: 'another manager owns it' });
    markEnded(deps, new Set(ours.map((instance) => instance.id)));
    for (const answer of await cloud.terminate(
      site,
      ours.map((instance) => instance.id),
      signal,
    )) {
      if (answer.kind === 'accepted') terminated.push(answer.instance);
      else kept.push({ instance: answer.instance, why: `${answer.outcome.code}: ${answer.outcome.message}` });
    }
    const after = await cloud.list(site, deps.owner, signal);
    left += after.filter(
      (instance) => !isOver(instance) && (allManagers || instance.tags[TAG.manager] === deps.manager),
    ).length;
  }
  deps.journal({
    code: 'cleanup',
    level: 'warn',
    detail: { terminated: terminated.length, kept: kept.length, left },
  });
  deps.nudge();
  return { terminated, kept, left };
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
