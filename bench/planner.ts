// The time of one plan for many machines in 20 pools, and how it grows: a mix of busy, held and ready machines with a few
// creates waiting in each pool.
import { planTick } from '../src/planner/plan.ts';
import { counter, creates, dropIn, leased, machine, observation } from '../test/support/builders.ts';
import { atMost, median, type Row } from './row.ts';

const POOLS = 20;
const MANY = 10_000;
const FEW = 100;
/** Plans measured, after as many to warm up. */
const RUNS = 40;

function observe(machines: number, poolCount: number) {
  const pools = Array.from({ length: poolCount }, (_, index) => `pool-${String(index).padStart(2, '0')}`);
  const all = Array.from({ length: machines }, (_, index) => {
    const pool = pools[index % poolCount] ?? '';
    const id = `m-${String(index).padStart(6, '0')}`;
    if (index % 10 < 6) return leased(id, { job: true, machine: { pool }, lease: { pool } });
    if (index % 10 < 8) return leased(id, { machine: { pool }, lease: { pool } });
    return { machine: machine({ id, pool }), lease: null };
  });
  return observation({
    pools: pools.map((id) => dropIn({ idleCount: Math.ceil(machines / poolCount / 3) }, { id })),
    machines: all.map((each) => each.machine),
    leases: [
      ...all.flatMap(({ lease }) => (lease === null ? [] : [lease])),
      ...pools.flatMap((pool) => creates(3, { pool })),
    ],
    concurrent: machines,
  });
}

function timeOf(machines: number, poolCount: number): number {
  const seen = observe(machines, poolCount);
  const samples: number[] = [];
  for (let run = 0; run < 2 * RUNS; run += 1) {
    const begun = performance.now();
    planTick(seen, counter());
    if (run >= RUNS) samples.push(performance.now() - begun);
  }
  return median(samples);
}

/** Rows for the time and its growth. */
export function planner(): readonly Row[] {
  // Few machines in one pool: spread over twenty, the pools themselves would be most of the time.
  const few = timeOf(FEW, 1);
  const many = timeOf(MANY, POOLS);
  return [
    atMost(`planner: ${MANY} machines in ${POOLS} pools, p50`, many, 'ms', 15),
    atMost(`planner: per machine, ${MANY} / ${FEW}`, many / MANY / (few / FEW), 'x', 1.3),
  ];
}
