// A small client of the Docker daemon on this machine: its HTTP API over its unix socket, answers bounded in size and time.
// For the emulator's hosts only; hosts' own Docker is reached over TLS by other code. Knows no particular request.
// Trap: a log that is followed has no end of its own; its stop must be called.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { HostlerError, messageOf } from '../../domain/error.ts';
import { type DurationMs, MINUTE_MS } from '../../domain/units.ts';

/** Listings of some hundred containers have 1 MB; more than this is no honest answer. */
const ANSWER_BYTES_AT_MOST = 16 * 1024 * 1024;
/** Removing a host that has written much, or importing an image of 500 MB, takes tens of seconds on a slow disk. */
const ANSWER_LIMIT_MS: DurationMs = 2 * MINUTE_MS;

export type DockerCall = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With query; without the API's version: the daemon takes its own. */
  path: string;
  /** JSON. */
  json?: unknown;
  /** A tar, in place of JSON. */
  tar?: Buffer | Readable;
  /** Ends the call; given, the usual time limit does not hold. */
  until?: AbortSignal;
};

export type DockerAnswer = { status: number; body: Buffer };

export type DockerClient = {
  /** Path of the socket, for messages. */
  socket: string;
  /** Any status is an answer. Throws `docker-unusable` when there is none. */
  call(call: DockerCall): Promise<DockerAnswer>;
  /** The answer's JSON. Throws `docker-unusable` with Docker's words for every status but 2xx. */
  json(call: DockerCall): Promise<unknown>;
  /** Hands on what a GET streams until its end, or until the returned function is called. Never throws. */
  follow(path: string, onData: (chunk: Buffer) => void): () => void;
};

/** Where the local daemon listens: DOCKER_HOST if it is a unix socket, else Docker's default. Throws `docker-unusable`. */
export function dockerSocket(env: Readonly<Record<string, string | undefined>>): string {
  const given = env['DOCKER_HOST'] ?? '';
  if (given === '') return '/var/run/docker.sock';
  if (given.startsWith('unix:///')) return given.slice('unix://'.length);
  throw new HostlerError(
    'docker-unusable',
    `hosts in containers need the Docker of this machine: DOCKER_HOST must be unix:///PATH or unset, not ${given.slice(0, 80)}`,
    { where: 'DOCKER_HOST' },
  );
}

function whyNot(socket: string, error: NodeJS.ErrnoException): HostlerError {
  const words: Record<string, string> = {
    ENOENT: `no Docker daemon listens on ${socket}; start it, or set DOCKER_HOST=unix:///PATH`,
    ECONNREFUSED: `no Docker daemon listens on ${socket} any more; start it, or set DOCKER_HOST=unix:///PATH`,
    EACCES: `this user may not use ${socket}; run as root, or as a member of the socket's group`,
  };
  const text = words[error.code ?? ''] ?? `Docker on ${socket}: ${messageOf(error)}`;
  return new HostlerError('docker-unusable', text, { where: socket, cause: error });
}

/** Docker's own words in a refusal: `{"message": …}`. */
export function dockerWords(body: Buffer): string {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed)
      return messageOf(parsed.message).slice(0, 300);
  } catch {
    // Not JSON: its own text is all there is.
  }
  return messageOf(body.toString().trim()).slice(0, 300);
}

function collect(answer: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    answer.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > ANSWER_BYTES_AT_MOST)
        answer.destroy(new Error(`an answer of more than ${ANSWER_BYTES_AT_MOST} bytes`));
    });
    answer.on('error', reject);
    answer.on('end', () => resolve(Buffer.concat(chunks)));
    answer.on('close', () => reject(new Error('the answer was cut off')));
  });
}

export function createDockerClient(socket: string): DockerClient {
  const open = ({ method, path, json, tar }: DockerCall, signal: AbortSignal): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const type = tar === undefined ? 'application/json' : 'application/x-tar';
      const headers = { host: 'docker', 'content-type': type };
      const sent = httpRequest({ socketPath: socket, method, path, headers, agent: false, signal }, resolve);
      sent.on('error', reject);
      if (tar !== undefined && !Buffer.isBuffer(tar))
        tar.on('error', (error) => sent.destroy(error)).pipe(sent);
      else sent.end(tar ?? (json === undefined ? undefined : JSON.stringify(json)));
    });

  const call = async (one: DockerCall): Promise<DockerAnswer> => {
    try {
      const answer = await open(one, one.until ?? AbortSignal.timeout(ANSWER_LIMIT_MS));
      return { status: answer.statusCode ?? 0, body: await collect(answer) };
    } catch (error) {
      throw whyNot(socket, error as NodeJS.ErrnoException);
    }
  };

  return {
    socket,
    call,
    async json(one) {
      const { status, body } = await call(one);
      const place = `${one.method} ${one.path.split('?')[0] ?? ''}`;
      if (status < 200 || status > 299)
        throw new HostlerError('docker-unusable', `Docker refused ${place}: ${dockerWords(body)}`, {
          where: socket,
        });
      if (body.length === 0) return null;
      try {
        return JSON.parse(body.toString()) as unknown;
      } catch (error) {
        const message = `Docker answered ${place} with something that is no JSON`;
        throw new HostlerError('docker-unusable', message, { where: socket, cause: error });
      }
    },
    follow(path, onData) {
      const stop = new AbortController();
      open({ method: 'GET', path }, stop.signal).then(
        (answer) => {
          const wanted = answer.statusCode === 200;
          // What follows is a remark on a host's console; its loss is no one's failure.
          answer
            .on('error', () => undefined)
            .on('data', (chunk: Buffer) => {
              if (wanted) onData(chunk);
            });
        },
        () => undefined,
      );
      return () => {
        stop.abort();
      };
    },
  };
}
