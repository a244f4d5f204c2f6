// The only way to change anything: HTTP with JSON on the unix socket. Routes parse, call one use case and answer.
// Traps: fastify's own validator would drop unknown keys silently, so bodies go through zod here; a create's answer is a
// raw stream that lives as long as the door's process.
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ZodType } from 'zod';
import { API_HEADER, API_VERSION, type ErrorReply, MAX_BODY_BYTES } from '../../contract/api.ts';
import {
  cleanupSchema,
  endLeaseQuerySchema,
  eventQuerySchema,
  leaseRequestSchema,
  nothingSchema,
  retireSchema,
} from '../../contract/schema.ts';
import { errorCodes, HostlerError, messageOf } from '../../domain/error.ts';
import type { Log } from '../../ports/log.ts';
import type { UseCases } from '../../service/use-cases.ts';
import { openLeaseStream } from './lease-stream.ts';

/** The oldest version that is still understood (design: one version back). */
const OLDEST_VERSION = API_VERSION - 1;

function parse<T>(schema: ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const key = issue?.path.join('.') ?? '';
  throw new HostlerError('bad-request', issue?.message ?? 'not understood', key === '' ? {} : { where: key });
}

function checkVersion(request: FastifyRequest): void {
  const sent = request.headers[API_HEADER];
  if (sent === undefined) return;
  const version = Number(sent);
  if (version >= OLDEST_VERSION && version <= API_VERSION) return;
  const text = `this daemon speaks ${API_HEADER} ${OLDEST_VERSION} to ${API_VERSION}, the caller sent ${String(sent).slice(0, 20)}`;
  throw new HostlerError('version-refused', text, { where: API_HEADER });
}

function sendError(reply: FastifyReply, error: HostlerError): FastifyReply {
  const body: ErrorReply = {
    error: { code: error.code, message: messageOf(error), where: error.where ?? null },
  };
  return reply.status(errorCodes[error.code].http).send(body);
}

/** Fastify's own refusals (size, media type, broken JSON) in our words. */
function asHostlerError(error: unknown, log: Log): HostlerError {
  if (error instanceof HostlerError) return error;
  const code = (error as { code?: string }).code ?? '';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new HostlerError('too-large', `a body has at most ${MAX_BODY_BYTES} bytes`);
  }
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  if (status < 500) return new HostlerError('bad-request', messageOf(error));
  log.error('a request failed', { error: messageOf(error) });
  return new HostlerError('internal', 'the daemon could not answer; its log says why');
}

/** The app over the use cases; listen on the socket is the caller's part. */
export function createSocketApp(useCases: UseCases, log: Log): FastifyInstance {
  const app = Fastify({ bodyLimit: MAX_BODY_BYTES, exposeHeadRoutes: false, forceCloseConnections: true });
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (request, reply) => {
    reply.header(API_HEADER, API_VERSION);
    checkVersion(request);
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
  app.post('/v1/leases', async (request, reply) => {
    const wanted = parse(leaseRequestSchema, request.body);
    useCases.assertOpen();
    const connection = openLeaseStream(reply);
    await useCases.openLease(wanted, connection);
    return reply;
  });
  app.post<{ Params: { name: string } }>('/v1/leases/:name/commit', (request, reply) => {
    parse(nothingSchema, request.body ?? {});
    useCases.commitLease(request.params.name);
    return reply.send({ done: true, message: `${request.params.name} is handed over` });
  });
  app.get('/v1/leases', (_request, reply) => reply.send({ leases: useCases.leases() }));
  app.get<{ Params: { name: string } }>('/v1/leases/:name', (request, reply) =>
    reply.send(useCases.lease(request.params.name)),
  );
  app.delete<{ Params: { name: string } }>('/v1/leases/:name', async (request, reply) => {
    const { by } = parse(endLeaseQuerySchema, request.query);
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
  app.get('/v1/events', (request, reply) => {
    const { after, limit, pool, machine, lease } = parse(eventQuerySchema, request.query);
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
  app.post('/v1/reload', async (request, reply) => {
    parse(nothingSchema, request.body ?? {});
    return reply.send({ done: true, message: await useCases.reload() });
  });
  app.post('/v1/cleanup', async (request, reply) => {
    const { allManagers } = parse(cleanupSchema, request.body ?? {});
    return reply.send(await useCases.cleanup(allManagers));
  });
}
