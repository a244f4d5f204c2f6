// Emulated hosts that boot only when a test lets them: a create waits for exactly as long as the test wants.
import { startHost } from '../../../src/emulator/host/start-host.ts';
import type { StartHost } from '../../../src/emulator/host-keeper.ts';

export type HeldBoots = {
  /** For the emulator. */
  startHost: StartHost;
  /** Hosts that are to boot from now on wait. */
  hold(): void;
  /** All of them boot. */
  letGo(): void;
};

/** Hosts that boot at once until told otherwise. */
export function createHeldBoots(): HeldBoots {
  let opened = Promise.resolve();
  let open = (): void => undefined;
  return {
    async startHost(options) {
      await opened;
      return startHost(options);
    },
    hold() {
      open();
      opened = new Promise((resolve) => {
        open = resolve;
      });
    },
    letGo: () => open(),
  };
}
