// Whether GitLab's queue pays is simulated, never guessed: one day, few settings.
import { expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../src/domain/units.ts';
import type { Arrival } from '../../src/sim/workload.ts';
import { adviseAhead, bestOf } from '../../src/simulator/report/advise-ahead.ts';
import { readExample } from '../../src/simulator/report/example-config.ts';
import type { Frame } from '../../src/simulator/report/run-policy.ts';

const MONDAY = Date.UTC(2026, 10, 23);

const frame = (workload: readonly Arrival[], days: number): Frame => ({
  workload,
  bootMs: 40_000,
  runner: 'on-demand',
  queue: 'config',
  flavour: 'gitlab',
  startAt: MONDAY,
  days,
  seed: 1,
  reclaimsPerHour: 0,
  prices: [],
  peerMarket: null,
});

/** A pipeline: two jobs build, then eight test. */
function pipeline(number: number, atMs: number): Arrival[] {
  const place = (stage: number) => ({ pipeline: `p${number}`, stage, stageName: `stage ${stage}` });
  const job = (stage: number): Arrival => ({
    atMs,
    durationMs: 3 * MINUTE_MS,
    tags: [],
    place: place(stage),
  });
  return [...Array.from({ length: 2 }, () => job(0)), ...Array.from({ length: 8 }, () => job(1))];
}

async function ask(workload: readonly Arrival[], days: number) {
  const config = await readExample();
  const [pool] = config.pools;
  if (pool === undefined) throw new Error('no pool');
  const base = { idleCount: 8, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: 10 * MINUTE_MS };
  const schedule = { base, periods: [] };
  return await adviseAhead({ config, pool, schedule, frame: frame(workload, days), waitP95S: 50 });
}

test('with announced stages fewer machines are held; what makes jobs wait longer than asked does not pay', async () => {
  const quiet = pipeline(0, HOUR_MS);
  const busy = [24.5, 25.5, 26.5].flatMap((hour, index) => pipeline(index + 1, hour * HOUR_MS));
  const { startAt, jobs, tried, best, untried } = await ask([...quiet, ...busy], 1.15);
  expect([startAt, jobs]).toEqual([MONDAY + 24 * HOUR_MS, busy.length]);
  expect(tried.map(({ wish }) => wish?.lookahead ?? false)).toEqual([false, true, true]);
  expect(untried).toEqual(['forecast: it needs two weeks of jobs before that day']);
  const [plain] = tried;
  const idle = (one: (typeof tried)[number] | null | undefined) => one?.run.figures.machine_hours.idle ?? 0;
  expect(best?.wish).toMatchObject({ lookahead: true, forecast: false, share: 0.25 });
  expect(idle(best)).toBeLessThan(0.5 * idle(plain));
  expect(best?.run.figures.lookahead_hits).toBeGreaterThan(0.5);
  // How long the first pipelines' jobs take nobody knew, so that their tests waited for a boot.
  expect(bestOf(tried, 20)).toBeNull();
});

test('jobs without stages and without a past have nothing to learn from', async () => {
  const jobs = [1, 2, 3].map((hour) => ({ atMs: hour * HOUR_MS, durationMs: MINUTE_MS, tags: [] }));
  const { tried, best, untried } = await ask(jobs, 0.15);
  expect(tried).toHaveLength(1);
  expect(best).toBeNull();
  expect(untried.map((why) => why.split(':')[0])).toEqual(['look-ahead', 'forecast']);
});
