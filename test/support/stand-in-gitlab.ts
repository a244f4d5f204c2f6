// A small GitLab for tests, on real HTTP: the answers that hostler's queue asks for, in the shapes of GitLab 16 to 19.
// Quirks as the real one has them: no X-Total, keyset links, an empty list for the not-entitled, null for hidden projects,
// one project an operation, a bound on complexity. What a test wants to go wrong comes in through `fault`.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export type StandInJob = {
  id: number;
  project: number;
  name: string;
  status: string;
  tags: string[];
  ref: string;
  gitTag: boolean;
  /** Epoch milliseconds on the stand-in's clock. */
  queuedAt: number;
  pipeline: number;
};

export type StandInProject = {
  id: number;
  path: string;
  shared: boolean;
  group: boolean;
  archived: boolean;
  activeAt: string;
  hidden: boolean;
  protectedRefs: string[];
};

export type Asked = {
  method: string;
  path: string;
  at: number;
  headers: IncomingMessage['headers'];
  body: string;
};
export type Said = {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  raw?: string | Buffer;
  /** The connection ends in the middle of the answer. */
  isCut?: boolean;
};
/** null: answer as usual. `hang`: never. */
export type Fault = (asked: Asked) => Said | 'hang' | null;

export type StandInGitlab = {
  url: string;
  /** The one token that is let in. */
  token: string;
  server: Server;
  jobs: Map<number, StandInJob>;
  projects: Map<number, StandInProject>;
  /** Answer of GET /runners/:id; null = 403. */
  runner: Record<string, unknown> | null;
  /** Running jobs of the runner. */
  running: { id: number; status: string; project: { id: number } }[];
  isAdmin: boolean;
  hasGraphql: boolean;
  mostComplexity: number;
  /** Ids as `gid://…` (GraphQL always) or as text in REST. */
  headers: Record<string, string>;
  fault: Fault | null;
  asked: Asked[];
  /** Requests since the last call of this, by their kind. */
  count(): Record<string, number>;
  addProjects(count: number, over?: Partial<StandInProject>): void;
  addJob(over: Partial<StandInJob> & { project: number }): StandInJob;
  close(): Promise<void>;
};

const TOKEN = 'glpat-standin0000000000';
export const STAND_IN_TOKEN = TOKEN;

function restJob(job: StandInJob, now: number): Record<string, unknown> {
  return {
    id: job.id,
    status: job.status,
    stage: job.status === 'created' ? 'test' : 'build',
    name: job.name,
    started_at: job.status === 'running' ? new Date(job.queuedAt).toISOString() : null,
    ref: job.ref,
    tag: job.gitTag,
    created_at: new Date(job.queuedAt).toISOString(),
    queued_duration: (now - job.queuedAt) / 1_000,
    web_url: `https://gitlab.example.com/-/jobs/${job.id}`,
    pipeline: { id: job.pipeline, project_id: job.project },
    user: { id: 1, username: 'root' },
    runner: null,
    tag_list: job.tags,
  };
}

function graphJob(job: StandInJob, project: StandInProject | undefined): Record<string, unknown> {
  return {
    id: `gid://gitlab/Ci::Build/${job.id}`,
    name: job.name,
    status: job.status.toUpperCase(),
    tags: job.tags,
    queuedAt: new Date(job.queuedAt).toISOString(),
    createdAt: new Date(job.queuedAt).toISOString(),
    refName: job.ref,
    createdByTag: job.gitTag,
    webPath: `/-/jobs/${job.id}`,
    stage: { name: 'build' },
    pipeline: { id: `gid://gitlab/Ci::Pipeline/${job.pipeline}` },
    project: { id: `gid://gitlab/Project/${job.project}`, fullPath: project?.path ?? '' },
  };
}

function restProject(project: StandInProject): Record<string, unknown> {
  return {
    id: project.id,
    path_with_namespace: project.path,
    archived: project.archived,
    shared_runners_enabled: project.shared,
    group_runners_enabled: project.group,
    last_activity_at: project.activeAt,
  };
}

type Context = { self: StandInGitlab; now(): number };

function pageOf(
  asked: Asked,
  url: string,
  all: readonly { id: number }[],
  per = 100,
): { items: readonly { id: number }[]; next: string | null } {
  const query = new URL(asked.path, url).searchParams;
  const after = Number(query.get('id_after') ?? 0);
  const sorted = all.toSorted((a, b) => a.id - b.id).filter(({ id }) => id > after);
  const items = sorted.slice(0, per);
  const last = items.at(-1);
  if (sorted.length <= per || last === undefined) return { items, next: null };
  const target = new URL(asked.path, url);
  target.searchParams.set('id_after', String(last.id));
  return { items, next: `<${target.href}>; rel="next"` };
}

function listed(
  asked: Asked,
  self: StandInGitlab,
  all: readonly { id: number }[],
  show: (one: { id: number }) => unknown,
): Said {
  const { items, next } = pageOf(asked, self.url, all);
  return { body: items.map(show), ...(next !== null && { headers: { link: next } }) };
}

function projectOf({ self }: Context, name: string): StandInProject | null {
  const wanted = decodeURIComponent(name);
  const found = [...self.projects.values()].find(({ id, path }) => String(id) === wanted || path === wanted);
  return found === undefined || found.hidden ? null : found;
}

const notFound: Said = { status: 404, body: { message: '404 Project Not Found' } };

function answerProject(context: Context, asked: Asked, name: string, rest: string): Said {
  const { self, now } = context;
  const project = projectOf(context, name);
  if (project === null) return notFound;
  if (rest === '') return { body: restProject(project) };
  if (rest === 'jobs') {
    const scopes = new URL(asked.path, self.url).searchParams.getAll('scope[]');
    const jobs = [...self.jobs.values()].filter(
      (job) => job.project === project.id && scopes.includes(job.status),
    );
    return listed(asked, self, jobs, (job) => restJob(job as StandInJob, now()));
  }
  const job = /^jobs\/(\d+)$/.exec(rest)?.[1];
  if (job !== undefined) {
    const found = self.jobs.get(Number(job));
    return found === undefined ? notFound : { body: restJob(found, now()) };
  }
  const ref = /^repository\/(?:branches|tags)\/(.+)$/.exec(rest)?.[1];
  if (ref !== undefined)
    return { body: { protected: project.protectedRefs.includes(decodeURIComponent(ref)) } };
  return notFound;
}

function answerOperation(
  { self }: Context,
  operation: { query: string; variables?: { after?: string | null } },
): unknown {
  const { query, variables } = operation;
  const statuses = (/statuses: \[([^\]]*)\]/.exec(query)?.[1] ?? '')
    .split(', ')
    .map((word) => word.toLowerCase());
  const connection = (jobs: readonly StandInJob[], after: string | null) => {
    const sorted = jobs.toSorted((a, b) => b.id - a.id);
    const from = after === null ? 0 : sorted.findIndex(({ id }) => id === Number(after)) + 1;
    const nodes = sorted.slice(from, from + 100);
    return {
      nodes: nodes.map((job) => graphJob(job, self.projects.get(job.project))),
      pageInfo: { hasNextPage: from + 100 < sorted.length, endCursor: String(nodes.at(-1)?.id ?? '') },
    };
  };
  const path = /fullPath: ("(?:[^"\\]|\\.)*")/.exec(query)?.[1];
  const all = [...self.jobs.values()];
  if (path === undefined) {
    const visible = self.isAdmin ? all : [];
    const pending = statuses.includes('')
      ? visible.slice(0, 1)
      : visible.filter(({ status }) => statuses.includes(status));
    return { data: { jobs: connection(pending, variables?.after ?? null) } };
  }
  const project = [...self.projects.values()].find((one) => one.path === JSON.parse(path) && !one.hidden);
  if (project === undefined) return { data: { project: null } };
  const after = /after: "([^"]*)"/.exec(query)?.[1] ?? null;
  const jobs = all.filter((job) => job.project === project.id && statuses.includes(job.status));
  return { data: { project: { id: `gid://gitlab/Project/${project.id}`, jobs: connection(jobs, after) } } };
}

/** What a lean operation of one project costs by GitLab's count (facts: about 28). */
const OPERATION_COST = 28;

function answerGraphql(context: Context, asked: Asked): Said {
  const { self } = context;
  if (!self.hasGraphql) return { status: 404, raw: 'Not Found' };
  const body = JSON.parse(asked.body) as { query: string } | { query: string }[];
  if (!Array.isArray(body)) return { body: answerOperation(context, body) };
  const cost = body.length * OPERATION_COST;
  if (cost > self.mostComplexity)
    return {
      body: {
        errors: [
          {
            message: `Query has complexity of ${cost}, which exceeds max complexity of ${self.mostComplexity}`,
          },
        ],
      },
    };
  return { body: body.map((operation) => answerOperation(context, operation)) };
}

function answer(context: Context, asked: Asked): Said {
  const { self } = context;
  const token = asked.headers['private-token'] ?? asked.headers.authorization?.replace('Bearer ', '');
  if (token !== self.token) return { status: 401, body: { message: '401 Unauthorized' } };
  const { pathname } = new URL(asked.path, self.url);
  if (pathname === '/api/graphql') return answerGraphql(context, asked);
  const path = pathname.replace('/api/v4/', '');
  if (path === 'version') return { body: { version: '19.4.1-ee', revision: 'abcdef' } };
  if (path === 'projects')
    return listed(
      asked,
      self,
      [...self.projects.values()].filter(({ hidden }) => !hidden),
      (one) => restProject(one as StandInProject),
    );
  if (/^groups\/[^/]+\/projects$/.test(path))
    return listed(
      asked,
      self,
      [...self.projects.values()].filter(({ hidden }) => !hidden),
      (one) => restProject(one as StandInProject),
    );
  if (/^runners\/\d+$/.test(path))
    return self.runner === null ? { status: 403, body: { message: '403 Forbidden' } } : { body: self.runner };
  if (/^runners\/\d+\/jobs$/.test(path)) return { body: self.running };
  const [, name = '', , rest = ''] = /^projects\/([^/]+)(\/(.*))?$/.exec(path) ?? [];
  return name === '' ? notFound : answerProject(context, asked, name, rest);
}

function kindOf(path: string): string {
  const [plain = ''] = path.split('?');
  if (plain.endsWith('/graphql')) return 'graphql';
  if (plain.endsWith('/jobs')) return plain.includes('/runners/') ? 'running' : 'jobs';
  if (plain.endsWith('/projects')) return 'projects';
  if (plain.includes('/repository/')) return 'ref';
  return plain.split('/').at(-2) ?? plain;
}

function reply(response: ServerResponse, said: Said, self: StandInGitlab, now: number): void {
  const headers = {
    date: new Date(now).toUTCString(),
    'content-type': 'application/json',
    ...self.headers,
    ...said.headers,
  };
  const body = said.raw ?? JSON.stringify(said.body ?? {});
  response.writeHead(said.status ?? 200, headers);
  if (said.isCut === true) response.write(body, () => response.destroy());
  else response.end(body);
}

/** Starts one with no project; `now` gives its clock, `tls` makes it speak HTTPS. */
export async function startStandInGitlab({
  now = Date.now,
  tls,
  token = TOKEN,
}: {
  now?: () => number;
  token?: string;
  tls?: { key: string; cert: string };
} = {}): Promise<StandInGitlab> {
  let counted = 0;
  let lastJob = 1_000;
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const asked: Asked = {
        method: request.method ?? '',
        path: request.url ?? '',
        at: now(),
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      self.asked.push(asked);
      const fault = self.fault?.(asked) ?? null;
      if (fault !== 'hang') reply(response, fault ?? answer({ self, now }, asked), self, now());
    });
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const self: StandInGitlab = {
    url: tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    token,
    server,
    jobs: new Map(),
    projects: new Map(),
    runner: null,
    running: [],
    isAdmin: false,
    hasGraphql: true,
    mostComplexity: 250,
    headers: {},
    fault: null,
    asked: [],
    count() {
      const counts: Record<string, number> = {};
      for (const { path } of self.asked.slice(counted))
        counts[kindOf(path)] = (counts[kindOf(path)] ?? 0) + 1;
      counted = self.asked.length;
      return counts;
    },
    addProjects(count, over = {}) {
      for (let made = 0; made < count; made++) {
        const id = self.projects.size + 1;
        const activeAt = new Date(now() - 3_600_000 * id).toISOString();
        const usual = { shared: true, group: true, archived: false, hidden: false, protectedRefs: ['main'] };
        self.projects.set(id, { id, path: `group/p${id}`, activeAt, ...usual, ...over });
      }
    },
    addJob(over) {
      lastJob += 1;
      const job = {
        id: lastJob,
        name: `job ${lastJob}`,
        status: 'pending',
        tags: [],
        ref: 'main',
        gitTag: false,
        queuedAt: now(),
        pipeline: 1,
        ...over,
      };
      self.jobs.set(job.id, job);
      return job;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
