// A machine as the runner remembers it. Its memory dies with its process; the store's folders do not.

/** `acquired`: picked for a job or for asking for one; `used`: a job runs on it. */
export type MachineState = 'creating' | 'idle' | 'acquired' | 'used' | 'removing';

export type RunnerMachine = {
  readonly name: string;
  state: MachineState;
  /** Jobs it was used for; one found in the store counts as used once. */
  builds: number;
  /** When it came, or its last job ended: IdleTime counts from here. */
  usedAt: number;
};
