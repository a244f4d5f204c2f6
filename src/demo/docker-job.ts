// Runs one job on a Docker host as gitlab-runner would: TLS with the machine's own certificate, a labelled build
// container that lives for the job's length, removed at its end.
// It knows the host only by what `docker-machine url` and the store path say. Nothing is retried: a broken host fails the job.
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostlerError } from '../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';

/** A Docker host as the runner learns of it. */
export type DockerHostFacts = {
  /** `tcp://ADDRESS:PORT`, the answer of `docker-machine url`. */
  url: string;
  /** Folder with ca.pem, cert.pem and key.pem. */
  storePath: string;
};

export type JobOrder = {
  id: string;
  url: string;
  image: string;
  durationMs: DurationMs;
  /** Given, the job's script ends with it, not after `durationMs`. */
  until?: Promise<unknown>;
};

/** Milliseconds of silence until a Docker call counts as failed; a pull on a real host may take this long. */
const SILENCE_MS: DurationMs = 60 * SECOND_MS;

type Answer = { status: number; text: string };

type Api = {
  /** `patient`: its answer may take as long as the job. */
  call(method: string, path: string, body?: unknown, patient?: boolean): Promise<Answer>;
  close(): void;
};

async function openApi({ url, storePath }: DockerHostFacts): Promise<Api> {
  const { hostname, port } = new URL(url.replace(/^tcp:/, 'https:'));
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((file) => readFile(join(storePath, file))),
  );
  const host = hostname.replaceAll(/[[\]]/g, '');
  const agent = new Agent({
    keepAlive: true,
    // One for the calls, one that waits for the container's end as long as the job lives.
    maxSockets: 2,
    ...(ca && cert && key ? { ca, cert, key } : {}),
  });
  return {
    call: (method, path, body, patient = false) =>
      new Promise((resolve, reject) => {
        const fail = (error: Error) =>
          reject(
            new HostlerError(
              'host-unreachable',
              `Cannot connect to the Docker daemon at ${url}: ${error.message}`,
            ),
          );
        const headers = { 'content-type': 'application/json' };
        const timeout = patient ? 0 : SILENCE_MS;
        const asked = request({ host, port, method, path, agent, timeout, headers }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on('error', fail);
        });
        asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
        asked.on('error', fail);
        asked.end(body === undefined ? undefined : JSON.stringify(body));
      }),
    close: () => {
      agent.destroy();
    },
  };
}

function refused(what: string, answer: { status: number; text: string }): HostlerError {
  return new HostlerError(
    'host-unreachable',
    `${what}: ${answer.status} ${answer.text.trim().slice(0, 200)}`,
  );
}

async function makeContainer(api: Api, order: JobOrder, names: { runner: string }): Promise<string> {
  const name = `runner-${names.runner}-project-1-concurrent-0-${order.id}-build`;
  const body = {
    Image: order.image,
    Cmd: ['sh', '-c', `sleep ${Math.ceil(order.durationMs / SECOND_MS) + 3_600}`],
    Labels: {
      'com.gitlab.gitlab-runner.job.id': order.id,
      'com.gitlab.gitlab-runner.job.url': order.url,
      'com.gitlab.gitlab-runner.managed': 'true',
      'com.gitlab.gitlab-runner.type': 'build',
    },
  };
  const create = () => api.call('POST', `/containers/create?name=${encodeURIComponent(name)}`, body);
  let answer = await create();
  if (answer.status === 404) {
    const pulled = await api.call('POST', `/images/create?fromImage=${encodeURIComponent(order.image)}`);
    if (pulled.status !== 200) throw refused(`pull of ${order.image}`, pulled);
    answer = await create();
  }
  if (answer.status !== 201) throw refused('create of the build container', answer);
  return (JSON.parse(answer.text) as { Id: string }).Id;
}

/** Fails when the container ends before the script does, or when the connection that waits for it breaks. */
async function watchContainer(api: Api, id: string): Promise<never> {
  const ended = await api.call('POST', `/containers/${id}/wait`, undefined, true);
  const { StatusCode: code } = JSON.parse(ended.text) as { StatusCode: number };
  throw new HostlerError('host-unreachable', `the build container ended: exit code ${code}`);
}

async function runScript(api: Api, id: string, order: JobOrder, context: JobContext): Promise<void> {
  const { signal, cancelled } = context;
  const over = new AbortController();
  const ends = AbortSignal.any([signal, over.signal, ...(cancelled === undefined ? [] : [cancelled])]);
  const stopped = new Promise<never>((_resolve, reject) => {
    ends.addEventListener('abort', () =>
      reject(cancelled?.aborted === true ? cancelled.reason : ends.reason),
    );
  });
  const script = order.until ?? sleep(order.durationMs, undefined, { signal: ends });
  try {
    await Promise.race([script, stopped, watchContainer(api, id)]);
  } finally {
    over.abort();
  }
}

export type JobContext = {
  /** The runner's short token. */
  runner: string;
  /** The runner was killed: nothing is cleaned. */
  signal: AbortSignal;
  /** The job was cancelled or aborted: its container goes, its reason is thrown. */
  cancelled?: AbortSignal;
  started(): void;
};

/**
 * Runs the job to its end. `started` is called when its container runs. Throws `host-unreachable` when the host fails it or
 * its container is ended. A host that falls silent is not noticed, as by the runner.
 */
export async function runDockerJob(
  host: DockerHostFacts,
  order: JobOrder,
  context: JobContext,
): Promise<void> {
  const api = await openApi(host);
  try {
    const id = await makeContainer(api, order, context);
    const running = await api.call('POST', `/containers/${id}/start`);
    if (running.status !== 204) throw refused('start of the build container', running);
    context.started();
    const remove = () => api.call('DELETE', `/containers/${id}?force=1&v=1`);
    try {
      await runScript(api, id, order, context);
    } catch (error) {
      if (!context.signal.aborted) await remove().catch(() => undefined);
      throw error;
    }
    const removed = await remove();
    if (removed.status !== 204 && removed.status !== 404)
      throw refused('removal of the build container', removed);
  } finally {
    api.close();
  }
}
