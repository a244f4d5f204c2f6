// A create's answer: one JSON line an event, without a length, until either side ends. The door speaks HTTP/1.0, so the
// lines come without chunk frames. Its close is how the daemon learns that the caller died.
import type { FastifyReply } from 'fastify';
import { API_HEADER, API_VERSION } from '../../contract/api.ts';
import type { LeaseConnection } from '../../service/door-connections.ts';

/** Takes the reply over from fastify and makes it a lease's connection. The head goes out with the first event: one write. */
export function openLeaseStream(reply: FastifyReply): LeaseConnection {
  reply.hijack();
  const { raw } = reply;
  raw.shouldKeepAlive = false;
  raw.socket?.setTimeout(0);
  raw.writeHead(200, { 'content-type': 'application/x-ndjson', [API_HEADER]: String(API_VERSION) });
  // A door that died between two lines must not end the daemon.
  raw.on('error', () => undefined);
  return {
    send(event) {
      if (!raw.writableEnded && !raw.destroyed) raw.write(`${JSON.stringify(event)}\n`);
    },
    end() {
      raw.end();
    },
    onClosed(closed) {
      if (raw.destroyed) queueMicrotask(closed);
      else raw.once('close', closed);
    },
  };
}
