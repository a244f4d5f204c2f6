// The TCP door: /metrics, /healthz, /readyz for monitoring, plain text, GET and HEAD only.
// It must never change anything: whoever reaches the port may read figures and no more.
// Trap: the port is open to the network, so bodies, headers, waits and connections are bounded here.
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { messageOf } from '../../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';

/** What a probe asks: one word for the status, lines for the reader. */
export type Verdict = { ok: boolean; lines: readonly string[] };

export type TelemetryDeps = {
  /** Prometheus text format 0.0.4. */
  metrics(): Promise<string>;
  /** Red when the loop stands still or the store fails. */
  health(): Verdict;
  /** Red until leases can be served. */
  ready(): Verdict;
};

/** Bytes; no request here has a body. */
const MAX_BODY_BYTES = 1_024;

/** Milliseconds in which a request must have come in whole: a scraper sends one packet. */
const REQUEST_LIMIT_MS: DurationMs = 10 * SECOND_MS;

/** Milliseconds a quiet connection is kept: longer than the usual scrape interval of 15 to 60 s. */
const KEEP_ALIVE_MS: DurationMs = 75 * SECOND_MS;

/** Connections at once; a handful of scrapers and probes need one or two each. */
const MAX_CONNECTIONS = 100;

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';

function sayVerdict(reply: FastifyReply, verdict: Verdict): FastifyReply {
  const head = verdict.ok ? 'ok' : 'not ok';
  return reply
    .code(verdict.ok ? 200 : 503)
    .type(TEXT_TYPE)
    .send(`${[head, ...verdict.lines].join('\n')}\n`);
}

/** The app without a port: call `inject` in tests, `listenOn` in the daemon. */
export function createTelemetryApp(deps: TelemetryDeps): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_LIMIT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: true,
    frameworkErrors: (error, _request, reply) => {
      const plain = reply as unknown as FastifyReply;
      void plain
        .code(400)
        .type(TEXT_TYPE)
        .send(`hostler: ${messageOf(error)}\n`);
    },
  });
  app.server.maxConnections = MAX_CONNECTIONS;

  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    if (request.method === 'GET' || request.method === 'HEAD') return;
    await reply
      .code(405)
      .header('allow', 'GET, HEAD')
      .type(TEXT_TYPE)
      .send('hostler: only GET and HEAD here; changes go through the socket\n');
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).type(TEXT_TYPE).send('hostler: no such page; there are /metrics, /healthz and /readyz\n'),
  );
  app.setErrorHandler((error, _request, reply) => {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    return reply
      .code(status)
      .type(TEXT_TYPE)
      .send(`hostler: ${messageOf(error)}\n`);
  });

  app.get('/metrics', async (_request, reply) => reply.type(METRICS_TYPE).send(await deps.metrics()));
  app.get('/healthz', async (_request, reply) => sayVerdict(reply, deps.health()));
  app.get('/readyz', async (_request, reply) => sayVerdict(reply, deps.ready()));
  return app;
}
