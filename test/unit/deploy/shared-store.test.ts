// One store, two users: what the runner's door makes in a store that install.md shared by group, the daemon reads, marks
// and takes away, and the other way round. Real processes under other user ids, so only root can run it.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('not root: the shared store is not tried with two users');

const GROUP = 54_321;
const DAEMON = { uid: 54_321, gid: GROUP };
const NAME = 'runner-abc-box-1';

type User = { uid: number; gid: number };
type Answer = { status: number | null; out: string };

let folder: string;
let machines: string;
let daemon: Server;

/** As install.md does it: setgid and the group's to write; or any other mode. */
function makeStore(mode: number): void {
  mkdirSync(machines, { recursive: true });
  for (const path of [join(folder, 'store'), machines]) {
    chownSync(path, 0, GROUP);
    chmodSync(path, mode);
  }
}

/** Grants each create one machine, as far as the door asks. */
function serveLeases(): Promise<string> {
  const files = {
    'config.json': '{"DriverName":"amazonec2"}',
    hostler: 'tcp://127.0.0.1:9\nm-1\n',
    'hostler-health': 'ok 9999999999\n',
    'key.pem': 'secret',
  };
  daemon = createServer((request, response) => {
    const grant = { event: 'granted', pool: 'box', machine: 'm-1', url: 'tcp://127.0.0.1:9', files };
    request.resume();
    if (request.url?.endsWith('/commit')) response.end('{}');
    else response.write(`${JSON.stringify(grant)}\n`);
  });
  const socket = join(folder, 'hostler.sock');
  return new Promise((resolve) => {
    daemon.listen(socket, () => {
      chmodSync(socket, 0o666);
      resolve(socket);
    });
  });
}

function run(user: User, command: string, args: readonly string[]): Promise<Answer> {
  const env = {
    PATH: process.env['PATH'],
    HOSTLER_NODE: process.execPath,
    HOSTLER_SOCKET: join(folder, 'hostler.sock'),
    MACHINE_STORAGE_PATH: join(folder, 'store'),
  };
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...user, env });
    let out = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => {
        out += text.toString();
      });
    child.on('close', (status) => resolve({ status, out }));
  });
}

const door = (user: User, ...args: string[]) =>
  run(user, join(root, 'bin/docker-machine'), ['--bugsnag-api-token=no-report', ...args]);

/** The daemon's own view of the store, under the daemon's user and the umask of its unit. */
async function asDaemon(code: string): Promise<unknown> {
  const url = (path: string) => JSON.stringify(pathToFileURL(join(root, 'src/adapters', path)).href);
  const script = `
    process.umask(0o007);
    const { createRunnerStore } = await import(${url('runner-store/runner-store.ts')});
    const { createClock } = await import(${url('system/clock.ts')});
    const view = createRunnerStore({ clock: createClock(), log: { debug() {}, info() {}, warn() {}, error() {} } });
    const path = ${JSON.stringify(join(folder, 'store'))};
    const said = await (async () => { ${code} })();
    console.log(JSON.stringify(said ?? null));
    process.exit(0);`;
  const { status, out } = await run(DAEMON, process.execPath, ['--input-type=module', '-e', script]);
  if (status !== 0) throw new Error(out);
  return JSON.parse(out);
}

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

describe.skipIf(!isRoot)('a store shared by group', () => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hostler-shared-'));
    chmodSync(folder, 0o755);
    machines = join(folder, 'store/machines');
    await serveLeases();
  });
  afterEach(async () => {
    daemon.closeAllConnections();
    await new Promise((done) => daemon.close(done));
    rmSync(folder, { recursive: true, force: true });
  });

  const callers: [string, User][] = [
    ['root', { uid: 0, gid: 0 }],
    ['a user of the group', { uid: 54_322, gid: GROUP }],
  ];

  test.each(callers)(
    'serves a runner that is %s: handed over, marked, given back, taken away',
    async (_, user) => {
      makeStore(0o2770);
      expect(await door(user, 'create', '--driver', 'amazonec2', NAME)).toMatchObject({ status: 0 });
      expect(
        await asDaemon(
          'return { names: await view.names(path), stands: await view.stands(path, "runner-abc-box-1") }',
        ),
      ).toEqual({ names: [NAME], stands: true });
      await asDaemon(`await view.putHealth(path, "${NAME}", { kind: 'dead', why: 'it is ill' })`);
      expect(await door(user, 'config', NAME)).toMatchObject({
        status: 1,
        out: expect.stringContaining('it is ill'),
      });
      expect(await door(user, 'rm', '-y', NAME)).toEqual({ status: 0, out: '' });
      expect(await asDaemon('return await view.releases(path)')).toEqual([
        { name: NAME, byPerson: false, foreign: false },
      ]);
      expect(await asDaemon('return (await view.notes(path)).map(({ verb }) => verb)')).toEqual([
        'config',
        'release',
      ]);
      await asDaemon(`await view.takeRelease(path, "${NAME}")`);
      expect(readdirSync(join(machines, '.hostler/released'))).toEqual([]);
    },
  );

  test('serves a runner that is not root when the daemon was first in the mailbox', async () => {
    makeStore(0o2770);
    await asDaemon(`const { existsSync } = await import('node:fs');
       view.watch(path, () => {});
       for (let look = 0; look < 500 && !existsSync(path + '/machines/.hostler/released'); look += 1)
         await new Promise((done) => setTimeout(done, 10));`);
    const user = { uid: 54_322, gid: GROUP };
    expect(await door(user, 'create', '--driver', 'amazonec2', NAME)).toMatchObject({ status: 0 });
    expect(await door(user, 'rm', '-y', NAME)).toEqual({ status: 0, out: '' });
    expect(await asDaemon('return (await view.releases(path)).length')).toBe(1);
  });

  test('shows nothing to anybody else', async () => {
    makeStore(0o2770);
    await door({ uid: 0, gid: 0 }, 'create', '--driver', 'amazonec2', NAME);
    expect(modeOf(join(machines, NAME))).toBe('2770');
    const stranger = { uid: 65_534, gid: 65_534 };
    expect(spawnSync('cat', [join(machines, NAME, 'key.pem')], stranger).status).not.toBe(0);
  });

  test.each([0o755, 0o2755, 0o770])(
    'is not made of one with mode %o: what the door makes there is its own user’s',
    async (mode) => {
      makeStore(mode);
      await door({ uid: 0, gid: 0 }, 'create', '--driver', 'amazonec2', NAME);
      await door({ uid: 0, gid: 0 }, 'create', '--driver', 'none', '--url', 'tcp://127.0.0.1:1', 'plain');
      expect([NAME, 'plain'].map((name) => statSync(join(machines, name)).mode & 0o777)).toEqual([
        0o700, 0o700,
      ]);
      expect(modeOf(join(machines, NAME, 'key.pem'))).toBe('600');
    },
  );

  test('whose folders the daemon may not look into keeps its leases', async () => {
    makeStore(0o755);
    await door({ uid: 0, gid: 0 }, 'create', '--driver', 'amazonec2', NAME);
    expect(await asDaemon('return await view.names(path)')).toEqual([NAME]);
  });
});
