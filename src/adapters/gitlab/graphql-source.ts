// Source B: several projects a look, one operation each in one multiplexed GraphQL request (facts: gitlab-queue 2 and 9).
// Traps: GitLab allows `Project.jobs` once an operation and counts by its name and text, so each has its own; complexity is
// capped for the whole batch, so the batch shrinks when GitLab says so; a project hidden from the token is null, not an error;
// an error in one project's operation must not cost the others their look.
import { messageOf } from '../../domain/error.ts';
import { gitlabError, gitlabFailure } from '../../domain/gitlab-failure.ts';
import type { ProjectRef, QueuedJob } from '../../domain/queue.ts';
import type { LookOrder, QueueAnswer, QueueSource } from '../../ports/queue.ts';
import { graphConnection, graphJob, readEach } from './answers.ts';
import { askMany, type GraphData, graphError, type Operation, TOO_COMPLEX, UNKNOWN_PART } from './graphql.ts';
import type { GitlabHttp } from './http-client.ts';
import { fromGraph, type Moment } from './read-jobs.ts';

/** Seven lean operations of about 28 stay below a complexity of 250. */
const USUAL_BATCH = 7;
/** Pages of 100 that are read of one project. */
const MOST_PAGES = 20;
/** What GitLab allows in a project's full path; anything else never goes into a query. */
const FULL_PATH = /^[\p{L}\p{N}_][\p{L}\p{N}_.+/-]{0,499}$/u;

/** `again`: its operation failed among others that did not; a second time it counts as refused. */
type Page = { project: ProjectRef; after: string | null; again?: true };
type State = { batch: number; withKind: boolean };

function operationFor({ project, after }: Page, statuses: readonly string[], state: State): Operation {
  const states = statuses.map((status) => status.toUpperCase()).join(', ');
  const kind = state.withKind ? ', kind: BUILD' : '';
  const from = after === null ? '' : `, after: ${JSON.stringify(after)}`;
  const status = statuses.length > 1 ? ' status startedAt pipeline { id } stage { name }' : '';
  const name = `hostler${project.id}`;
  const query =
    `query ${name} { project(fullPath: ${JSON.stringify(project.path)}) { id ` +
    `jobs(statuses: [${states}]${kind}, first: 100${from}) { ` +
    `nodes { id name tags queuedAt refName createdByTag${status} } pageInfo { hasNextPage endCursor } } } }`;
  return { operationName: name, query };
}

type Read = { jobs: QueuedJob[]; whole: boolean; after: string | null } | { refused: string };

function readPart(part: GraphData, project: ProjectRef, at: Moment & { url: string; status: string }): Read {
  const node = part.data['project'];
  const [problem] = part.errors;
  if (typeof node !== 'object' || node === null) {
    if (problem !== undefined) throw graphError(problem);
    return { refused: 'GitLab does not show this project to the token' };
  }
  const connection = graphConnection.safeParse((node as Record<string, unknown>)['jobs']);
  if (!connection.success) {
    if (problem !== undefined) throw graphError(problem);
    return { refused: "GitLab does not show this project's jobs to the token" };
  }
  const { nodes, pageInfo } = connection.data;
  const { read, whole } = readEach(graphJob, nodes);
  const jobs = read.flatMap((job) => fromGraph(job, { project, status: at.status, url: at.url }, at) ?? []);
  const after = pageInfo?.hasNextPage === true ? (pageInfo.endCursor ?? null) : null;
  return { jobs, whole: whole && jobs.length === read.length, after };
}

/** Asks for one batch; shrinks or simplifies what GitLab refuses and says whether to try again. */
function learn(state: State, error: unknown): boolean {
  const words = messageOf(error);
  if (TOO_COMPLEX.test(words) && state.batch > 1) {
    state.batch = Math.max(1, Math.floor(state.batch / 2));
    return true;
  }
  if (UNKNOWN_PART.test(words) && words.includes('kind') && state.withKind) {
    state.withKind = false;
    return true;
  }
  return false;
}

type Sum = QueueAnswer & { jobs: QueuedJob[]; refused: { project: number; why: string }[]; pages: number };

/** What concerns the whole request, not one project: a limit, or what `learn` knows to ask otherwise. */
function isCommon(error: unknown): boolean {
  const words = messageOf(error);
  return gitlabFailure(error).kind === 'throttled' || TOO_COMPLEX.test(words) || UNKNOWN_PART.test(words);
}

type Answered = { page: Page; read: Read } | { page: Page; failed: unknown };

function readAnswer(part: GraphData, page: Page, at: Moment & { url: string; status: string }): Answered {
  try {
    return { page, read: readPart(part, page.project, at) };
  } catch (failed) {
    if (isCommon(failed)) throw failed;
    return { page, failed };
  }
}

/** Adds what one operation told; returns the page that is still to be asked for. */
function take(sum: Sum, answered: Answered): Page[] {
  const { page } = answered;
  const { project } = page;
  if ('failed' in answered) {
    if (page.again !== true) return [{ ...page, again: true }];
    sum.refused.push({ project: project.id, why: messageOf(answered.failed) });
    return [];
  }
  const { read } = answered;
  if ('refused' in read) {
    sum.refused.push({ project: project.id, why: read.refused });
    return [];
  }
  sum.jobs.push(...read.jobs);
  sum.complete &&= read.whole;
  return read.after === null ? [] : [{ project, after: read.after }];
}

/** One request; returns the pages that are still to be asked for. */
async function askBatch(
  http: GitlabHttp,
  pages: readonly Page[],
  order: LookOrder,
  context: { state: State; url: string; signal: AbortSignal; sum: Sum },
): Promise<Page[]> {
  const { state, sum } = context;
  const operations = pages.map((page) => operationFor(page, order.statuses, state));
  const { parts, answer } = await askMany(http, operations, context.signal, order.urgent);
  const at = { ...answer, url: context.url, status: order.statuses[0] ?? 'pending' };
  const answered = parts.flatMap((part, index) => {
    const page = pages[index];
    return page === undefined ? [] : [readAnswer(part, page, at)];
  });
  const failures = answered.flatMap((one) =>
    'failed' in one && one.page.again !== true ? [one.failed] : [],
  );
  // Nothing worked: that is GitLab's trouble or the token's, and no project's.
  if (failures.length === pages.length) throw failures[0];
  sum.observedAt = Math.min(sum.observedAt, answer.sentAt);
  sum.pages += 1;
  return answered.flatMap((one) => take(sum, one));
}

/** The source over one connection; `url` makes links of the paths that GraphQL gives. */
export function createGraphqlSource(http: GitlabHttp, url: string): QueueSource {
  const state: State = { batch: USUAL_BATCH, withKind: true };

  async function look(order: LookOrder, signal: AbortSignal): Promise<QueueAnswer> {
    const sum: Sum = { jobs: [], observedAt: Infinity, complete: true, refused: [], pages: 0 };
    const odd = order.projects.filter(({ path }) => !FULL_PATH.test(path));
    for (const { id } of odd) sum.refused.push({ project: id, why: 'its path is not known' });
    let open: Page[] = order.projects
      .filter((project) => !odd.includes(project))
      .map((project) => ({ project, after: null }));
    while (open.length > 0) {
      if (sum.pages >= MOST_PAGES) return { ...sum, complete: false };
      const batch = open.slice(0, state.batch);
      try {
        const more = await askBatch(http, batch, order, { state, url, signal, sum });
        open = [...open.slice(batch.length), ...more];
      } catch (error) {
        if (learn(state, error)) continue;
        // Half an answer is still worth something, but only whole projects are: the rest comes with the next look.
        throw error;
      }
    }
    if (sum.observedAt === Infinity && sum.refused.length === 0)
      throw gitlabError('malformed', 'no project was asked for');
    return sum;
  }

  return {
    name: 'graphql',
    get projectsPerLook() {
      return state.batch;
    },
    look,
  };
}
