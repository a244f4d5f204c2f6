// The bound on what a run may cost: an oracle that knows all jobs needs their time, a boot and the idle time for each, and the
// idle machines that the file wants. Faults cost what they cost: each adds an allowance.
// Must stay generous: it is there to find a leak or a storm, not to grade a policy.
import { type DurationMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import type { CostBook } from '../run/cost-book.ts';
import type { Scenario } from '../run/scenario.ts';
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';

/** How much worse than the oracle is still no leak. */
const FACTOR = 2;
/** Machine time that one fault may waste: its host until its time limits, and the one that replaces it. */
const A_FAULT_MS: DurationMs = 40 * MINUTE_MS;

type CostInput = {
  stage: Stage;
  scenario: Scenario;
  book: BreachBook;
  sum: ReturnType<CostBook['sum']>;
  elapsedMs: DurationMs;
  fired: Readonly<Record<string, number>>;
};

/** Compares what ran with what an oracle would have run. */
export function checkCost({ stage, scenario, book, sum, elapsedMs, fired }: CostInput): void {
  let neededMs = 0;
  for (const { hostAt, endedAt, createdAt } of stage.gitlab.jobs())
    neededMs += Math.max(0, (endedAt ?? createdAt) - (hostAt ?? endedAt ?? createdAt));
  const pools = scenario.pools;
  const idleMs = Math.max(...pools.map(({ idleTimeS }) => idleTimeS * 1000));
  const overheadMs = scenario.jobs.length * (scenario.bootMs + idleMs + 2 * MINUTE_MS);
  const standing = pools.reduce(
    (total, { idleCount }) => total + Math.max(idleCount, scenario.way === 'standing' ? 5 : 0) + 2,
    0,
  );
  const faultsMs = Object.values(fired).reduce((a, b) => a + b, 0) * A_FAULT_MS;
  const boundMs = FACTOR * (neededMs + overheadMs + standing * elapsedMs) + faultsMs;
  if (sum.machineMs > boundMs)
    book.add(
      'cost',
      `${(sum.machineMs / HOUR_MS).toFixed(1)} machine-hours, ${(boundMs / HOUR_MS).toFixed(1)} explained`,
    );
}
