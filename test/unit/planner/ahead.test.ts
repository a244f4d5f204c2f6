// What is foretold moves the idle count within its bounds, and nothing else.
import { describe, expect, test } from 'vitest';
import type { IdlePolicy, PoolSpec } from '../../../src/domain/config.ts';
import type { Observation } from '../../../src/domain/observation.ts';
import type { QueueView } from '../../../src/domain/queue.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { planTick } from '../../../src/planner/plan.ts';
import { counter, leased, NOON, observation, poolSpec, schedule } from '../../support/builders.ts';

function sizeOf(
  idle: Partial<IdlePolicy>,
  queue: Partial<QueueView>,
  over: Partial<Omit<Observation, 'pools'>> = {},
  own: Partial<PoolSpec> = {},
) {
  const spec = poolSpec({ ownSchedule: schedule(idle), runnerSchedule: schedule({}), ...own });
  const view = { pools: new Map(), groups: [], otherJobs: 0, ...queue };
  const seen = observation({ pools: [spec], queue: view, ...over });
  const [size] = planTick(seen, counter()).pools;
  return { wantIdle: size?.wantIdle, codes: size?.reasons.map(({ code }) => code) ?? [] };
}

const forecast = (...jobs: number[]) => ({
  forecast: new Map([
    ['linux', jobs.map((count, index) => ({ from: NOON + index * 15 * MINUTE_MS, jobs: count }))],
  ]),
});
/** A stage of one job in so many seconds each. */
const coming = (...inSeconds: number[]) => stages(...inSeconds.map((seconds) => ({ seconds })));
const stages = (...all: { seconds: number; jobs?: number; leaving?: number }[]) => ({
  coming: new Map([
    [
      'linux',
      all.map(({ seconds, jobs = 1, leaving = 0 }) => {
        return { jobs, leaving, expectedAt: NOON + seconds * SECOND_MS, observedAt: NOON };
      }),
    ],
  ]),
});
const range = { idleCount: 10, idleCountMin: 2 };

describe('a forecast', () => {
  test.each([
    [0, 2],
    [1, 2],
    [7, 7],
    [40, 10],
  ])('of a rush of %i jobs makes the idle count %i between IdleCountMin 2 and IdleCount 10', (jobs, idle) => {
    const { wantIdle, codes } = sizeOf(range, forecast(jobs));
    expect(wantIdle).toBe(idle);
    expect(codes.includes('forecast')).toBe(idle !== 10);
  });

  test('is what comes on top of the jobs that run already', () => {
    const busy = Array.from({ length: 5 }, (_, index) => leased(`j${index}`, { job: true }));
    const seen = {
      machines: busy.map(({ machine }) => machine),
      leases: busy.map(({ lease }) => lease),
    };
    expect(sizeOf(range, forecast(9), seen).wantIdle).toBe(9);
  });

  test('takes the next quarter into account once it is within a boot', () => {
    expect(sizeOf(range, forecast(3, 8)).wantIdle).toBe(3);
    const soon = {
      forecast: new Map([
        [
          'linux',
          [
            { from: NOON, jobs: 3 },
            { from: NOON + 30 * SECOND_MS, jobs: 8 },
          ],
        ],
      ]),
    };
    expect(sizeOf(range, soon).wantIdle).toBe(8);
  });

  test('that is not known leaves the idle count as it is, and a pool on demand stays on demand', () => {
    expect(sizeOf(range, { forecast: new Map([['linux', []]]) }).wantIdle).toBe(10);
    expect(sizeOf({ idleCount: 0 }, forecast(50)).wantIdle).toBe(0);
  });
});

describe('jobs of the next stage', () => {
  const scaled = { idleCount: 10, idleCountMin: 1, idleScaleFactor: 0.5 };

  test('are launched for when they are expected within a boot, up to IdleCount', () => {
    expect(sizeOf(scaled, {}).wantIdle).toBe(1);
    expect(sizeOf(scaled, coming(10, 20, 30)).wantIdle).toBe(1 + 3);
    expect(sizeOf(scaled, coming(10, 20, 600)).wantIdle).toBe(1 + 2);
    const many = sizeOf(scaled, coming(...Array.from({ length: 40 }, () => 5)));
    expect(many.wantIdle).toBe(10);
    expect(many.codes).toContain('lookahead');
  });

  test('find the machines that the stage before leaves, where machines serve several jobs', () => {
    const next = stages({ seconds: 10, jobs: 5, leaving: 2 });
    expect(sizeOf(scaled, next).wantIdle).toBe(1 + 3);
    expect(sizeOf(scaled, stages({ seconds: 10, jobs: 1, leaving: 4 })).wantIdle).toBe(1);
    expect(sizeOf(scaled, next, {}, { maxBuilds: 1 }).wantIdle).toBe(1 + 5);
  });

  test('never lower what is wanted anyway, nor launch for a pool on demand', () => {
    expect(sizeOf(range, coming(10)).wantIdle).toBe(10);
    expect(sizeOf({ idleCount: 0 }, coming(10)).wantIdle).toBe(0);
  });
});
