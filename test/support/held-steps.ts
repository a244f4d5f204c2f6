// Emulated hosts that stop at a provisioning step, to look at, or to kill, a daemon that is in the middle of it.
// Trap: a script that stopped ends there, as one does whose connection was lost; two of them must never go on at once.
import { startHost } from '../../src/emulator/host/start-host.ts';
import type { StartHost } from '../../src/emulator/host-keeper.ts';

export type HeldSteps = {
  /** For `startEmulator`. */
  startHost: StartHost;
  /** The next host that comes to this step stops there. Resolves once it did. */
  holdAt(step: string): Promise<void>;
  /** Ends the scripts that stopped. */
  endStopped(): void;
};

/** Hosts that stop where they are told to. */
export function createHeldSteps(): HeldSteps {
  let wanted: { step: string; held: () => void } | null = null;
  let stopped: (() => void)[] = [];
  return {
    startHost: (options) =>
      startHost({
        ...options,
        reached: (step) => {
          if (wanted?.step !== step) return;
          const { held } = wanted;
          wanted = null;
          return new Promise<void>((_resolve, reject) => {
            stopped.push(() => reject(new Error('the connection was lost')));
            held();
          });
        },
      }),
    holdAt: (step) =>
      new Promise((held) => {
        wanted = { step, held };
      }),
    endStopped() {
      const all = stopped;
      stopped = [];
      for (const end of all) end();
    },
  };
}
