// How a scenario's jobs come: each at its time, or its bursts as pipelines with stages, whose later jobs GitLab begins itself.
// Trap: a lost job skips the stages behind it, so a run under faults may have fewer jobs than its scenario.
import { MINUTE_MS } from '../../domain/units.ts';
import { type RushHistory, recordRush } from '../../queue/forecast.ts';
import { rushFact } from '../../service/rush-book.ts';
import type { JobSpec } from '../../sim/gitlab/job.ts';
import type { Scenario, ScenarioJob } from './scenario.ts';
import type { Stage } from './stage.ts';

/** Fewer jobs come as a stage of their own. */
const LEAST_OF_A_PIPELINE = 3;
const WEEKS = 2;
const QUARTER_MS = 15 * MINUTE_MS;

/** A fifth builds, one deploys, the others test. */
function stagesOf(specs: readonly JobSpec[]): JobSpec[][] {
  const builds = Math.max(1, Math.round(specs.length / 5));
  const parts = [specs.slice(0, builds), specs.slice(builds, -1), specs.slice(-1)];
  return parts.map((some, stage) =>
    some.map((spec, index) => ({ ...spec, stageName: `stage ${stage}`, name: `job ${stage} ${index}` })),
  );
}

/** The jobs come, each at its time. */
export function scheduleJobs({ stage, scenario }: { stage: Stage; scenario: Scenario }): void {
  const pools = stage.config().pools.map(({ id }) => id);
  const specOf = ({ durationMs, pool }: ScenarioJob): JobSpec => {
    return { durationMs, tags: pools.length > 1 ? [pools[pool] ?? ''] : [] };
  };
  for (const jobs of Map.groupBy(scenario.jobs, ({ burst }) => burst).values()) {
    if (scenario.looksAhead && jobs.length >= LEAST_OF_A_PIPELINE) {
      const stages = stagesOf(jobs.map(specOf));
      const atMs = Math.min(...jobs.map((job) => job.atMs));
      stage.timeline.after(atMs + MINUTE_MS, () => void stage.gitlab.addPipeline({ stages }));
    } else
      for (const job of jobs)
        stage.timeline.after(job.atMs + MINUTE_MS, () => void stage.gitlab.enqueue(specOf(job)));
  }
}

/** Weeks in which the same bursts came at the same times: what a forecast goes by. */
export function rememberWeeks({ stage, scenario }: { stage: Stage; scenario: Scenario }): void {
  if (!scenario.looksAhead) return;
  const start = stage.timeline.now();
  for (const [index, { id }] of stage.config().pools.entries()) {
    const history: RushHistory = {};
    const mine = scenario.jobs.filter(({ pool }) => pool === index);
    const bursts = [...Map.groupBy(mine, ({ burst }) => burst).values()];
    for (let week = 1; week <= WEEKS; week += 1) {
      const before = start - week * 7 * 24 * 4 * QUARTER_MS;
      for (let at = before; at < before + scenario.lengthMs; at += QUARTER_MS) recordRush(history, at, 0);
      for (const jobs of bursts)
        recordRush(history, before + Math.min(...jobs.map(({ atMs }) => atMs)), jobs.length);
    }
    stage.daemon.disk.tables.facts.set(rushFact(id), JSON.stringify(history));
  }
}
