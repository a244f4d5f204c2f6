import { defineConfig } from 'vitest/config';

/** Real Docker hosts in containers behind the emulated cloud: Debian and root only, skipped with one line elsewhere. */
export default defineConfig({
  test: {
    name: 'hosts',
    include: ['test/hosts/**/*.test.ts'],
    globalSetup: ['test/hosts/set-up.ts'],
    // One file at a time: each boots hosts, and a small machine has few cores.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 90_000,
  },
});
