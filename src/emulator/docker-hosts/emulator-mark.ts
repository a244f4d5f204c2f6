// The label on everything that this emulator makes in Docker, and the removal of what emulators left that were killed.
// Must not touch anything without the label, nor what belongs to an emulator that still runs, here or elsewhere.
// Trap: process ids come again; so the mark holds the process's start as well.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { listOf } from './docker-answers.ts';
import type { DockerClient } from './docker-client.ts';

/** Label of containers, volumes and networks. */
export const MARK = 'hostler.emulator';

/** When a process began, in ticks since the machine's start (field 22 of /proc/PID/stat), or null when it is gone. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces: count from behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** This process's mark: machine, process id, its start. */
export function ownMark(): string {
  return `${hostname()}/${process.pid}/${startOf(process.pid) ?? ''}`;
}

/** True for a mark of this machine whose process is gone. */
function isLeft(mark: string): boolean {
  const [machine = '', pid = '', start = ''] = mark.split('/');
  return machine === hostname() && /^\d{1,10}$/.test(pid) && startOf(Number(pid)) !== start;
}

/** Removes hosts and networks of emulators on this machine that ended without doing so. Gives the number of hosts. */
export async function removeLeftovers(docker: DockerClient): Promise<number> {
  const filters = encodeURIComponent(JSON.stringify({ label: [MARK] }));
  const left = async (path: string) =>
    listOf(await docker.json({ method: 'GET', path })).filter(({ labels }) => isLeft(labels[MARK] ?? ''));
  const hosts = await left(`/containers/json?all=1&filters=${filters}`);
  for (const { id } of hosts) await docker.call({ method: 'DELETE', path: `/containers/${id}?force=1&v=1` });
  for (const { id } of await left(`/networks?filters=${filters}`))
    await docker.call({ method: 'DELETE', path: `/networks/${id}` });
  return hosts.length;
}
