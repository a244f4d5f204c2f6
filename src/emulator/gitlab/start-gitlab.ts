// The emulated GitLab on HTTP: the world's GitLab behind the API that readers of its queue and gitlab-runner itself call.
// Listens on loopback only. Runners of the world take jobs directly, real ones over HTTP, people by control calls.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { messageOf } from '../../domain/error.ts';
import { createGitlab, type Gitlab } from '../../sim/gitlab/gitlab.ts';
import { createSeeded } from '../../sim/seeded.ts';
import type { Timeline } from '../../sim/timeline.ts';
import { listen } from '../http-door.ts';
import { createRealTimeline } from '../real-timeline.ts';
import { createCallLimits } from './call-limits.ts';
import { type AnswerTrouble, answerGitlabControl, type ControlParts } from './gitlab-control.ts';
import { createJobIndex, type GitlabParts, type GitlabSettings } from './gitlab-parts.ts';
import { answerGraph } from './graph-answers.ts';
import { createJobHooks } from './job-hooks.ts';
import { answerRest } from './rest-answers.ts';
import { createRunnerApi, type RunnerApi } from './runner-api.ts';

export type GitlabOptions = {
  /** 0 (default) = a free one. */
  port?: number;
  /** Default: a new one on the emulator's real time. */
  gitlab?: Gitlab;
  timeline?: Timeline;
  /** Default 19.4.1. */
  version?: string;
  token?: string | null;
  isAdmin?: boolean;
  readsRunners?: boolean;
  /** Default 600, GitLab's own. */
  jobsPerMinute?: number;
  callsPerMinute?: number;
  seed?: number;
  onTrouble?: (line: string) => void;
};

export type EmulatedGitlab = {
  url: string;
  port: number;
  gitlab: Gitlab;
  settings: GitlabSettings;
  /** Calls so far: `jobs`, `graphql`, `projects` …, and `429` for those that were refused. */
  calls(): Readonly<Record<string, number>>;
  hide(project: number, hidden: boolean): void;
  control(method: string, name: string, body?: object): { status: number; body: unknown };
  close(): Promise<void>;
};

/** Multiplexed queries are the largest requests. */
const MOST_BODY = 1_048_576;

async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BODY) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Artifacts may be of any size, and nothing reads them. */
async function passOver(request: IncomingMessage): Promise<Buffer> {
  for await (const _ of request);
  return Buffer.alloc(0);
}

/** What a call is counted as. */
function kindOf(path: string): string {
  if (path === '/api/graphql') return 'graphql';
  if (path === '/api/v4/jobs/request') return 'request';
  if (path.startsWith('/api/v4/jobs/')) return path.endsWith('/trace') ? 'trace' : 'update';
  const [, list] = /^\/api\/v4\/(version|projects|runners|groups)/.exec(path) ?? [];
  if (/^\/api\/v4\/projects\/[^/]+\/jobs$/.test(path)) return 'jobs';
  if (/\/repository\//.test(path)) return 'ref';
  if (/^\/api\/v4\/projects\/[^/]+\/jobs\/\d+$/.test(path)) return 'job';
  return list === 'groups' ? 'projects' : (list ?? 'other');
}

function tokenOf({ headers }: IncomingMessage): string {
  const own = headers['private-token'];
  return (Array.isArray(own) ? own[0] : own) ?? headers.authorization?.replace(/^Bearer /i, '') ?? '';
}

const TEXT = 'text/plain';

type Reply = { status: number; headers?: Readonly<Record<string, string>>; body: unknown };

type Door = ControlParts & {
  runnerApi: RunnerApi;
  limits: ReturnType<typeof createCallLimits>;
  count(kind: string): void;
  random: ReturnType<typeof createSeeded>;
};

const API = '/api/v4/';

function answer(door: Door, request: IncomingMessage, body: Buffer): Reply {
  const { settings } = door;
  const href = request.url ?? '/';
  const { pathname, searchParams } = new URL(href, door.url());
  const { method = 'GET', headers } = request;
  if (pathname.startsWith(API)) {
    const ofRunner = door.runnerApi.answer({ method, path: pathname.slice(API.length), headers, body });
    if (ofRunner !== null) return ofRunner;
  }
  const sent = tokenOf(request);
  if (sent === '' || (settings.token !== null && sent !== settings.token))
    return { status: 401, body: { message: '401 Unauthorized' } };
  if (pathname === '/api/graphql' && method === 'POST') return answerGraph(door, body.toString('utf8'));
  if (method !== 'GET' || !pathname.startsWith(API)) return { status: 404, body: { error: '404 Not Found' } };
  // Names of projects are encoded in the path; URL leaves them so.
  return answerRest(door, { path: pathname.slice(API.length), search: searchParams, href });
}

function send(door: Door, response: ServerResponse, reply: Reply): void {
  const isText = reply.headers?.['content-type'] === TEXT;
  const text = isText ? String(reply.body) : reply.body === null ? '' : JSON.stringify(reply.body);
  const now = door.timeline.now();
  response.writeHead(reply.status, {
    'content-type': 'application/json',
    date: new Date(now).toUTCString(),
    'content-length': String(Buffer.byteLength(text)),
    ...reply.headers,
  });
  const { half } = door.trouble;
  if (now >= half.until || door.random.float() >= half.share) return void response.end(text);
  response.write(text.slice(0, text.length / 2), () => response.destroy());
}

async function serve(door: Door, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '/'] = (request.url ?? '/').split('?');
  const body = path.endsWith('/artifacts') ? await passOver(request) : await bodyOf(request);
  if (body === null)
    return send(door, response, { status: 413, body: { error: '413 Request Entity Too Large' } });
  if (path.startsWith('/_emulator/gitlab/')) {
    const name = path.slice('/_emulator/gitlab/'.length);
    return send(
      door,
      response,
      answerGitlabControl(door, { method: request.method ?? 'GET', name, body: body.toString('utf8') }),
    );
  }
  const kind = kindOf(path);
  door.count(kind);
  const limit = door.limits.count(kind === 'jobs' ? 'jobs' : 'other');
  const { delayMs, refused } = door.gitlab.weather.call();
  const whole = (): Reply => {
    if (refused === 502) return { status: 502, body: 'GitLab is not responding' };
    // The world's throttle says when to come back in one half of its refusals only.
    if (refused === 429) {
      const again = door.random.float() < 0.5 ? { 'retry-after': '5' } : {};
      return { status: 429, headers: { ...limit.headers, ...again }, body: { message: 'Retry later' } };
    }
    if (limit.refused) {
      const message = 'This endpoint has been requested too many times. Try again later.';
      return { status: 429, headers: limit.headers, body: { message: { error: message } } };
    }
    const made = answer(door, request, body);
    return { ...made, headers: { ...limit.headers, ...made.headers } };
  };
  const reply = whole();
  if (reply.status === 429) door.count('429');
  if (delayMs > 0) door.timeline.after(delayMs, () => send(door, response, reply));
  else send(door, response, reply);
}

function settingsOf(options: GitlabOptions): GitlabSettings {
  const { version = '19.4.1', token = null, isAdmin = true, readsRunners = true } = options;
  const { jobsPerMinute = 600, callsPerMinute = 0 } = options;
  const major = Number(/^\d+/.exec(version)?.[0] ?? 19);
  return { version, major, token, isAdmin, readsRunners, jobsPerMinute, callsPerMinute };
}

/** Starts an emulated GitLab on loopback. Throws HostlerError `port-in-use`. */
export async function startGitlab(options: GitlabOptions = {}): Promise<EmulatedGitlab> {
  const { seed = 1, onTrouble = () => undefined } = options;
  const real = options.timeline === undefined ? createRealTimeline() : null;
  const timeline = options.timeline ?? real ?? createRealTimeline();
  const gitlab = options.gitlab ?? createGitlab({ timeline, seed });
  const settings = settingsOf(options);
  const hidden = new Set<number>();
  const calls: Record<string, number> = {};
  const server = createServer({ keepAliveTimeout: 75_000 });
  const port = await listen(server, options.port ?? 0);
  const url = `http://127.0.0.1:${port}`;
  const trouble: AnswerTrouble = { half: { share: 0, until: 0 } };
  const parts: GitlabParts = {
    gitlab,
    timeline,
    settings,
    url: () => url,
    jobsOf: createJobIndex(gitlab),
    traces: new Map(),
    isHidden: (project) => hidden.has(project),
    hide: (project, isHidden) => void (isHidden ? hidden.add(project) : hidden.delete(project)),
  };
  const hooks = createJobHooks(parts);
  const runnerApi = createRunnerApi(parts);
  const door: Door = {
    ...parts,
    runnerApi,
    hooks,
    trouble,
    calls: () => calls,
    limits: createCallLimits(timeline, settings),
    random: createSeeded(seed + 7),
    count(kind) {
      calls[kind] = (calls[kind] ?? 0) + 1;
    },
  };
  server.on('request', (request, response) => {
    serve(door, request, response).catch((error: unknown) => {
      onTrouble(`a request to GitLab failed: ${messageOf(error)}`);
      response.destroy();
    });
  });
  return {
    url,
    port,
    gitlab,
    settings,
    calls: () => calls,
    hide: parts.hide,
    control: (method, name, body = {}) =>
      answerGitlabControl(door, { method, name, body: JSON.stringify(body) }),
    async close() {
      hooks.close();
      real?.close();
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
}
