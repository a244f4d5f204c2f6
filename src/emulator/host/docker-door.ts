// The HTTPS side of an emulated host's Docker: mutual TLS with the files that provisioning wrote, then the routes.
// Trap: with TLS 1.3 a client without a certificate learns of its refusal only after its own handshake.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createListener } from 'node:net';
import { attach } from './docker-attach.ts';
import { answerDocker } from './docker-routes.ts';
import type { DockerState } from './docker-state.ts';
import { endConnections } from './end-connections.ts';
import { createLink, type Link } from './link.ts';

/** Bodies of container creates have some KB. */
const MAX_BODY_BYTES = 1024 * 1024;

/** dockerd keeps idle connections open; Node's own default of 5 s would close them between two pings. */
const KEEP_ALIVE_MS = 120_000;

export interface DockerDoor {
  close(): Promise<void>;
}

/** The body as an object; whatever else came counts as empty. */
function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_BODY_BYTES) throw new Error('the body is too large');
  }
  return objectOf(text);
}

async function serve(state: DockerState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://docker');
  // Any API version is taken, as by a daemon of a matching release.
  const path = url.pathname.replace(/^\/v1\.\d{1,3}(?=\/)/, '');
  const body = await readBody(request);
  const answer = answerDocker(state, {
    method: request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET'),
    path,
    query: url.searchParams,
    body,
  });
  response.writeHead(answer.status, {
    'api-version': '1.47',
    'docker-experimental': 'false',
    ostype: 'linux',
    server: 'Docker/27.3.1 (linux)',
    ...(answer.status === 204 || answer.status === 304 ? {} : { 'content-type': answer.type }),
  });
  if (answer.later === undefined) {
    response.end(request.method === 'HEAD' ? undefined : answer.text);
    return;
  }
  // `wait` sends its headers at once and the code when the container ends.
  response.flushHeaders();
  response.end(await answer.later);
}

/** Listens on address:port; rejects when it is taken or the certificates are not usable. */
export async function openDockerDoor(options: {
  address: string;
  port: number;
  tls: { ca: string; cert: string; key: string };
  state: DockerState;
  /** How far the host's clock is ahead, ms: it judges clients' certificates. */
  clockAheadMs?: () => number;
  /** Connections are taken, their handshakes end well, and no request is answered. */
  isMute?: () => boolean;
  /** The network in front of it; default: a good one. */
  link?: Link;
}): Promise<DockerDoor> {
  const { link = createLink(), isMute = () => false, clockAheadMs = () => 0 } = options;
  const server = createServer(
    { ...options.tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' },
    (request, response) => {
      if (isMute() || link.cut === 'silent') return;
      serve(options.state, request, response).catch(() => {
        response.destroy();
      });
    },
  );
  server.on('upgrade', (request, socket, head) => {
    if (!isMute() && link.cut !== 'silent') attach(options.state, request, socket, head);
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => {
    const ahead = clockAheadMs();
    if (ahead === 0) return;
    const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
    const now = Date.now() + ahead;
    if (now < Date.parse(from) || now > Date.parse(to)) socket.destroy();
  });
  const listener = createListener({ noDelay: true, allowHalfOpen: true }, (socket) => {
    if (link.admits(socket)) server.emit('connection', socket);
  });
  const end = endConnections(listener);
  const leave = await link.join(listener, options.address, options.port);
  return {
    close: () => {
      leave();
      return end();
    },
  };
}
