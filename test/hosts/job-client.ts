// What gitlab-runner does on a host, over the host's own Docker API with the store folder's certificates: containers,
// networks and volumes with its labels, on an image that needs no registry.
import { existsSync, readFileSync } from 'node:fs';
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
  const pins = join(folder, 'known_hosts');
  return {
    address: Driver.IPAddress,
    tls: { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') },
    // A folder of another docker-machine has none.
    pins: existsSync(pins) ? readFileSync(pins, 'utf8') : '',
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
  /** One stage of a job: its script goes to a shell in a container of its own; what it said, and its exit code. */
  stage(
    job: string,
    options: { image: string; script: string; type: 'predefined' | 'build'; volume: string; network: string },
  ): Promise<{ code: number; said: string }>;
  /** Makes a container with a job's labels and starts it. */
  run(
    job: string,
    options: { command: string[]; network?: string; cache?: string; image?: string },
  ): Promise<string>;
};

export const labelsOf = (job: string, type = 'build'): Record<string, string> => ({
  'com.gitlab.gitlab-runner.job.id': job,
  'com.gitlab.gitlab-runner.job.url': `https://gitlab.example.com/group/project/-/jobs/${job}`,
  'com.gitlab.gitlab-runner.managed': 'true',
  'com.gitlab.gitlab-runner.project.id': '7',
  'com.gitlab.gitlab-runner.runner.id': 'testtoken',
  'com.gitlab.gitlab-runner.type': type,
});

/** Docker puts eight bytes before each piece of output: which stream, three zeros, how long. */
function spoken(framed: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= framed.length; ) {
    const end = at + 8 + framed.readUInt32BE(at + 4);
    pieces.push(framed.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(pieces).toString();
}

/** Sends a script to a container's shell and reads what it says, as the runner does: attached before it starts. */
function talk(
  address: string,
  tls: Identity,
  container: string,
  script: string,
): Promise<() => Promise<string>> {
  const { ca, cert, key } = tls;
  return new Promise((resolve, reject) => {
    const sent = request({
      host: address,
      port: 2376,
      method: 'POST',
      path: `/containers/${container}/attach?stream=1&stdin=1&stdout=1&stderr=1`,
      ca,
      cert: cert ?? '',
      key: key ?? '',
      headers: { connection: 'Upgrade', upgrade: 'tcp' },
      agent: false,
    });
    sent.on('error', reject);
    sent.on('response', (answer) => reject(new Error(`attach: ${answer.statusCode}`)));
    sent.on('upgrade', (_answer, socket, head) => {
      const chunks: Buffer[] = [head];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      const said = new Promise<string>((done) => {
        socket.on('close', () => done(spoken(Buffer.concat(chunks))));
        socket.on('error', () => undefined);
      });
      resolve(() => {
        socket.end(script);
        return said;
      });
    });
    sent.end();
  });
}

/** A client for the machine of that name. */
export function jobClient(world: LiveWorld, name: string): JobClient {
  const { address, tls } = machineFiles(world, name);
  const json = async (call: HostCall): Promise<unknown> => {
    const { status, body } = await askDocker(address, tls, call);
    if (status < 200 || status > 299)
      throw new Error(`${call.method} ${call.path}: ${status} ${body.toString()}`);
    return body.length === 0 || call.tar !== undefined ? null : (JSON.parse(body.toString()) as unknown);
  };
  const make = async (called: string, body: object): Promise<string> => {
    const path = `/containers/create?name=${called}`;
    return ((await json({ method: 'POST', path, json: body })) as { Id: string }).Id;
  };
  let stages = 0;
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
    async stage(job, { image, script, type, volume, network }) {
      stages += 1;
      const id = await make(`runner-testtoken-project-7-concurrent-0-job-${job}-${type}-${stages}`, {
        Image: image,
        Cmd: ['/busybox', 'sh'],
        OpenStdin: true,
        StdinOnce: true,
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Labels: labelsOf(job, type),
        HostConfig: { Binds: [`${volume}:/builds`], NetworkMode: network },
      });
      const speak = await talk(address, tls, id, script);
      await json({ method: 'POST', path: `/containers/${id}/start` });
      const said = await speak();
      const ended = (await json({ method: 'POST', path: `/containers/${id}/wait` })) as {
        StatusCode: number;
      };
      await json({ method: 'DELETE', path: `/containers/${id}?force=1&v=1` });
      return { code: ended.StatusCode, said };
    },
    async run(job, { command, network, cache, image = 'job-image' }) {
      const id = await make(`job-${job}`, {
        Image: image,
        Cmd: command,
        Labels: labelsOf(job),
        HostConfig: {
          ...(network === undefined ? {} : { NetworkMode: network }),
          ...(cache === undefined ? {} : { Binds: [`${cache}:/cache`] }),
        },
      });
      await json({ method: 'POST', path: `/containers/${id}/start` });
      return id;
    },
  };
}
