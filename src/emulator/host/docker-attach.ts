// `attach` of the emulated Docker API: a connection that becomes the container's own stdin and output, as gitlab-runner talks
// to the shells of a job. What it says is read as a script for its `sleep N` and `exit N`; nothing of it is run.
// Trap: the caller ends its half first and then waits for ours, whose end means that the container has ended.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { DockerState } from './docker-state.ts';

/** A script of the runner has some 10 KB. */
const MOST_SCRIPT = 4 * 1024 * 1024;

const UPGRADED =
  'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

/** Takes over a connection that asked for an upgrade; anything but an attach to a container is refused. */
export function attach(state: DockerState, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on('error', () => undefined);
  const { pathname } = new URL(request.url ?? '/', 'https://docker');
  const key = /^(?:\/v1\.\d{1,3})?\/containers\/([^/]+)\/attach$/.exec(pathname)?.[1];
  const one = key === undefined ? null : state.container(decodeURIComponent(key));
  if (one === null)
    return void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  const chunks = [head];
  let bytes = head.length;
  socket.write(UPGRADED);
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_SCRIPT) socket.destroy();
    else chunks.push(chunk);
  });
  socket.once('end', () => state.hear(one.id, Buffer.concat(chunks).toString('utf8')));
  void state.wait(one.id, 'next-exit').then(() => socket.end());
}
