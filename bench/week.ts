// Two days of a working week, made from a seed: idle machine-hours of hostler and of docker+machine, each with a setting that
// keeps the 95th percentile of the waits within 15 s. hostler has the example of `hostler simulate`; of docker+machine several
// settings around its best are tried and the cheapest counts, so that a change of the policy or of the jobs shows.
// Trap: whole weeks and more seeds stand in docs/simulate.md; this is their short form.
import { HOUR_MS, SECOND_MS } from '../src/domain/units.ts';
import { readExample } from '../src/simulator/report/example-config.ts';
import type { PolicyFigures } from '../src/simulator/report/figures.ts';
import { type Frame, runPolicy } from '../src/simulator/report/run-policy.ts';
import { readSettings } from '../src/simulator/report/settings.ts';
import { cheapest, keepsWait, sweep } from '../src/simulator/report/sweep.ts';
import { makeWorkload } from '../src/simulator/report/workloads.ts';
import { atMost, informs, type Row } from './row.ts';

const WAIT_P95_S = 15;
const DAY_MS = 24 * HOUR_MS;
/** Tuesday and Wednesday. */
const days = { startAt: Date.UTC(2026, 10, 24), days: 2, seed: 1 };
/** Weeks before them, of other draws, from which the forecast has learned. */
const PAST = { startAt: days.startAt - 14 * DAY_MS, days: 14, seed: 1_000_004 };

const frame: Frame = {
  ...days,
  workload: makeWorkload('week', days),
  learned: { lengthMs: PAST.days * DAY_MS, arrivals: makeWorkload('week', PAST) },
  bootMs: 40 * SECOND_MS,
  runner: 'on-demand',
  flavour: 'gitlab',
  reclaimsPerHour: 0,
  prices: [],
  peerMarket: null,
};

const peerSettings = ['autoscaling.0.IdleCount=4..8', 'autoscaling.0.IdleTime=300,450,600'];

/** docker+machine's cheapest, or the one that comes nearest to the wait. */
async function peer(): Promise<PolicyFigures> {
  const points = readSettings(peerSettings);
  const tried = await sweep('docker-machine', await readExample(), { frame, points, waitP95S: WAIT_P95_S });
  const byWait = tried.toSorted((a, b) => a.run.figures.wait_s.p95 - b.run.figures.wait_s.p95);
  const best = cheapest(tried, WAIT_P95_S) ?? byWait[0];
  if (best === undefined) throw new Error('no setting of docker+machine was tried');
  return best.run.figures;
}

/** Rows for the idle hours of both and their ratio. A policy that misses the wait has none to compare. */
export async function week(): Promise<readonly Row[]> {
  const { figures: ours } = await runPolicy('hostler', await readExample(), frame);
  const theirs = await peer();
  const isKept = [ours, theirs].every((figures) => keepsWait(figures, WAIT_P95_S));
  const ratio = isKept ? ours.machine_hours.idle / theirs.machine_hours.idle : Number.POSITIVE_INFINITY;
  const named = `${days.days} days of a week, p95 wait within ${WAIT_P95_S} s (simulated)`;
  return [
    atMost(`${named}: idle machine-hours / docker+machine's`, ratio, 'x', 0.7),
    informs(`${named}: idle machine-hours`, ours.machine_hours.idle, 'h'),
    informs(`${named}: p95 wait`, ours.wait_s.p95, 's'),
    informs(`${named}: docker+machine's idle machine-hours`, theirs.machine_hours.idle, 'h'),
    informs(`${named}: docker+machine's p95 wait`, theirs.wait_s.p95, 's'),
  ];
}
