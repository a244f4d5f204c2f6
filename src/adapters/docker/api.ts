// One request to a host's Docker API: TLS both ways, kept connections per host, answers bounded in size and time.
// Must not know which requests hostler makes; that is docker.ts.
// Trap: leave checkServerIdentity out of the options altogether; `undefined` there throws inside Node.
import { type Agent, request } from 'node:https';
import { HostlerError, messageOf } from '../../domain/error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DockerHost } from '../../ports/docker.ts';
import { createKeptLines } from './kept-lines.ts';

/** A listing of 200 containers with all their labels has some 400 KB; far more is not an honest answer. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export type Answer = { status: number; body: string };

export type ApiCall = {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  /** JSON body of a POST. */
  body?: unknown;
};

export interface DockerApi {
  /** Any status is an answer. Throws `host-unreachable` when there is none. */
  call(host: DockerHost, call: ApiCall, signal: AbortSignal): Promise<Answer>;
  /** Ends the kept connections of an address. */
  forget(address: string): void;
}

/** Text of a URL's host part. */
function urlHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** A kept connection that the host had closed meanwhile: nothing was done, and a new connection may do it. */
class StaleConnection extends Error {}

function exchange(agent: Agent, host: DockerHost, call: ApiCall, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = call.body === undefined ? null : JSON.stringify(call.body);
    const sent = request(
      `https://${urlHost(host.address)}:${host.port}${call.path}`,
      {
        agent,
        method: call.method,
        signal,
        headers:
          text === null
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('error', reject);
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) {
            answer.destroy(new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`));
            return;
          }
          chunks.push(chunk);
        });
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
        });
        answer.on('close', () => {
          reject(new Error('the answer was cut off'));
        });
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => {
      const stale = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(stale ? new StaleConnection(error.message) : error);
    });
    sent.end(text ?? undefined);
  });
}

/** Connections to many hosts. */
export function createDockerApi({ clock }: { clock: Clock }): DockerApi {
  const lines = createKeptLines({ clock });

  async function exchangeFresh(host: DockerHost, call: ApiCall, signal: AbortSignal): Promise<Answer> {
    try {
      return await exchange(lines.agentFor(host), host, call, signal);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      return exchange(lines.agentFor(host), host, call, signal);
    }
  }

  return {
    async call(host, call, signal) {
      try {
        return await exchangeFresh(host, call, signal);
      } catch (error) {
        const place = `${host.address}:${host.port}`;
        const why = signal.aborted ? 'no answer in time' : messageOf(error);
        throw new HostlerError('host-unreachable', `Docker API of ${place}: ${why}`, {
          where: place,
          cause: error,
        });
      }
    },
    forget: (address) => lines.forget(address),
  };
}
