// Processes of doors, found as an operator finds them: by their command line or environment in /proc.
// Trap: a process may end while it is read; one that cannot be read does not count.
import { readdirSync, readFileSync } from 'node:fs';

function matching(file: 'cmdline' | 'environ', part: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(part);
      } catch {
        return false;
      }
    });
}

/** Ids of processes with this machine's name on their command line; null when there is none. */
export function processesNaming(name: string): number[] | null {
  const found = matching('cmdline', name);
  return found.length > 0 ? found : null;
}

/** Ids of processes that have this text in their environment. */
export function processesMarked(mark: string): number[] {
  return matching('environ', mark);
}
