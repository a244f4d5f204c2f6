// Source A: the pending jobs of one project a look, by REST with keyset paging (facts: gitlab-queue 1 and 9).
// Trap: this list has no X-Total, so only its last page tells that it is whole.
import type { QueuedJob } from '../../domain/queue.ts';
import type { LookOrder, QueueAnswer, QueueSource } from '../../ports/queue.ts';
import { readEach, restJob } from './answers.ts';
import type { GitlabHttp } from './http-client.ts';
import { asList, firstFailure, isRefusal } from './lists.ts';
import { fromRest } from './read-jobs.ts';

/** Pages of 100 that are read of one project; a queue of thousands is launched for by its first ones. */
const MOST_PAGES = 20;

type Project = LookOrder['projects'][number];
type Part = { jobs: QueuedJob[]; complete: boolean; observedAt: number };

async function lookAt(
  http: GitlabHttp,
  project: Project,
  { statuses, urgent = false }: Pick<LookOrder, 'statuses' | 'urgent'>,
  signal: AbortSignal,
): Promise<Part> {
  const scopes = statuses.map((status) => `scope[]=${encodeURIComponent(status)}`).join('&');
  let path: string | null =
    `v4/projects/${project.id}/jobs?${scopes}&per_page=100&pagination=keyset&order_by=id&sort=asc`;
  const part: Part = { jobs: [], complete: true, observedAt: 0 };
  const seen = new Set<string>();
  while (path !== null) {
    if (seen.size >= MOST_PAGES || seen.has(path)) return { ...part, complete: false };
    seen.add(path);
    try {
      const answer = await http.ask({ what: 'jobs', path, urgent }, signal);
      const { read, whole } = readEach(restJob, asList('jobs', answer.json));
      if (part.observedAt === 0) part.observedAt = answer.sentAt;
      part.complete &&= whole && answer.whole;
      part.jobs.push(...read.map((job) => fromRest(job, project, answer)));
      path = answer.next;
    } catch (error) {
      if (seen.size === 1) throw error;
      return { ...part, complete: false };
    }
  }
  return part;
}

/** The source over one connection. */
export function createRestSource(http: GitlabHttp): QueueSource {
  return {
    name: 'rest',
    projectsPerLook: 1,
    async look(order, signal): Promise<QueueAnswer> {
      const answer = {
        jobs: [] as QueuedJob[],
        complete: true,
        refused: [] as { project: number; why: string }[],
      };
      let observedAt = Infinity;
      const failures: unknown[] = [];
      for (const project of order.projects) {
        try {
          const part = await lookAt(http, project, order, signal);
          answer.jobs.push(...part.jobs);
          answer.complete &&= part.complete;
          observedAt = Math.min(observedAt, part.observedAt);
        } catch (error) {
          if (!isRefusal(error)) failures.push(error);
          else answer.refused.push({ project: project.id, why: error.message });
        }
      }
      if (failures.length > 0) throw firstFailure(failures);
      return { ...answer, observedAt };
    },
  };
}
