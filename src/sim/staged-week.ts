// Pipelines of the model week with stages: which jobs a pipeline has, what they are called and how long they run. A later
// stage comes when the one before has succeeded, so it depends on the machines when its jobs are queued.
// Trap: names recur in a project and have a usual length each, as real jobs have; spread between names and around them
// together make the same log-normal lengths as without stages.
import { createSeeded, hashOf, type Seeded } from './seeded.ts';
import type { Arrival, Durations } from './workload.ts';

/** Projects that pipelines belong to, all alike busy. */
const PROJECTS = 10;
/** Part of a pipeline's jobs that build; one deploys, where there are three at least; the others test. */
const BUILD_SHARE = 0.2;
/** Variance of lengths that lies between names, the rest around each: a job differs by a third of sigma from run to run. */
const BETWEEN_NAMES = 8 / 9;
/** Beneath GitLab's own limit of an hour, so that no job of a model times out. */
const LONGEST_MS = 3_000_000;
const SHORTEST_MS = 1_000;

/** Stages that a pipeline without `stages:` has (GitLab, CI/CD YAML syntax reference). */
const STAGES = ['build', 'test', 'deploy'] as const;

export type StagedPipelines = {
  /** 2: build and test; 3: build, test and deploy. */
  stages: 2 | 3;
  durations: Durations;
  tags: readonly string[];
  /** Chance of a job to fail; its pipeline goes no further. */
  failing: number;
  seed: number;
};

/** Jobs by stage: one job tests, of two one builds. */
export function stageSizes(jobs: number, stages: 2 | 3): readonly [number, number, number] {
  if (jobs === 1) return [0, 1, 0];
  const deploy = stages === 3 && jobs >= 3 ? 1 : 0;
  const build = Math.max(1, Math.round(jobs * BUILD_SHARE));
  return [build, jobs - build - deploy, deploy];
}

/** A draw of the standard normal distribution. */
export function normal(random: Seeded): number {
  return Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
}

/** Makes the pipelines of one source; `random` is its own. */
export function createPipelines(wish: StagedPipelines, random: Seeded) {
  const { seed, tags } = wish;
  let made = 0;

  function lengthOf(key: string, { medianMs, sigma }: Durations): number {
    if (sigma === 0) return medianMs;
    const usual = normal(createSeeded(hashOf(`${seed} ${key}`))) * Math.sqrt(BETWEEN_NAMES);
    const around = normal(random) * Math.sqrt(1 - BETWEEN_NAMES);
    const drawn = medianMs * Math.exp(sigma * (usual + around));
    return Math.round(Math.min(Math.max(drawn, SHORTEST_MS), Math.max(LONGEST_MS, medianMs)));
  }

  /** One pipeline that is made at that moment; `kind` parts the names of a batch from those of the day. */
  return (atMs: number, jobs: number, { kind = '', longer = 1 } = {}): Arrival[] => {
    made += 1;
    const pipeline = `${seed}-${made}`;
    const project = `group/project-${1 + Math.floor(random.float() * PROJECTS)}`;
    const durations = { ...wish.durations, medianMs: wish.durations.medianMs * longer };
    return stageSizes(jobs, wish.stages).flatMap((count, stage) =>
      Array.from({ length: count }, (_, index): Arrival => {
        const stageName = STAGES[stage] ?? '';
        const name = `${kind}${stageName}${count > 1 || stage === 1 ? ` ${index + 1}` : ''}`;
        const durationMs = lengthOf(`${project} ${name}`, durations);
        const fails = random.float() < wish.failing;
        const place = { pipeline, stage, stageName };
        return {
          atMs: Math.round(atMs),
          durationMs,
          tags,
          place,
          name,
          project,
          ...(fails ? { fails } : {}),
        };
      }),
    );
  };
}
