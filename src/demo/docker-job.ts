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
};

/** Milliseconds of silence until a Docker call counts as failed; a pull on a real host may take this long. */
const SILENCE_MS: DurationMs = 60 * SECOND_MS;

type Api = {
  call(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }>;
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
    maxSockets: 1,
    ...(ca && cert && key ? { ca, cert, key } : {}),
  });
  return {
    call: (method, path, body) =>
      new Promise((resolve, reject) => {
        const fail = (error: Error) =>
          reject(
            new HostlerError(
              'host-unreachable',
              `Cannot connect to the Docker daemon at ${url}: ${error.message}`,
            ),
          );
        const headers = { 'content-type': 'application/json' };
        const asked = request({ host, port, method, path, agent, timeout: SILENCE_MS, headers }, (answer) => {
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

/** Runs the job to its end. `started` is called when its container runs. Throws `host-unreachable` when the host fails it. */
export async function runDockerJob(
  host: DockerHostFacts,
  order: JobOrder,
  context: { runner: string; signal: AbortSignal; started(): void },
): Promise<void> {
  const api = await openApi(host);
  try {
    const id = await makeContainer(api, order, context);
    const running = await api.call('POST', `/containers/${id}/start`);
    if (running.status !== 204) throw refused('start of the build container', running);
    context.started();
    await sleep(order.durationMs, undefined, { signal: context.signal });
    const removed = await api.call('DELETE', `/containers/${id}?force=1&v=1`);
    if (removed.status !== 204 && removed.status !== 404)
      throw refused('removal of the build container', removed);
  } finally {
    api.close();
  }
}
