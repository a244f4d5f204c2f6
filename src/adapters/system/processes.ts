// Marks of processes from /proc: which machine and boot, which pid, started when.
// Trap: in a hardened unit /proc shows less; what it does not tell counts as "may live".
import { readFileSync, readlinkSync } from 'node:fs';
import type { Processes } from '../../ports/process-mark.ts';

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}

function machineMark(): string | null {
  const boot = textOf('/proc/sys/kernel/random/boot_id');
  try {
    // Containers share a boot but not their pids.
    return boot === null ? null : `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/** Field 22 of /proc/PID/stat: start time in ticks since boot. The name before it may hold anything but ends with `)`. */
function startOf(pid: number): string | null {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

/** The processes of this machine. */
export function createProcesses(): Processes {
  const machine = machineMark();
  return {
    own: () => ({ machine, pid: process.pid, started: startOf(process.pid) }),
    mayLive(mark) {
      if (machine === null || mark.machine !== machine || mark.started === null) return true;
      return startOf(mark.pid) === mark.started;
    },
  };
}
