import { defineConfig } from 'vitest/config';

/** A second opinion on the wire format from other people's emulators; skipped with one line where they are not installed. */
export default defineConfig({
  test: { name: 'peers', include: ['test/peers/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
});
