// Puts the jobs of a workload into GitLab: single ones as they come, pipelines of stages as one, whose later stages GitLab
// itself begins.
// Trap: projects must be there before anybody reads their list, so they are made at once and not with their first job.
import type { Arrival } from '../workload.ts';
import type { Gitlab } from './gitlab.ts';
import type { Job, JobSpec } from './job.ts';

/** One moment at which something is put in. */
export type Entry = { atMs: number; enter(): Job[] };

function pipelineOf(gitlab: Gitlab, jobs: readonly Arrival[], toSpec: (job: Arrival) => JobSpec): Entry {
  const stages = Map.groupBy(jobs, ({ place }) => place?.stage ?? 0);
  const inOrder = [...stages].toSorted(([a], [b]) => a - b).map(([, some]) => some.map(toSpec));
  const project = inOrder[0]?.[0]?.project;
  const wish = { stages: inOrder, ...(project === undefined ? {} : { project }) };
  const atMs = Math.min(...jobs.map((job) => job.atMs));
  return { atMs, enter: () => gitlab.addPipeline(wish).jobs };
}

/** What is to be put in when, in the order of the jobs; the projects are made now. */
export function entriesOf(gitlab: Gitlab, arrivals: readonly Arrival[]): Entry[] {
  const projects = new Map(gitlab.projects().map(({ path, id }) => [path, id]));
  function projectOf(path: string): number {
    const id = projects.get(path) ?? gitlab.addProject({ path }).id;
    projects.set(path, id);
    return id;
  }
  const toSpec = ({ durationMs, tags, place, name, project, fails }: Arrival): JobSpec => ({
    durationMs,
    tags,
    ...(project === undefined ? {} : { project: projectOf(project) }),
    ...(name === undefined ? {} : { name }),
    ...(place === undefined ? {} : { stageName: place.stageName }),
    ...(fails === true ? { outcome: 'failed' as const } : {}),
  });
  const pipelines = Map.groupBy(
    arrivals.filter(({ place }) => place !== undefined),
    ({ place }) => place?.pipeline,
  );
  const entries: Entry[] = [];
  for (const job of arrivals) {
    const whole = pipelines.get(job.place?.pipeline);
    if (whole === undefined) {
      const spec = toSpec(job);
      entries.push({ atMs: job.atMs, enter: () => [gitlab.enqueue(spec)] });
    } else if (whole[0] === job) entries.push(pipelineOf(gitlab, whole, toSpec));
  }
  return entries.toSorted((a, b) => a.atMs - b.atMs);
}
