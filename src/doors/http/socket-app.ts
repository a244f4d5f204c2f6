// The only way to change anything: HTTP with JSON on the unix socket. Routes parse, call one use case and answer.
// Traps: fastify's own validator would drop unknown keys silently, so bodies go through zod here; a create's answer is a
// raw stream that lives as long as the door's process.
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ZodType } from 'zod';
import { API_HEADER, API_VERSION, type ErrorReply, MAX_BODY_BYTES } from '../../contract/api.ts';
import {
  breakerSchema,
  cleanupSchema,
  costQuerySchema,
  endLeaseQuerySchema,
  eventQuerySchema,
  leaseRequestSchema,
  nothingSchema,
  queueQuerySchema,
  retireSchema,
} from '../../contract/schema.ts';
import { errorCodes, HostlerError, messageOf } from '../../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Log } from '../../ports/log.ts';
import type { UseCases } from '../../service/use-cases.ts';
import { createCommitQueue } from './commit-queue.ts';
import { openLeaseStream } from './lease-stream.ts';

/** Characters of a name in a path: twice the longest machine name; fastify's own 100 would cut names off. */
const MAX_PARAM_CHARACTERS = 500;
/** Milliseconds in which a request must have come in whole: callers sit on the same machine and send it at once. */
const REQUEST_LIMIT_MS: DurationMs = 30 * SECOND_MS;

/** The oldest version that is still understood (design: one version back). */
const OLDEST_VERSION = API_VERSION - 1;

/** Throws `bad-request` with the first thing that is wrong, and the key it is wrong in. */
function parse<T>(schema: ZodType<T>, value: unknown, place: 'body' | 'query' = 'body'): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  throw new HostlerError('bad-request', issue?.message ?? 'not understood', {
    where: path === '' ? place : path,
  });
}

/** Why the caller's version is not spoken here, or nothing. */
function versionRefusal(request: FastifyRequest): HostlerError | undefined {
  const sent = request.headers[API_HEADER];
  if (sent === undefined) return undefined;
  // Number alone takes '', '0x1' and '0.5' too.
  const version = /^\d{1,9}$/.test(String(sent)) ? Number(sent) : Number.NaN;
  if (version >= OLDEST_VERSION && version <= API_VERSION) return undefined;
  const text = `this daemon speaks ${API_HEADER} ${OLDEST_VERSION} to ${API_VERSION}, the caller sent ${String(sent).slice(0, 20)}`;
  return new HostlerError('version-refused', text, { where: API_HEADER });
}

function errorBody(error: HostlerError): ErrorReply {
  return { error: { code: error.code, message: messageOf(error), where: error.where ?? null } };
}

function sendError(reply: FastifyReply, error: HostlerError): FastifyReply {
  return reply.status(errorCodes[error.code].http).send(errorBody(error));
}

/** What never became a request is answered by hand: there is no reply object yet. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const words: Record<string, HostlerError> = {
    HPE_HEADER_OVERFLOW: new HostlerError('too-large', 'the headers are larger than 16 KiB', {
      where: 'headers',
    }),
    ERR_HTTP_REQUEST_TIMEOUT: new HostlerError(
      'bad-request',
      `the request did not come in whole within ${REQUEST_LIMIT_MS / SECOND_MS} s`,
    ),
  };
  const refused =
    words[error.code ?? ''] ??
    new HostlerError('bad-request', `this is no HTTP/1.1: ${messageOf(error)}; see docs/api.md`, {
      where: 'request',
    });
  const text = JSON.stringify(errorBody(refused));
  const status = errorCodes[refused.code].http;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

/** Fastify's own refusals (size, media type, broken JSON) in our words. */
function asHostlerError(error: unknown, log: Log): HostlerError {
  if (error instanceof HostlerError) return error;
  const code = (error as { code?: string }).code ?? '';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new HostlerError('too-large', `a body has at most ${MAX_BODY_BYTES} bytes`, { where: 'body' });
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new HostlerError('bad-request', 'a body is application/json', { where: 'content-type' });
  }
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  if (status < 500) {
    const where = code.startsWith('FST_ERR_CTP') || error instanceof SyntaxError ? 'body' : 'path';
    return new HostlerError('bad-request', messageOf(error), { where });
  }
  log.error('a request failed', { error: messageOf(error) });
  return new HostlerError('internal', 'the daemon could not answer; its log says why');
}

/** The app over the use cases; listen on the socket is the caller's part. */
export function createSocketApp(useCases: UseCases, log: Log): FastifyInstance {
  const app = Fastify({
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_LIMIT_MS,
    routerOptions: { maxParamLength: MAX_PARAM_CHARACTERS },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, _request, reply) => {
      void sendError(reply, asHostlerError(error, log));
    },
  });
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(API_HEADER, API_VERSION);
    done(versionRefusal(request));
  });
  app.setErrorHandler((error, _request, reply) => sendError(reply, asHostlerError(error, log)));
  app.setNotFoundHandler((request, reply) =>
    sendError(
      reply,
      new HostlerError(
        'not-found',
        `${request.method} ${request.url.slice(0, 200)} is not served here; see docs/api.md`,
      ),
    ),
  );
  leaseRoutes(app, useCases);
  readRoutes(app, useCases);
  changeRoutes(app, useCases);
  return app;
}

function leaseRoutes(app: FastifyInstance, useCases: UseCases): void {
  const commits = createCommitQueue(useCases);
  app.post('/v1/leases', async (request, reply) => {
    commits.heard();
    const wanted = parse(leaseRequestSchema, request.body);
    useCases.assertOpen();
    const connection = openLeaseStream(reply);
    await useCases.openLease(wanted, connection);
    return reply;
  });
  app.post<{ Params: { name: string } }>('/v1/leases/:name/commit', async (request, reply) => {
    parse(nothingSchema, request.body ?? {});
    commits.heard();
    await commits.commit(request.params.name);
    return reply.send({ done: true, message: `${request.params.name} is handed over` });
  });
  app.get('/v1/leases', (_request, reply) => reply.send({ leases: useCases.leases() }));
  app.get<{ Params: { name: string } }>('/v1/leases/:name', (request, reply) =>
    reply.send(useCases.lease(request.params.name)),
  );
  app.delete<{ Params: { name: string } }>('/v1/leases/:name', async (request, reply) => {
    const { by } = parse(endLeaseQuerySchema, request.query, 'query');
    return reply.send({ done: true, message: await useCases.endLease(request.params.name, by === 'person') });
  });
}

function readRoutes(app: FastifyInstance, useCases: UseCases): void {
  app.get('/v1/status', (_request, reply) => reply.send(useCases.status()));
  app.get('/v1/machines', (_request, reply) => reply.send({ machines: useCases.machines() }));
  app.get<{ Params: { id: string } }>('/v1/machines/:id', (request, reply) =>
    reply.send(useCases.machine(request.params.id)),
  );
  app.get('/v1/pools', (_request, reply) => reply.send({ pools: useCases.pools() }));
  app.get('/v1/plan', (_request, reply) => reply.send(useCases.plan()));
  app.get('/v1/breakers', (_request, reply) => reply.send({ breakers: useCases.breakers() }));
  app.get('/v1/queue', (request, reply) => {
    const { jobs } = parse(queueQuerySchema, request.query, 'query');
    return reply.send({ queues: useCases.queue(jobs) });
  });
  app.get('/v1/events', (request, reply) => {
    const { after, limit, pool, machine, lease } = parse(eventQuerySchema, request.query, 'query');
    const query = {
      limit,
      ...(after === undefined ? {} : { after }),
      ...(pool === undefined ? {} : { pool }),
    };
    const events = useCases.events({
      ...query,
      ...(machine === undefined ? {} : { machine }),
      ...(lease === undefined ? {} : { lease }),
    });
    return reply.send({ events });
  });
  app.get('/v1/cost', (request, reply) => {
    const { by, since } = parse(costQuerySchema, request.query, 'query');
    return reply.send(useCases.cost(by, since === undefined ? null : Date.parse(since)));
  });
  app.get('/v1/leaks', async (_request, reply) => reply.send(await useCases.leaks()));
  app.get('/v1/config', (_request, reply) => reply.send(useCases.config()));
}

function changeRoutes(app: FastifyInstance, useCases: UseCases): void {
  for (const what of ['pause', 'resume', 'drain'] as const) {
    app.post<{ Params: { id: string } }>(`/v1/pools/:id/${what}`, (request, reply) => {
      parse(nothingSchema, request.body ?? {});
      return reply.send({ done: true, message: useCases.switchPool(what, request.params.id) });
    });
  }
  app.post<{ Params: { id: string } }>('/v1/machines/:id/retire', (request, reply) => {
    const { force } = parse(retireSchema, request.body ?? {});
    return reply.send({ done: true, message: useCases.retire(request.params.id, force) });
  });
  app.post('/v1/breakers/reset', (request, reply) => {
    const { key } = parse(breakerSchema, request.body ?? {});
    return reply.send({ done: true, message: useCases.resetBreaker(key) });
  });
  app.post('/v1/reload', async (request, reply) => {
    parse(nothingSchema, request.body ?? {});
    return reply.send({ done: true, message: await useCases.reload() });
  });
  app.post('/v1/cleanup', async (request, reply) => {
    const { allManagers } = parse(cleanupSchema, request.body ?? {});
    return reply.send(await useCases.cleanup(allManagers));
  });
}
