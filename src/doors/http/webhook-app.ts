// The door for GitLab's Job Hooks: proves who sends them and says which project changed. Off unless webhook_listen is set.
// It must change nothing and believe nothing of a body but the project's number: what waits there is asked of GitLab.
// Traps: the port is open to others, so everything is bounded; GitLab switches a hook off after failures in a row, so
// events that do not matter are answered with 200.
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { z } from 'zod';
import { type DurationMs, type EpochMs, SECOND_MS } from '../../domain/units.ts';
import type { HookGuard } from './webhook-proof.ts';

/** Bytes; GitLab's own payloads of jobs have some 5 KB. */
export const MAX_HOOK_BYTES = 1024 * 1024;
/** Milliseconds in which a call must have come in whole; GitLab itself gives up after 10 s. */
const REQUEST_LIMIT_MS: DurationMs = 10 * SECOND_MS;
/** Node looks for calls beyond that limit each 30 s only; slow ones would hold the places for others that long. */
const LIMIT_CHECK_MS: DurationMs = SECOND_MS;
/** GitLab sends from several workers at once. */
const MAX_CONNECTIONS = 100;

/** States of a job that make the queue another one; all others change it by what the runner does, which is known. */
const CHANGES = new Set(['pending', 'canceled', 'canceling', 'skipped']);

const jobHook = z.object({
  object_kind: z.string().max(100),
  build_status: z.string().max(100).nullish(),
  project_id: z.int().min(1).max(1e12).nullish(),
});

export type WebhookDeps = {
  guard: HookGuard;
  now(): EpochMs;
  /** A job of that project came into the queue or left it. */
  changed(project: number): void;
  /** A call was proven. */
  taken(): void;
  refused(why: string): void;
};

/** The project that a payload speaks of; `ignored`: nothing for us; null: no payload of GitLab's. */
export function readJobHook(body: Buffer): { project: number } | 'ignored' | null {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  const parsed = jobHook.safeParse(json);
  if (!parsed.success) return null;
  const { object_kind: kind, build_status: status, project_id: project } = parsed.data;
  if (kind !== 'build' || !CHANGES.has(status ?? '')) return 'ignored';
  return project === null || project === undefined ? null : { project };
}

function say(reply: FastifyReply, status: number, words: string): FastifyReply {
  return reply.code(status).type('text/plain; charset=utf-8').send(`hostler: ${words}\n`);
}

function refusalOf(status: number): string {
  if (status === 413) return `a webhook has at most ${MAX_HOOK_BYTES} bytes`;
  return status < 500 ? 'this is no webhook of GitLab' : 'the webhook could not be taken';
}

/** The app of one address; call `inject` in tests, `listenOn` in the daemon. */
export function createWebhookApp({ guard, now, changed, taken, refused }: WebhookDeps): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_HOOK_BYTES,
    requestTimeout: REQUEST_LIMIT_MS,
    http: {
      headersTimeout: REQUEST_LIMIT_MS,
      requestTimeout: REQUEST_LIMIT_MS,
      connectionsCheckingInterval: LIMIT_CHECK_MS,
    },
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    frameworkErrors: (_error, _request, reply) => {
      void say(reply, 400, refusalOf(400));
    },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    if (request.method !== 'POST') {
      await say(reply.header('allow', 'POST'), 405, 'only POST of webhooks here');
    } else if (!guard.mayProve(request.headers)) {
      refused('it has neither a token nor a signature');
      await say(reply, 401, 'the webhook has neither a token nor a signature');
    }
  });
  app.setErrorHandler((error, _request, reply) => {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    return say(reply, status, refusalOf(status));
  });
  app.setNotFoundHandler((_request, reply) => say(reply, 404, 'webhooks are taken at /'));
  const take = async (
    request: { headers: Parameters<HookGuard['mayProve']>[0]; body: unknown },
    reply: FastifyReply,
  ) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const proof = guard.prove({ headers: request.headers, body, now: now() });
    if (!proof.ok) {
      refused(proof.why);
      // Which part was wrong is for the operator to see and for nobody who tries.
      return say(reply, proof.status, proof.status === 409 ? 'taken before' : 'the webhook is not proven');
    }
    const hook = readJobHook(body);
    if (hook === null) {
      refused('its body is no event of GitLab');
      return say(reply, 400, 'the body is no event of GitLab');
    }
    taken();
    if (hook !== 'ignored') changed(hook.project);
    return say(reply, 200, hook === 'ignored' ? 'nothing to do' : 'taken');
  };
  app.post('/', take);
  app.post('/*', take);
  return app;
}
