import { defineConfig } from 'vitest/config';

/** One project a kind of test, so that `vitest run --project unit` stays quick; `npm test` runs all. */
const project = (name: string, include: string[], extra: object = {}) => ({
  test: { name, include, testTimeout: 20_000, hookTimeout: 20_000, ...extra },
});

export default defineConfig({
  test: {
    // End-to-end files mostly wait for boots; Vitest's own choice of cores - 1 would run them one after another on two.
    maxWorkers: 3,
    projects: [
      project('house', ['test/tidy.test.ts'], { isolate: false }),
      project(
        'unit',
        ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts', 'test/scenario/**/*.test.ts'],
        {
          isolate: false,
        },
      ),
      project('sim', ['test/sim/**/*.test.ts'], { testTimeout: 120_000 }),
      project('contract', ['test/contract/**/*.test.ts'], { testTimeout: 30_000 }),
      project('e2e', ['test/e2e/**/*.test.ts'], { testTimeout: 90_000, hookTimeout: 60_000 }),
    ],
  },
});
