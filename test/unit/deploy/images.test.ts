// The two Dockerfiles, read instead of built: no engine and no registry is needed. What they copy must be there, and the
// files that the runner's image gets must be all that the docker-machine door ever loads.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contextCopies, environmentOf, lastOf, readStages } from './dockerfile-reader.ts';

const root = join(import.meta.dirname, '../../..');
const daemonStages = readStages(join(root, 'Dockerfile'));
const runnerStages = readStages(join(root, 'deploy/compose/gitlab-runner.dockerfile'));
const daemon = daemonStages.at(-1);
const runner = runnerStages.at(-1);
if (!daemon || !runner) throw new Error('a Dockerfile without a stage');
const copies = [...daemonStages, ...runnerStages].flatMap(contextCopies);

describe('what the images copy', () => {
  test('stands in the repository', () => {
    expect(copies.length).toBeGreaterThan(8);
    expect(copies.map(({ source }) => source).filter((source) => !existsSync(join(root, source)))).toEqual(
      [],
    );
  });

  test('reaches the builder through .dockerignore', () => {
    const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
    const [everything, ...allowed] = lines.filter((line) => line !== '' && !line.startsWith('#'));
    expect(everything).toBe('*');
    const letIn = allowed.map((line) => line.slice(1));
    const kept = (source: string) => letIn.some((path) => source === path || source.startsWith(`${path}/`));
    expect(copies.map(({ source }) => source).filter((source) => !kept(source))).toEqual([]);
    expect(letIn.filter((path) => !copies.some(({ source }) => source.startsWith(path)))).toEqual([]);
  });

  test('from other stages comes from stages that exist', () => {
    for (const stages of [daemonStages, runnerStages]) {
      const names = stages.map(({ name }) => name);
      const from = stages
        .flatMap(({ instructions }) => instructions)
        .flatMap(({ rest }) => /^--from=(\S+)/.exec(rest)?.[1] ?? []);
      expect(from.filter((name) => !names.includes(name))).toEqual([]);
    }
  });
});

describe('the daemon image', () => {
  test('runs as a user by number, with the group of the shared store', () => {
    expect(lastOf(daemon, 'USER')).toBe('10001:10001');
    expect(JSON.stringify(daemon.instructions)).toContain('groupadd --gid 10001 hostler');
    expect(JSON.stringify(runner.instructions)).toContain('groupadd --gid 10001 hostler');
  });

  test('fills the compile cache as that user', () => {
    const names = daemon.instructions.map(({ name }) => name);
    const user = names.indexOf('USER');
    expect(names.indexOf('RUN', user)).toBeGreaterThan(user);
    expect(environmentOf(daemon)['NODE_COMPILE_CACHE']).toBe('/var/cache/hostler');
  });

  test('starts a program that it holds, and stops it by the signal that touches no host', () => {
    const [entry] = JSON.parse(lastOf(daemon, 'ENTRYPOINT') ?? '[]') as string[];
    expect(entry).toBe('/opt/hostler/bin/hostler');
    expect(contextCopies(daemon).map(({ target }) => target)).toContain('/opt/hostler/bin');
    expect(lastOf(daemon, 'STOPSIGNAL')).toBe('SIGTERM');
  });

  test('meets the runner image at the same store and socket', () => {
    const [here, there] = [environmentOf(daemon), environmentOf(runner)];
    expect(there).toEqual({
      MACHINE_STORAGE_PATH: here['MACHINE_STORAGE_PATH'],
      HOSTLER_SOCKET: here['HOSTLER_SOCKET'],
    });
  });

  test('asks its own health check as the port in force answers', async () => {
    const { createServer } = await import('node:http');
    const words = /CMD (\[.*\])$/.exec(lastOf(daemon, 'HEALTHCHECK') ?? '')?.[1] ?? '[]';
    const [, ...args] = JSON.parse(words) as string[];
    let status = 200;
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/healthz' ? status : 404;
      response.end();
    });
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
    const { port } = server.address() as { port: number };
    const { spawn } = await import('node:child_process');
    const ask = (address: string) =>
      new Promise((done) => {
        const env = { ...process.env, HOSTLER_LISTEN_ADDRESS: address };
        spawn(process.execPath, args, { env, stdio: 'ignore' }).on('close', done);
      });
    expect(await ask(`:${port}`)).toBe(0);
    expect(await ask(`127.0.0.1:${port}`)).toBe(0);
    status = 503;
    expect(await ask(`:${port}`)).toBe(1);
    server.close();
    server.closeAllConnections();
    expect(await ask(`:${port}`)).toBe(1);
  });
});

/** Every file that the given ones load, however late, and every package. */
function closure(entries: readonly string[]): { files: string[]; packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const queue = [...entries];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/^import type .*$/gm, '');
    const loads = text.matchAll(/(?:from\s+|import\s*\(\s*|import\s+|require\()'([^']+)'/g);
    for (const [, target = ''] of loads) {
      if (target.startsWith('.')) queue.push(relative(root, resolve(dirname(join(root, file)), target)));
      else if (!target.startsWith('node:')) packages.add(target);
    }
  }
  return { files: [...files], packages: [...packages] };
}

describe('the runner image', () => {
  const inImage = contextCopies(runner);
  let image: string;

  beforeAll(() => {
    image = mkdtempSync(join(tmpdir(), 'hostler-image-'));
    for (const { source, target } of inImage)
      cpSync(join(root, source), join(image, target), { recursive: true });
  });
  afterAll(() => rmSync(image, { recursive: true, force: true }));

  test('has every file that docker-machine loads, and needs no package', () => {
    const door = readdirSync(join(root, 'src/doors/docker-machine')).map(
      (file) => `src/doors/docker-machine/${file}`,
    );
    const { files, packages } = closure(door);
    const kept = (file: string) =>
      inImage.some(({ source }) => file === source || file.startsWith(`${source}/`));
    expect(files.filter((file) => !kept(file))).toEqual([]);
    expect(packages).toEqual([]);
  });

  test('answers from those files alone, as at an image build: version, a machine nobody manages, its removal', () => {
    const store = join(image, 'var/lib/docker-machine');
    const run = (...args: string[]) => {
      const env = { PATH: process.env['PATH'], MACHINE_STORAGE_PATH: store, HOSTLER_NODE: process.execPath };
      const { status, stdout, stderr } = spawnSync(join(image, 'opt/hostler/bin/docker-machine'), args, {
        env,
        encoding: 'utf8',
      });
      return { status, stdout, stderr };
    };
    expect(run('version')).toMatchObject({ status: 0, stderr: '' });
    expect(run('create', '--driver', 'none', '--url', 'localhost', 'dummy-machine')).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(run('ls', '-q')).toMatchObject({ status: 0, stdout: 'dummy-machine\n', stderr: '' });
    expect(run('rm', '-y', 'dummy-machine')).toMatchObject({ status: 0, stderr: '' });
    expect(run('ls', '-q')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(run('help')).toMatchObject({ status: 0, stderr: '' });
  });
});
