// What tells one process from all others, so that a claim that it left behind can be known as dead.

export type ProcessMark = {
  /** This machine since its boot, and this process's view of it; null where the system does not tell. */
  machine: string | null;
  pid: number;
  /** When it started, in the system's own count: a pid may be given again. */
  started: string | null;
};

export interface Processes {
  own(): ProcessMark;
  /** False only when that process is known to have ended: same machine, same boot, and not there any more. */
  mayLive(mark: ProcessMark): boolean;
}
