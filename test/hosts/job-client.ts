// What gitlab-runner does on a host, over the host's own Docker API with the store folder's certificates: containers,
// networks and volumes with its labels, on an image that needs no registry.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { LiveWorld } from '../support/live-world.ts';

export type HostCall = { method: string; path: string; json?: unknown; tar?: Buffer };
export type HostAnswer = { status: number; body: Buffer };
/** Certificates that a caller shows and trusts; null = shows none. */
export type Identity = { ca: string; cert: string | null; key: string | null };

/** Certificates and address of a machine, from its folder in the runner's store. */
export function machineFiles(
  world: LiveWorld,
  name: string,
): { address: string; tls: Identity; pins: string } {
  const folder = join(world.store, 'machines', name);
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  const { Driver } = JSON.parse(read('config.json')) as { Driver: { IPAddress: string } };
  return {
    address: Driver.IPAddress,
    tls: { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') },
    pins: read('known_hosts'),
  };
}

/** One request to a host's Docker on a connection of its own. Rejects when TLS does. */
export function askDocker(address: string, tls: Identity, call: HostCall): Promise<HostAnswer> {
  const { cert, key } = tls;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: address,
        port: 2376,
        method: call.method,
        path: call.path,
        ca: tls.ca,
        ...(cert === null || key === null ? {} : { cert, key }),
        headers: { 'content-type': call.tar === undefined ? 'application/json' : 'application/x-tar' },
        agent: false,
        timeout: 30_000,
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
      },
    );
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error('no answer in 30 s')));
    sent.end(call.tar ?? (call.json === undefined ? undefined : JSON.stringify(call.json)));
  });
}

export type JobClient = {
  /** JSON of an answer; throws for all but 2xx. */
  json(call: HostCall): Promise<unknown>;
  /** Names of all containers, images, networks or volumes that the runner or the test made. */
  containers(): Promise<string[]>;
  images(): Promise<string[]>;
  networks(): Promise<string[]>;
  volumes(): Promise<string[]>;
  /** Makes a container with a job's labels and starts it. */
  run(job: string, options: { command: string[]; network?: string; cache?: string }): Promise<string>;
};

export const labelsOf = (job: string): Record<string, string> => ({
  'com.gitlab.gitlab-runner.job.id': job,
  'com.gitlab.gitlab-runner.job.url': `https://gitlab.example.com/group/project/-/jobs/${job}`,
  'com.gitlab.gitlab-runner.managed': 'true',
  'com.gitlab.gitlab-runner.type': 'build',
});

/** A client for the machine of that name. */
export function jobClient(world: LiveWorld, name: string): JobClient {
  const { address, tls } = machineFiles(world, name);
  const json = async (call: HostCall): Promise<unknown> => {
    const { status, body } = await askDocker(address, tls, call);
    if (status < 200 || status > 299)
      throw new Error(`${call.method} ${call.path}: ${status} ${body.toString()}`);
    return body.length === 0 || call.tar !== undefined ? null : (JSON.parse(body.toString()) as unknown);
  };
  const get = async <T>(path: string) => (await json({ method: 'GET', path })) as T;
  return {
    json,
    containers: async () =>
      (await get<{ Names: string[] }[]>('/containers/json?all=1')).flatMap(({ Names }) => Names),
    images: async () =>
      (await get<{ RepoTags: string[] | null }[]>('/images/json')).flatMap(({ RepoTags }) => RepoTags ?? []),
    networks: async () => (await get<{ Name: string }[]>('/networks')).map(({ Name }) => Name),
    volumes: async () =>
      ((await get<{ Volumes: { Name: string }[] | null }>('/volumes')).Volumes ?? []).map(({ Name }) => Name),
    async run(job, { command, network, cache }) {
      const made = (await json({
        method: 'POST',
        path: `/containers/create?name=job-${job}`,
        json: {
          Image: 'job-image',
          Cmd: command,
          Labels: labelsOf(job),
          HostConfig: {
            ...(network === undefined ? {} : { NetworkMode: network }),
            ...(cache === undefined ? {} : { Binds: [`${cache}:/cache`] }),
          },
        },
      })) as { Id: string };
      await json({ method: 'POST', path: `/containers/${made.Id}/start` });
      return made.Id;
    },
  };
}
