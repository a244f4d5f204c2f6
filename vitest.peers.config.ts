import { defineConfig } from 'vitest/config';

/** A second opinion on the wire format from other people's emulators; skipped with one line where they cannot be installed. */
export default defineConfig({
  test: {
    name: 'peers',
    globalSetup: ['test/peers/set-up.ts'],
    include: ['test/peers/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
