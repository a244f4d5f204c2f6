import { defineConfig } from 'vitest/config';

/** Ends what hangs; a machine with ten times as much to do as it can takes minutes to boot eight hosts at once. */
const limits = { testTimeout: 180_000, hookTimeout: 300_000, teardownTimeout: 120_000 };

/** Real Docker hosts in containers behind the emulated cloud: Debian and root only, skipped with one line elsewhere. */
export default defineConfig({
  test: {
    globalSetup: ['test/hosts/set-up.ts'],
    projects: [
      {
        test: {
          ...limits,
          name: 'hosts',
          include: ['test/hosts/*.test.ts'],
          // One file at a time, and nothing beside: each boots hosts and tells how long that took, on few cores.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...limits,
          name: 'patience',
          // Side by side: these mostly wait for timers and boots, and how long they take does not matter.
          include: ['test/hosts/patience/*.test.ts'],
          testTimeout: 300_000,
          sequence: { groupOrder: 2 },
          maxWorkers: 3,
        },
      },
    ],
  },
});
