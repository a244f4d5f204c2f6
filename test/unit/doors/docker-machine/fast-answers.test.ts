// What bin/docker-machine answers without Node: the node it could call is one that always fails.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as layout from '../../../../src/contract/store-layout.ts';
import { door, openScene, type RunOptions, type Scene, shells } from './door-harness.ts';

const noNode = { HOSTLER_NODE: '/bin/false' };
const NAME = 'runner-abc123def-box-1795369107-f408441a';

describe.each(shells.map((shell) => [shell.join(' '), shell] as const))('under %s', (_, shell) => {
  let scene: Scene;
  let run: (words: readonly string[], options?: RunOptions) => ReturnType<Scene['runner']>;
  let machines: string;

  beforeEach(() => {
    scene = openScene();
    machines = join(scene.store, 'machines');
    run = (words, options) => scene.runner(words, { shell, env: noNode, ...options });
  });
  afterEach(() => scene.remove());

  const calls = () => readFileSync(join(machines, '.hostler/calls'), 'utf8');

  test('url prints the URL and tells the daemon', async () => {
    scene.standing(NAME);
    expect(await run(['url', NAME])).toMatchObject({ code: 0, out: 'tcp://127.0.5.1:2376\n', err: '' });
    expect(calls()).toBe(`url ${NAME}\n`);
  });

  test('url works in a store without a mailbox', async () => {
    const folder = scene.standing(NAME);
    expect(
      (await run(['url', NAME], { env: { ...noNode, MACHINE_STORAGE_PATH: join(folder, '../..') } })).code,
    ).toBe(0);
  });

  test('ip prints the address, of IPv6 too', async () => {
    scene.standing(NAME, { hostler: 'tcp://[2001:db8::5]:2376\nm-a\n' });
    expect(await run(['ip', NAME])).toMatchObject({ code: 0, out: '2001:db8::5\n' });
  });

  test('inspect prints config.json as it is', async () => {
    const folder = scene.standing(NAME);
    const answer = await run(['inspect', NAME]);
    expect(answer).toMatchObject({ code: 0, out: readFileSync(join(folder, 'config.json'), 'utf8') });
  });

  test.each([
    ['inspect', NAME, '-f', '{{.HostOptions.AuthOptions.StorePath}}'],
    ['inspect', '-f', '{{.HostOptions.AuthOptions.StorePath}}', NAME],
    ['inspect', NAME, '--format', '{{.HostOptions.AuthOptions.StorePath}}'],
    ['inspect', NAME, '--format={{.HostOptions.AuthOptions.StorePath}}'],
    ['inspect', '-f={{.HostOptions.AuthOptions.StorePath}}', NAME],
    ['inspect', '-format', '{{ .HostOptions.AuthOptions.StorePath }}', NAME],
  ])('the folder of the certificates comes for %s %s %s %s', async (...words) => {
    const folder = scene.standing(NAME);
    expect(await run(words.filter(Boolean))).toMatchObject({ code: 0, out: `${folder}\n` });
  });

  test('status is Running, and Error once the daemon holds the host for dead', async () => {
    const folder = scene.standing(NAME);
    expect(await run(['status', NAME])).toMatchObject({ code: 0, out: 'Running\n' });
    writeFileSync(join(folder, 'hostler-health'), 'dead its Docker API does not answer\n');
    expect(await run(['status', NAME])).toMatchObject({ code: 0, out: 'Error\n' });
  });

  test('config prints the five lines while the note is fresh', async () => {
    const folder = scene.standing(NAME);
    const lines = [
      '--tlsverify',
      `--tlscacert="${folder}/ca.pem"`,
      `--tlscert="${folder}/cert.pem"`,
      `--tlskey="${folder}/key.pem"`,
      '-H=tcp://127.0.5.1:2376',
    ];
    expect(await run(['config', NAME])).toMatchObject({ code: 0, out: `${lines.join('\n')}\n` });
    expect(calls()).toBe(`config ${NAME}\n`);
  });

  test('config of a dead host says no and why', async () => {
    scene.standing(NAME, { 'hostler-health': 'dead its Docker API does not answer\n' });
    const answer = await run(['config', NAME]);
    expect(answer).toMatchObject({ code: 1, out: '' });
    expect(answer.err).toContain(`"${NAME}" is known to be dead: its Docker API does not answer`);
  });

  test.each([
    ['stale', 'ok 1000000000\n'],
    ['broken', 'ok soon\n'],
    ['empty', ''],
    ['gone', 'gone it was terminated\n'],
  ])('config does not trust a note that is %s', async (_kind, note) => {
    scene.standing(NAME, { 'hostler-health': note });
    expect(await run(['config', NAME])).toMatchObject({ code: 1, out: '' });
  });

  test('stop leaves everything as it is', async () => {
    const folder = scene.standing(NAME);
    expect(await run(['stop', NAME])).toEqual({ code: 0, signal: null, out: '', err: '' });
    expect(existsSync(join(folder, 'config.json'))).toBe(true);
  });

  test.each(['-y', '-f', '--force'])('rm %s moves the folder to where the daemon looks', async (flag) => {
    scene.standing(NAME);
    expect(await run(['rm', flag, NAME])).toMatchObject({ code: 0, err: '' });
    expect(readdirSync(machines)).toEqual(['.hostler']);
    expect(readdirSync(join(machines, '.hostler/released', NAME))).toContain('config.json');
    expect(readdirSync(join(machines, '.hostler/released', NAME))).not.toContain(layout.BY_PERSON);
    expect(calls()).toBe(`release ${NAME}\n`);
  });

  test('global flags stand in front in every spelling', async () => {
    scene.standing(NAME);
    const store = ['--storage-path', scene.store];
    const elsewhere = { ...noNode, MACHINE_STORAGE_PATH: '/nowhere' };
    for (const flags of [
      ['-s', scene.store],
      [`-s=${scene.store}`],
      [`--storage-path=${scene.store}`, '--debug', '-D', '--native-ssh'],
      [
        ...store,
        '--tls-ca-cert',
        '/a',
        '--tls-ca-key=/b',
        '-tls-client-cert',
        '/c',
        '--tls-client-key',
        '/d',
      ],
      [...store, '--github-api-token', 'url', '--bugsnag-api-token', 'url'],
    ])
      expect(await run([...flags, 'url', NAME], { env: elsewhere })).toMatchObject({
        code: 0,
        out: 'tcp://127.0.5.1:2376\n',
      });
  });

  test('the store is below HOME unless told, and may be relative', async () => {
    scene.standing(NAME);
    mkdirSync(join(scene.folder, '.docker'));
    symlinkSync(scene.store, join(scene.folder, '.docker/machine'));
    expect((await run(['url', NAME], { env: { ...noNode, MACHINE_STORAGE_PATH: '' } })).code).toBe(0);
    const relative = await run(['inspect', NAME, '-f', '{{.HostOptions.AuthOptions.StorePath}}'], {
      env: { ...noNode, MACHINE_STORAGE_PATH: 'store' },
    });
    expect(relative.out).toBe(`${machines}/${NAME}\n`);
  });

  test.each(['../other', '.hidden', 'a/b', '-x', 'ümlaut', ''])('%j is no name to look for', async (name) => {
    mkdirSync(join(scene.store, 'other'), { recursive: true });
    writeFileSync(join(scene.store, 'other/hostler'), 'tcp://127.0.5.9:2376\n');
    scene.standing(NAME);
    expect(await run(['url', name])).toMatchObject({ code: 1, out: '' });
  });
});

describe('the program', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = openScene();
    scene.standing(NAME);
  });
  afterEach(() => scene.remove());

  test('runs through chains of symbolic links', async () => {
    symlinkSync(door, join(scene.folder, 'one'));
    symlinkSync('one', join(scene.folder, 'docker-machine'));
    const linked = { program: join(scene.folder, 'docker-machine') };
    expect((await scene.runner(['url', NAME], linked)).code).toBe(0);
    expect((await scene.person(['version'], linked)).out).toMatch(/^docker-machine version /);
    expect(
      (await scene.person(['version'], { ...linked, program: './docker-machine', cwd: scene.folder })).code,
    ).toBe(0);
  });

  test('is found by PATH', async () => {
    const answer = await scene.person(['version'], {
      shell: ['/usr/bin/env'],
      program: 'docker-machine',
      env: { PATH: `${join(door, '..')}:${process.env['PATH']}` },
    });
    expect(answer).toMatchObject({ code: 0, err: '' });
  });

  test('says what it needs where there is no Node', async () => {
    const bare = join(scene.folder, 'elsewhere');
    mkdirSync(join(bare, 'bin'), { recursive: true });
    mkdirSync(join(bare, 'path'));
    writeFileSync(join(bare, 'bin/docker-machine'), readFileSync(door));
    const env = { PATH: join(bare, 'path'), HOSTLER_NODE: '' };
    const answer = await scene.person(['ls'], { program: join(bare, 'bin/docker-machine'), env });
    expect(answer.code).toBe(1);
    expect(answer.err).toMatch(/^hostler needs Node 24 or newer/);
  });

  test('names the files of the store as the contract does', () => {
    const text = readFileSync(door, 'utf8');
    expect(text).toContain(`folder=$store/${layout.MACHINES}/$name`);
    expect(text).toContain(`mailbox=$store/${layout.MACHINES}/${layout.MAILBOX}`);
    expect(text).toContain(`"$mailbox/${layout.CALLS}"`);
    expect(text).toContain(`"$mailbox/${layout.RELEASED}/$name"`);
    expect(text).toContain(`"$folder/${layout.MARK}"`);
    expect(text).toContain(`"$folder/${layout.HEALTH}"`);
  });
});
