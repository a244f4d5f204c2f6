// The typed caller of the daemon's socket, for light doors: no schema library, one keep-alive connection.
// It turns every failure into a HostlerError that says what to do; it holds no policy and never retries a change.
// Trap: `import 'node:http'` as a module evaluates lazy getters and doubles the start-up time, hence getBuiltinModule.
import type { IncomingMessage, RequestOptions } from 'node:http';
import type { CostGroup } from '../domain/cost.ts';
import { type ErrorCode, errorCodes, HostlerError, messageOf } from '../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import {
  API_HEADER,
  API_VERSION,
  type BreakerReply,
  type CleanupReply,
  type ConfigReply,
  type CostReply,
  type DoneReply,
  type EventReply,
  type LeaksReply,
  type LeaseReply,
  type MachineDetailReply,
  type MachineReply,
  type PlanReply,
  type PoolReply,
  type QueueReply,
  type StatusReply,
} from './api.ts';
import { explainAway } from './daemon-away.ts';

const http = process.getBuiltinModule('node:http');

/** Where the daemon listens unless it is told otherwise. */
export const DEFAULT_SOCKET = '/run/hostler/hostler.sock';

/** Milliseconds of silence before a call is given up. The daemon answers from memory; 15 s covers a machine that swaps. */
const ANSWER_LIMIT_MS: DurationMs = 15 * SECOND_MS;

/** Milliseconds of silence for a cleanup: it lists and terminates in EC2, throttled by our own call budgets. */
const CLEANUP_LIMIT_MS: DurationMs = 300 * SECOND_MS;

/** Bytes of one answer: 10,000 machines take about 5 MB. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Which events: those after number `after`, at most `limit` (the newest), of one pool, machine or lease. */
export type EventQuery = {
  after?: number;
  limit?: number;
  pool?: string;
  machine?: string;
  lease?: string;
};

/** Every call throws HostlerError: the daemon's own code, `daemon-away` when none answers, `internal` for an answer that is none. */
export type Client = {
  status(): Promise<StatusReply>;
  machines(): Promise<readonly MachineReply[]>;
  machine(id: string): Promise<MachineDetailReply>;
  leases(): Promise<readonly LeaseReply[]>;
  pools(): Promise<readonly PoolReply[]>;
  plan(): Promise<PlanReply>;
  breakers(): Promise<readonly BreakerReply[]>;
  /** Opens what is closed under this key. */
  resetBreaker(key: string): Promise<DoneReply>;
  /** `jobs`: how many of each pool are named (200). */
  queue(jobs?: number): Promise<readonly QueueReply[]>;
  events(query?: EventQuery): Promise<readonly EventReply[]>;
  config(): Promise<ConfigReply>;
  cost(query?: { by?: CostGroup; since?: string }): Promise<CostReply>;
  /** Asks EC2 afresh. */
  leaks(): Promise<LeaksReply>;
  pause(pool: string): Promise<DoneReply>;
  resume(pool: string): Promise<DoneReply>;
  drain(pool: string): Promise<DoneReply>;
  /** `force` ends the lease of a runner first; without it a leased machine is refused with `machine-busy`. */
  retire(machine: string, force?: boolean): Promise<DoneReply>;
  /** `by` a person ends the machine as well. */
  endLease(name: string, by?: 'person' | 'runner'): Promise<DoneReply>;
  reload(): Promise<DoneReply>;
  /** `allManagers` includes machines that another state folder of this owner launched. */
  cleanup(allManagers?: boolean): Promise<CleanupReply>;
  /** Closes kept connections. */
  close(): void;
};

type Ask = { method: 'GET' | 'POST' | 'DELETE'; path: string; body?: string; limitMs: DurationMs };
type Answer = { status: number; text: string };

function readAll(reply: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    reply.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) {
        reply.destroy();
        reject(new HostlerError('internal', `the daemon's answer is larger than ${MAX_ANSWER_BYTES} bytes`));
        return;
      }
      chunks.push(chunk);
    });
    reply.on('end', () => {
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
    reply.on('error', reject);
  });
}

/** The daemon's own refusal as an error with its code; unknown codes (a newer daemon) become `internal`. */
function refusalOf(answer: Answer, socket: string): HostlerError {
  let error: { code?: unknown; message?: unknown; where?: unknown } | undefined;
  try {
    error = (JSON.parse(answer.text) as { error?: typeof error }).error;
  } catch {
    error = undefined;
  }
  if (typeof error?.message !== 'string') {
    return new HostlerError(
      'internal',
      `${socket} answered ${answer.status} without a reason: is that hostler's socket?`,
    );
  }
  const known = typeof error.code === 'string' && Object.hasOwn(errorCodes, error.code);
  return new HostlerError(
    known ? (error.code as ErrorCode) : 'internal',
    messageOf(error.message),
    typeof error.where === 'string' ? { where: error.where } : {},
  );
}

function parseAnswer(answer: Answer, socket: string): unknown {
  if (answer.status < 200 || answer.status > 299) throw refusalOf(answer, socket);
  try {
    const value: unknown = JSON.parse(answer.text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Falls through to the one message below.
  }
  throw new HostlerError(
    'internal',
    `${socket} answered something that is no JSON object: is that hostler's socket?`,
  );
}

function queryText(query: EventQuery): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) search.set(key, String(value));
  return search.size === 0 ? '' : `?${search.toString()}`;
}

/** Calls of one daemon over its unix socket. `timeoutMs` bounds the silence of a call (default 15 s). */
export function createClient(options: { socket: string; timeoutMs?: DurationMs }): Client {
  const { socket, timeoutMs = ANSWER_LIMIT_MS } = options;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

  function send(ask: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const typed = ask.body === undefined ? {} : { 'content-type': 'application/json' };
      const settings: RequestOptions = {
        socketPath: socket,
        agent,
        method: ask.method,
        path: ask.path,
        timeout: ask.limitMs,
        headers: { [API_HEADER]: String(API_VERSION), ...typed },
      };
      const request = http.request(settings);
      const fail = (error: Error) => {
        // A kept connection that the daemon closed in the meantime says nothing: a read is asked once more.
        const { code } = error as NodeJS.ErrnoException;
        const stale = request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
        if (stale && ask.method === 'GET') resolve(send(ask));
        else
          reject(
            error instanceof HostlerError ? error : explainAway(error, { socket, limitMs: ask.limitMs }),
          );
      };
      request.on('timeout', () => {
        request.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }));
      });
      request.on('error', fail);
      request.on('response', (reply) => {
        readAll(reply).then((text) => {
          resolve({ status: reply.statusCode ?? 0, text });
        }, fail);
      });
      request.end(ask.body);
    });
  }

  async function read<T>(path: string): Promise<T> {
    return parseAnswer(await send({ method: 'GET', path, limitMs: timeoutMs }), socket) as T;
  }

  async function list<T>(path: string, key: string): Promise<readonly T[]> {
    const value = (await read<Record<string, unknown>>(path))[key];
    if (Array.isArray(value)) return value as T[];
    throw new HostlerError('internal', `${socket} answered ${path} without a list of ${key}`);
  }

  async function post<T>(path: string, values: object = {}, limitMs = timeoutMs): Promise<T> {
    const body = JSON.stringify(values);
    return parseAnswer(await send({ method: 'POST', path, body, limitMs }), socket) as T;
  }

  async function remove<T>(path: string): Promise<T> {
    return parseAnswer(await send({ method: 'DELETE', path, limitMs: timeoutMs }), socket) as T;
  }

  const of = encodeURIComponent;
  return {
    status: () => read('/v1/status'),
    machines: () => list('/v1/machines', 'machines'),
    machine: (id) => read(`/v1/machines/${of(id)}`),
    leases: () => list('/v1/leases', 'leases'),
    pools: () => list('/v1/pools', 'pools'),
    plan: () => read('/v1/plan'),
    breakers: () => list('/v1/breakers', 'breakers'),
    resetBreaker: (key) => post('/v1/breakers/reset', { key }),
    queue: (jobs) => list(`/v1/queue${jobs === undefined ? '' : `?jobs=${jobs}`}`, 'queues'),
    events: (query = {}) => list(`/v1/events${queryText(query)}`, 'events'),
    config: () => read('/v1/config'),
    leaks: () => read('/v1/leaks'),
    cost: (query = {}) => read(`/v1/cost?${new URLSearchParams(query).toString()}`),
    pause: (pool) => post(`/v1/pools/${of(pool)}/pause`),
    resume: (pool) => post(`/v1/pools/${of(pool)}/resume`),
    drain: (pool) => post(`/v1/pools/${of(pool)}/drain`),
    retire: (machine, force = false) => post(`/v1/machines/${of(machine)}/retire`, { force }),
    endLease: (name, by = 'runner') => remove(`/v1/leases/${of(name)}?by=${by}`),
    reload: () => post('/v1/reload'),
    cleanup: (allManagers = false) =>
      post('/v1/cleanup', { allManagers }, Math.max(timeoutMs, CLEANUP_LIMIT_MS)),
    close: () => {
      agent.destroy();
    },
  };
}
