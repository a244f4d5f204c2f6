// The verbs that people and their scripts use: what they print, refuse and leave behind.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MachineReply } from '../../../../src/contract/api.ts';
import { BY_PERSON } from '../../../../src/contract/store-layout.ts';
import { openScene, type Scene, type ScriptedDaemon, startDaemon } from './door-harness.ts';

let scene: Scene;
let daemon: ScriptedDaemon | null = null;

beforeEach(() => {
  scene = openScene();
});
afterEach(async () => {
  await daemon?.close();
  daemon = null;
  scene.remove();
});

const released = () => join(scene.store, 'machines/.hostler/released');

/** A folder as another docker-machine leaves it. */
function foreign(name: string, driverName: string, driver: object): string {
  const folder = join(scene.store, 'machines', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ Driver: driver, DriverName: driverName, Name: name }),
  );
  return folder;
}

const failedMachine: MachineReply = {
  id: 'm-failed0000',
  pool: 'build',
  phase: 'terminating',
  instance: 'i-1',
  type: 'm5.large',
  zone: null,
  market: 'spot',
  address: null,
  builds: 0,
  lease: null,
  since: '2026-11-22T10:00:00.000Z',
  created: '2026-11-22T10:00:00.000Z',
  image: null,
  ending: 'boot-timeout',
  failure: 'it did not become ready within 300 s',
  healthy: false,
};

describe('ls', () => {
  test('prints names in natural order with -q', async () => {
    for (const name of ['box-10', 'box-2', 'Box-1']) scene.standing(name);
    expect(await scene.person(['ls', '-q'])).toMatchObject({ code: 0, out: 'Box-1\nbox-2\nbox-10\n' });
  });

  test('prints an empty table as its heading, and nothing with -q', async () => {
    expect((await scene.person(['ls'])).out).toBe(
      'NAME   ACTIVE   DRIVER   STATE   URL   SWARM   DOCKER   ERRORS\n',
    );
    expect((await scene.person(['ls', '-q'])).out).toBe('');
  });

  test('filters by name, state, driver and label', async () => {
    scene.standing('box-1');
    scene.standing('box-2', { 'hostler-health': 'dead it is silent\n' });
    foreign('other', 'none', { URL: 'tcp://10.0.0.1:2376' });
    const names = async (...filters: string[]) =>
      (await scene.person(['ls', '-q', ...filters.flatMap((filter) => ['--filter', filter])])).out
        .trim()
        .split('\n');
    expect(await names('name=^box-')).toEqual(['box-1', 'box-2']);
    expect(await names('state=error')).toEqual(['box-2']);
    expect(await names('name=box', 'name=oth')).toEqual(['box-1', 'box-2', 'other']);
    expect(await names('name=box', 'STATE=Running')).toEqual(['box-1']);
    expect(await names('driver=None')).toEqual(['other']);
    expect(await names('label=size=big', 'state=running')).toEqual(['box-1']);
  });

  test.each([
    ['{{.Name}} {{.State}} {{.URL}}', 'box-1 Running tcp://127.0.5.1:2376\n'],
    ['{{.NAME}}', 'box-1\n'],
    ['{{ .Name }}\\t{{json .DriverName}}', 'box-1\t"amazonec2"\n'],
    ['table {{.Name}}\\t{{.DriverName}}', 'NAME    DRIVER\nbox-1   amazonec2\n'],
  ])('prints the format %s', async (format, out) => {
    scene.standing('box-1');
    expect(await scene.person(['ls', '--format', format])).toMatchObject({ code: 0, out });
  });

  test('lists machines that failed, by their id, and leased ones that are ill', async () => {
    const ill = {
      ...failedMachine,
      id: 'm-ill0000000',
      lease: 'box-2',
      phase: 'leased',
      failure: null,
    } as const;
    const over = { ...failedMachine, id: 'm-gone000000', phase: 'gone' } as const;
    daemon = await startDaemon(scene.socket, {
      onRequest: () => ({ status: 200, body: { machines: [failedMachine, ill, over] } }),
    });
    scene.standing('box-1');
    scene.standing('box-2');
    const { out } = await scene.person(['ls', '-q', '--filter', 'state=Error', '--format', '{{.NAME}}']);
    expect(out).toBe('box-2\nm-failed0000\n');
    expect((await scene.person(['ls', '--format', '{{.Name}}: {{.Error}}', '--filter', 'name=m-'])).out).toBe(
      'm-failed0000: it did not become ready within 300 s\n',
    );
  });

  test('shows a folder that cannot be read as an error', async () => {
    const folder = foreign('box-1', 'none', {});
    writeFileSync(join(folder, 'config.json'), '{ half');
    expect((await scene.person(['ls', '--format', '{{.Name}} {{.State}} {{.Error}}'])).out).toMatch(
      /^box-1 Error .*config\.json is not JSON/,
    );
  });

  test.each([
    [['--filter', 'size'], 'Unsupported filter syntax'],
    [['--filter', 'size=1'], "Unsupported filter key 'size'"],
    [['--filter', 'name=['], 'error parsing regexp'],
    [['--format', '{{.Nothing}}'], 'there is no field Nothing'],
    [['--format', '{{if .Name}}'], 'is not understood here'],
    [['--timeout', 'soon'], 'invalid value "soon" for flag -timeout'],
    [['--no-such'], 'flag provided but not defined: -no-such'],
  ])('%j is refused in words', async (flags, message) => {
    const answer = await scene.person(['ls', ...flags]);
    expect(answer.code).toBe(1);
    expect(answer.err).toContain(message);
    expect(answer.err).not.toMatch(/\n\s+at /);
  });
});

describe('rm by a person', () => {
  test('marks the release as theirs', async () => {
    scene.standing('box-1');
    const answer = await scene.person(['rm', '-y', 'box-1']);
    expect(answer.code).toBe(0);
    expect(answer.out).toContain('About to remove box-1');
    expect(readdirSync(join(released(), 'box-1'))).toContain(BY_PERSON);
  });

  test('needs -y where nobody can be asked', async () => {
    const folder = scene.standing('box-1');
    const answer = await scene.person(['rm', 'box-1']);
    expect(answer.code).toBe(1);
    expect(answer.err).toContain('add -y');
    expect(existsSync(folder)).toBe(true);
  });

  test('of a machine without a folder goes to the daemon by its id', async () => {
    daemon = await startDaemon(scene.socket, {
      onRequest: (_method, path) =>
        path.startsWith('/v1/machines/')
          ? { status: 200, body: { done: true } }
          : { status: 404, body: { error: { code: 'not-found', message: 'no lease' } } },
    });
    expect((await scene.person(['rm', '-y', 'm-failed0000'])).code).toBe(0);
    expect(daemon.requests).toEqual([
      'DELETE /v1/leases/m-failed0000',
      'POST /v1/machines/m-failed0000/retire',
    ]);
  });

  test('goes on after a name that does not exist, and fails in the end', async () => {
    scene.standing('box-1');
    const answer = await scene.person(['rm', '-y', 'nope', 'box-1']);
    expect(answer.code).toBe(1);
    expect(answer.err).toContain('Error removing host "nope": Docker machine "nope" does not exist.');
    expect(readdirSync(released())).toEqual(['box-1']);
  });
});

describe("the runner's rm", () => {
  test('of a create under way ends its lease', async () => {
    daemon = await startDaemon(scene.socket, {});
    expect((await scene.runner(['rm', '-y', 'box-1'])).code).toBe(0);
    expect(daemon.requests).toEqual(['DELETE /v1/leases/box-1']);
  });

  test('of an unknown name fails, unless forced', async () => {
    expect((await scene.runner(['rm', '-y', 'box-1'])).code).toBe(1);
    expect((await scene.runner(['rm', '-f', 'box-1'])).code).toBe(0);
  });

  test('succeeds again while its release waits for the daemon', async () => {
    scene.standing('box-1');
    expect((await scene.runner(['rm', '-y', 'box-1'])).code).toBe(0);
    expect((await scene.runner(['rm', '-y', 'box-1'])).code).toBe(0);
  });

  test('of a name released twice keeps both for the daemon', async () => {
    for (let round = 0; round < 3; round++) {
      scene.standing('box-1');
      expect((await scene.runner(['rm', '-y', 'box-1'])).code).toBe(0);
    }
    expect(readdirSync(released()).toSorted()).toEqual(['box-1', 'box-1~2', 'box-1~3']);
  });

  test('of a machine that the daemon noted as gone removes the folder and is content', async () => {
    const folder = scene.standing('box-1', { 'hostler-health': 'gone it was terminated\n' });
    expect((await scene.runner(['rm', '-y', 'box-1'])).code).toBe(0);
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(released())).toEqual([]);
  });

  test('of a folder with a broken config.json still releases it', async () => {
    scene.standing('box-1', { 'config.json': '{ half', hostler: '' });
    expect((await scene.runner(['rm', '-f', 'box-1'])).code).toBe(0);
    expect(readdirSync(released())).toEqual(['box-1']);
  });
});

describe('a machine that the daemon noted as gone', () => {
  test.each(['url', 'ip', 'status', 'inspect', 'config', 'stop'])(
    '%s removes its folder and does not know it',
    async (verb) => {
      const folder = scene.standing('box-1', { 'hostler-health': 'gone it was terminated\n' });
      const answer = await scene.runner([verb, 'box-1']);
      expect(answer.code).toBe(1);
      expect(answer.err).toContain('Docker machine "box-1" does not exist');
      expect(existsSync(folder)).toBe(false);
    },
  );
});

describe('machines of another docker-machine', () => {
  test('are served from their own config.json', async () => {
    foreign('aws', 'amazonec2', { IPAddress: '10.0.0.7', InstanceId: 'i-7' });
    foreign('plain', 'none', { URL: 'tcp://10.0.0.8:2376' });
    expect((await scene.runner(['url', 'aws'])).out).toBe('tcp://10.0.0.7:2376\n');
    expect((await scene.runner(['url', 'plain'])).out).toBe('tcp://10.0.0.8:2376\n');
    expect((await scene.runner(['ip', 'aws', 'plain'])).out).toBe('10.0.0.7\n10.0.0.8\n');
    expect((await scene.runner(['status', 'aws'])).out).toBe('Running\n');
    expect((await scene.runner(['inspect', 'aws', '-f', '{{.Driver.InstanceId}}'])).out).toBe('i-7\n');
    expect((await scene.runner(['stop', 'aws'])).code).toBe(0);
  });

  test('in EC2 are handed to the daemon by rm, not forgotten', async () => {
    foreign('aws', 'amazonec2', { IPAddress: '10.0.0.7', InstanceId: 'i-7' });
    expect((await scene.runner(['rm', '-y', 'aws'])).code).toBe(0);
    expect(readFileSync(join(released(), 'aws/config.json'), 'utf8')).toContain('i-7');
  });

  test('of other clouds are not removed, unless forced', async () => {
    const folder = foreign('vm', 'google', { IPAddress: '10.0.0.9' });
    expect((await scene.runner(['rm', '-y', 'vm'])).err).toContain('made by driver "google"');
    expect((await scene.runner(['rm', '-f', 'vm'])).code).toBe(0);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('env', () => {
  test.each([
    ['bash', 'export DOCKER_HOST="tcp://127.0.5.1:2376"'],
    ['fish', 'set -gx DOCKER_HOST "tcp://127.0.5.1:2376";'],
    ['powershell', '$Env:DOCKER_HOST = "tcp://127.0.5.1:2376"'],
    ['cmd', 'SET DOCKER_HOST=tcp://127.0.5.1:2376'],
    ['tcsh', 'setenv DOCKER_HOST "tcp://127.0.5.1:2376";'],
    ['emacs', '(setenv "DOCKER_HOST" "tcp://127.0.5.1:2376")'],
  ])('speaks %s', async (shell, line) => {
    const folder = scene.standing('box-1');
    const { out, code } = await scene.person(['env', '--shell', shell, 'box-1']);
    expect(code).toBe(0);
    expect(out.split('\n')).toContain(line);
    expect(out).toContain(folder);
  });

  test('unsets, and adds the address to no_proxy', async () => {
    scene.standing('box-1');
    expect((await scene.person(['env', '-u', '--shell', 'bash'])).out).toContain('unset DOCKER_CERT_PATH\n');
    const { out } = await scene.person(['env', '--no-proxy', 'box-1'], { env: { no_proxy: 'a.example' } });
    expect(out).toContain('export no_proxy="a.example,127.0.5.1"\n');
  });
});

describe('other verbs', () => {
  test('active names the machine of DOCKER_HOST', async () => {
    scene.standing('box-1');
    const env = { DOCKER_HOST: 'tcp://127.0.5.1:2376' };
    expect((await scene.person(['active'], { env })).out).toBe('box-1\n');
    expect(await scene.person(['active'])).toMatchObject({ code: 1, err: 'No active host found\n' });
  });

  test('the name default is meant when none is given', async () => {
    expect((await scene.person(['url'])).err).toContain('no "default" machine exists');
    scene.standing('default');
    expect((await scene.person(['url'])).out).toBe('tcp://127.0.5.1:2376\n');
  });

  test.each(['kill', 'restart', 'provision', 'upgrade', 'regenerate-certs', 'mount', 'start'])(
    '%s is refused in words',
    async (verb) => {
      scene.standing('box-1');
      const answer = await scene.person([verb, 'box-1']);
      expect(answer).toMatchObject({ code: 1, out: '' });
      expect(answer.err).toMatch(/hostler does not|already running/);
    },
  );

  test("an unknown verb is refused in docker-machine's words", async () => {
    expect(await scene.person(['frobnicate'])).toEqual({
      code: 1,
      signal: null,
      out: '',
      err: "docker-machine: 'frobnicate' is not a docker-machine command. See 'docker-machine --help'.\n",
    });
  });

  test('an unknown global flag and one without its value are refused', async () => {
    expect((await scene.person(['--no-such', 'ls'])).err).toBe('flag provided but not defined: -no-such\n');
    expect((await scene.person(['--debug', '-s'])).err).toBe('flag needs an argument: -s\n');
  });

  test.each([[[]], [['help']], [['--help']], [['help', 'ls']], [['ls', '--help']]])(
    'help comes for %j',
    async (words) => {
      const answer = await scene.person(words);
      expect(answer.code).toBe(0);
      expect(answer.out).toMatch(/^Usage: docker-machine /);
    },
  );

  test('ssh calls the system ssh with the pinned host key', async () => {
    const bin = join(scene.folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'ssh'), '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n', { mode: 0o755 });
    writeFileSync(join(bin, 'scp'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    const folder = scene.standing('box-1', { known_hosts: '127.0.5.1 ssh-ed25519 AAAA\n' });
    const env = { PATH: `${bin}:${process.env['PATH']}` };
    const answer = await scene.person(['ssh', 'box-1', 'uptime', '-p'], { env });
    expect(answer.code).toBe(7);
    expect(answer.out).toContain('StrictHostKeyChecking=yes\n');
    expect(answer.out).toContain(`UserKnownHostsFile="${folder}/known_hosts"\n`);
    expect(answer.out).toMatch(/root@127\.0\.5\.1\nuptime\n-p\n$/);
    expect((await scene.person(['scp', '-r', './here', 'ubuntu@box-1:/there'], { env })).out).toMatch(
      /\.\/here\nubuntu@127\.0\.5\.1:\/there\n$/,
    );
  });
});
