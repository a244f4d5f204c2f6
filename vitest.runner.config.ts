import { defineConfig } from 'vitest/config';

/** A real gitlab-runner of the user's drives hostler on Docker hosts that boot: HOSTLER_GITLAB_RUNNER=/path/to/gitlab-runner. */
export default defineConfig({
  test: {
    name: 'runner',
    globalSetup: ['test/runner/set-up.ts'],
    include: ['test/runner/*.test.ts'],
    // A cancelled job is told after 30 s, a dead host within 90 s, each on hosts that boot first.
    testTimeout: 240_000,
    hookTimeout: 180_000,
    teardownTimeout: 120_000,
    fileParallelism: false,
  },
});
