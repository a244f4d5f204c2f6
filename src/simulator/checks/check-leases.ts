// Leases against the runner's folders, once a minute: none that nobody holds, no folder for a host that is not its own, no host
// in two folders.
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';
import type { Patience } from './patience.ts';

/** Ten minutes without folder (design §4), an hour for a host that nobody can speak to, both begun anew by a crash. */
const LEASE_GRACE_MIN = 150;
/** Ten minutes without a lease (service/ghost-folders.ts), and what fails on the way. */
const GHOST_GRACE_MIN = 25;

function forgottenLeases({ folder, daemon, jobHosts }: Stage): string[] {
  const { leases, machines } = daemon.disk.tables;
  const hasJob = (machine: string | null) => {
    const instance = machines.get(machine ?? '')?.instance ?? null;
    return instance !== null && jobHosts.jobsOn(instance).length > 0;
  };
  return [...leases.values()].flatMap(({ name, state, machine }) =>
    state === 'held' && !folder.machines.has(name) && !hasJob(machine) ? [name] : [],
  );
}

/** Folders that look well to the runner and whose host no lease of theirs holds. */
function ghostFolders({ folder, daemon }: Stage): string[] {
  const { leases, machines } = daemon.disk.tables;
  const ghosts: string[] = [];
  for (const [name, { health }] of folder.machines) {
    if (health?.kind === 'gone' || health?.kind === 'dead') continue;
    const phase = machines.get(leases.get(name)?.machine ?? '')?.phase ?? 'gone';
    if (phase === 'gone' || phase === 'terminating') ghosts.push(name);
  }
  return ghosts;
}

/** Two folders of one host, each with a lease of its own. */
function checkShared({ folder, daemon }: Stage, book: BreachBook): void {
  const byMachine = new Map<string, string>();
  for (const name of folder.machines.keys()) {
    const host = daemon.disk.tables.leases.get(name)?.machine ?? null;
    if (host === null) continue;
    const other = byMachine.get(host);
    if (other !== undefined) book.add('shared-host', `${name} and ${other} hold ${host}`);
    byMachine.set(host, name);
  }
}

/** Looks at all leases and folders. */
export function checkLeases(stage: Stage, book: BreachBook, patience: Patience, isGood: boolean): void {
  const forgotten = { kind: 'lease', keys: forgottenLeases(stage), minutes: LEASE_GRACE_MIN };
  for (const name of patience.look(forgotten, isGood))
    book.add('forgotten-lease', `${name} is held, and its folder is gone`);
  const ghosts = { kind: 'ghost', keys: ghostFolders(stage), minutes: GHOST_GRACE_MIN };
  for (const name of patience.look(ghosts, isGood))
    book.add('ghost-folder', `${name} stands for a host that nobody holds`);
  checkShared(stage, book);
}
