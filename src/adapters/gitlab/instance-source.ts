// Source D: every pending job of the instance in one GraphQL query, for tokens of an admin (facts: gitlab-queue 2 and 9).
// Trap: who lacks the right gets an empty list and no error. So an empty answer is believed only while the unfiltered list
// of jobs shows something; otherwise a right that was taken away would read as an empty queue.
import { gitlabError } from '../../domain/gitlab-failure.ts';
import type { QueuedJob } from '../../domain/queue.ts';
import { type DurationMs, MINUTE_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LookOrder, QueueAnswer, QueueSource } from '../../ports/queue.ts';
import { graphConnection, graphJob, readEach } from './answers.ts';
import { askGraph, graphError } from './graphql.ts';
import type { GitlabHttp } from './http-client.ts';
import { fromGraph } from './read-jobs.ts';

/** Pages of 100: 5,000 pending jobs are more than any pool holds machines for. */
const MOST_PAGES = 50;
/** An empty queue is checked against the right to see it so often, and whenever it turns empty. */
const RIGHT_CHECKED_MS: DurationMs = 10 * MINUTE_MS;

const FIELDS =
  'id name status tags queuedAt createdAt refName createdByTag webPath stage { name } pipeline { id } project { id fullPath }';

function queryFor(statuses: readonly string[]): string {
  const states = statuses.map((status) => status.toUpperCase()).join(', ');
  return (
    `query hostlerPending($after: String) { jobs(statuses: [${states}], first: 100, after: $after) { ` +
    `nodes { ${FIELDS} } pageInfo { hasNextPage endCursor } } }`
  );
}

/** True when the token sees any job of the instance. An instance without a single job says no. */
export async function seesInstance(http: GitlabHttp, signal: AbortSignal): Promise<boolean> {
  const query = 'query hostlerInstance { jobs(first: 1) { nodes { id } } }';
  const { data } = await askGraph(http, { operationName: 'hostlerInstance', query }, signal);
  const connection = graphConnection.safeParse(data['jobs']);
  return connection.success && connection.data.nodes.length > 0;
}

/** The source over one connection; `url` makes links of the paths that GraphQL gives. */
export function createInstanceSource(http: GitlabHttp, url: string, clock: Clock): QueueSource {
  let wasEmpty = false;
  let checkedAt: DurationMs | null = null;

  async function checkRight(signal: AbortSignal): Promise<void> {
    const now = clock.monotonic();
    if (wasEmpty && checkedAt !== null && now - checkedAt < RIGHT_CHECKED_MS) return;
    if (!(await seesInstance(http, signal)))
      throw gitlabError(
        'denied',
        'GitLab shows no job of the instance to this token: it needs an admin, or read_admin_cicd',
      );
    checkedAt = now;
  }

  type Sum = { jobs: Map<number, QueuedJob>; observedAt: number; complete: boolean };

  async function readPages({ statuses, urgent }: LookOrder, signal: AbortSignal): Promise<Sum> {
    const sum: Sum = { jobs: new Map(), observedAt: Infinity, complete: true };
    const query = queryFor(statuses);
    const seen = new Set<string | null>();
    for (let after: string | null = null; ; ) {
      if (seen.size >= MOST_PAGES || seen.has(after)) return { ...sum, complete: false };
      seen.add(after);
      const operation = { operationName: 'hostlerPending', query, variables: { after } };
      const { data, errors, answer } = await askGraph(http, operation, signal, urgent);
      const connection = graphConnection.safeParse(data['jobs']);
      if (!connection.success) throw graphError(errors[0] ?? 'the answer holds no jobs');
      const { read, whole } = readEach(graphJob, connection.data.nodes);
      const status = statuses[0] ?? 'pending';
      for (const one of read) {
        const job = fromGraph(one, { project: null, status, url }, answer);
        if (job === null) sum.complete = false;
        else sum.jobs.set(job.id, job);
      }
      sum.complete &&= whole;
      sum.observedAt = Math.min(sum.observedAt, answer.sentAt);
      const { pageInfo } = connection.data;
      if (pageInfo?.hasNextPage !== true) return sum;
      after = pageInfo.endCursor ?? null;
    }
  }

  return {
    name: 'instance',
    projectsPerLook: 0,
    async look(order, signal): Promise<QueueAnswer> {
      const { jobs, observedAt, complete } = await readPages(order, signal);
      if (jobs.size === 0) await checkRight(signal);
      wasEmpty = jobs.size === 0;
      return { jobs: [...jobs.values()], observedAt, complete, refused: [] };
    },
  };
}
