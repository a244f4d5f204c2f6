// GraphQL answers of the emulated GitLab: Query.project{jobs}, Query.jobs, currentUser, queryComplexity; alone or several
// operations in one request.
// GitLab's quirks stay: one project an operation, null for hidden projects, an empty list for who may not see the
// instance, complexity capped for an operation and for the batch, arguments that older versions do not know.
import type { Job, Project } from '../../sim/gitlab/job.ts';
import type { GitlabParts } from './gitlab-parts.ts';
import {
  complexityOf,
  type GraphField,
  type GraphValue,
  type GraphVariables,
  PAGE,
  readQuery,
} from './graph-query.ts';

/** Signed in (facts of its documentation); for one operation and for all of a request together. */
const MOST_COMPLEXITY = 250;

type Operation = { query: string; variables: GraphVariables };
type Answer = { data?: unknown; errors?: readonly { message: string }[] };

class Refusal extends Error {}

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

const kinds = { pipeline: 'Ci::Pipeline', project: 'Project', job: 'Ci::Build' } as const;
const gid = (kind: keyof typeof kinds, id: number): string => `gid://gitlab/${kinds[kind]}/${id}`;

/** What a type of GitLab has, field by field. */
type Shape = Readonly<Record<string, (field: GraphField) => unknown>>;

function select(type: string, shape: Shape, fields: readonly GraphField[]): Record<string, unknown> {
  const entries = fields.map((field) => {
    const answer = Object.hasOwn(shape, field.name) ? shape[field.name] : undefined;
    if (answer === undefined) throw new Refusal(`Field '${field.name}' doesn't exist on type '${type}'`);
    return [field.alias, answer(field)];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function jobNode({ gitlab }: GitlabParts, job: Job, fields: readonly GraphField[]): unknown {
  const project = gitlab.project(job.project);
  const path = `/${project.path}/-/jobs/${job.id}`;
  const shape: Shape = {
    id: () => gid('job', job.id),
    name: () => job.name,
    status: () => job.status.toUpperCase(),
    tags: () => [...job.tags],
    queuedAt: () => iso(job.queuedAt),
    createdAt: () => iso(job.createdAt),
    startedAt: () => iso(job.startedAt),
    refName: () => job.ref,
    createdByTag: () => job.refIsTag,
    webPath: () => path,
    stage: (field) => select('CiStage', { name: () => job.stageName }, field.fields),
    pipeline: (field) => select('Pipeline', { id: () => gid('pipeline', job.pipeline) }, field.fields),
    project: (field) => projectNode(project, field.fields),
  };
  return select('CiJob', shape, fields);
}

function projectNode(project: Project, fields: readonly GraphField[]): unknown {
  const shape = {
    id: () => gid('project', project.id),
    fullPath: () => project.path,
    name: () => project.name,
  };
  return select('Project', shape, fields);
}

function statusesOf(value: GraphValue | undefined): ReadonlySet<string> | null {
  return Array.isArray(value) ? new Set(value.map((one) => String(one).toLowerCase())) : null;
}

/** Newest first, as GitLab lists builds; the cursor is an id in base64. */
function connection(parts: GitlabParts, jobs: Iterable<Job>, field: GraphField): unknown {
  const statuses = statusesOf(field.args['statuses']);
  const { first, after } = field.args;
  const fitting = [...jobs].filter(({ status }) => statuses === null || statuses.has(status));
  const sorted = fitting.toSorted((a, b) => b.id - a.id);
  const below = typeof after === 'string' ? Number(Buffer.from(after, 'base64url').toString()) : Infinity;
  const rest = sorted.filter(({ id }) => !(id >= below));
  const page = rest.slice(0, Math.min(PAGE, typeof first === 'number' ? first : PAGE));
  const end = page.at(-1);
  const cursor = end === undefined ? null : Buffer.from(String(end.id)).toString('base64url');
  return select(
    'CiJobConnection',
    {
      nodes: (nodes) => page.map((job) => jobNode(parts, job, nodes.fields)),
      pageInfo: (info) =>
        select(
          'PageInfo',
          { hasNextPage: () => rest.length > page.length, endCursor: () => cursor },
          info.fields,
        ),
    },
    field.fields,
  );
}

function projectField(parts: GitlabParts, field: GraphField, count: { jobs: number }): unknown {
  const { gitlab, settings, jobsOf, isHidden } = parts;
  const path = field.args['fullPath'];
  const project = gitlab.projects().find((one) => one.path.toLowerCase() === String(path).toLowerCase());
  if (project === undefined || isHidden(project.id)) return null;
  return select(
    'Project',
    {
      id: () => gid('project', project.id),
      fullPath: () => project.path,
      jobs(jobs) {
        count.jobs += 1;
        if (count.jobs > 1)
          throw new Refusal('"jobs" field can be requested only for 1 Project(s) at a time.');
        // The argument came with GitLab 17.
        if ('kind' in jobs.args && settings.major < 17)
          throw new Refusal("Field 'jobs' doesn't accept argument 'kind'");
        return connection(parts, jobsOf(project.id), jobs);
      },
    },
    field.fields,
  );
}

function answerOne(parts: GitlabParts, fields: readonly GraphField[], complexity: number): Answer {
  const count = { jobs: 0 };
  try {
    const data = select(
      'Query',
      {
        project: (field) => projectField(parts, field, count),
        jobs: (field) => connection(parts, parts.settings.isAdmin ? parts.gitlab.jobs() : [], field),
        queryComplexity: (field) =>
          select('QueryComplexity', { score: () => complexity, limit: () => MOST_COMPLEXITY }, field.fields),
        currentUser: (field) => select('CurrentUser', { username: () => 'emulator' }, field.fields),
      },
      fields,
    );
    return { data };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { errors: [{ message: error.message }] };
  }
}

function asOperation(value: unknown): Operation | null {
  if (typeof value !== 'object' || value === null || !('query' in value)) return null;
  const { query } = value;
  const variables = 'variables' in value && typeof value.variables === 'object' ? value.variables : null;
  return typeof query === 'string' ? { query, variables: (variables ?? {}) as GraphVariables } : null;
}

const tooComplex = (complexity: number): Answer => ({
  errors: [
    {
      message: `Query has complexity of ${complexity}, which exceeds max complexity of ${MOST_COMPLEXITY}`,
    },
  ],
});

/** Answers the body of POST /api/graphql: an operation, or a list of them. */
export function answerGraph(parts: GitlabParts, body: string): { status: number; body: unknown } {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return { status: 400, body: { errors: [{ message: 'Invalid JSON' }] } };
  }
  const operations = (Array.isArray(json) ? json : [json]).map(asOperation);
  const read = operations.map((operation) => {
    try {
      if (operation === null) throw new SyntaxError('Unexpected end of document');
      return readQuery(operation.query, operation.variables);
    } catch (error) {
      if (error instanceof SyntaxError) return { errors: [{ message: error.message }] };
      throw error;
    }
  });
  const scores = read.map((fields) => (Array.isArray(fields) ? complexityOf(fields) : 0));
  const all = scores.reduce((sum, score) => sum + score, 0);
  const answers = read.map((fields, index): Answer => {
    if (!Array.isArray(fields)) return fields;
    if (all > MOST_COMPLEXITY) return tooComplex(all);
    return answerOne(parts, fields, scores[index] ?? 0);
  });
  return { status: 200, body: Array.isArray(json) ? answers : answers[0] };
}
