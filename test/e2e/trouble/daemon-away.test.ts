// No daemon, a second one, or one that cannot start: doors answer from the folder or wait, and what stands in the way is
// said in one line with its cure.
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LiveWorld, machineName, type Ran, run, startWorld } from '../../support/live-world.ts';

let world: LiveWorld;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

/** A daemon that is expected to end by itself, with a folder, socket and port of its own unless told otherwise. */
function startAnother(changes: Record<string, string> = {}, file = world.configFile): Promise<Ran> {
  const env: Record<string, string> = {
    ...world.env,
    HOSTLER_STATE_DIR: join(world.folder, 'other-state'),
    HOSTLER_SOCKET: join(world.folder, 'other-run', 'hostler.sock'),
    HOSTLER_LISTEN_ADDRESS: '127.0.0.1:0',
    ...changes,
  };
  const [bin = ''] = (env['PATH'] ?? '').split(':');
  return run(join(bin, 'hostler'), ['run', '--config', file], env).done;
}

/** What a person sees last: one line of words, without a stack. */
function lastWords({ stderr }: Ran): string {
  const lines = stderr.trim().split('\n');
  expect(stderr).not.toMatch(/^\s+at /m);
  return lines.at(-1) ?? '';
}

describe('while no daemon runs', () => {
  test('every verb that the runner needs answers from the folder, and a create waits for the daemon', async () => {
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    expect(await world.stop()).toBe(0);
    const answers = await Promise.all(
      [
        ['config', name],
        ['url', name],
        ['ip', name],
        ['status', name],
        ['inspect', name],
        ['inspect', name, '-f', '{{.HostOptions.AuthOptions.StorePath}}'],
        ['stop', name],
        ['ls', '-q'],
      ].map((words) => world.dockerMachine(...words)),
    );
    expect(answers.map(({ code }) => code)).toEqual(answers.map(() => 0));
    expect(answers[1]?.stdout).toMatch(/^tcp:\/\/127\.0\.\d+\.\d+:2376\n$/);
    const waiting = world.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    let said = '';
    waiting.child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await world.until('the create to say what it waits for', () =>
      said.includes('waiting for the hostler daemon'),
    );
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.start();
    expect(await waiting.done).toMatchObject({ code: 0 });
    expect(world.emulator.world.instances()).toHaveLength(1);
  });

  test('a command of a person says in one line that none answers', async () => {
    const answer = await world.hostler('status', '--socket', join(world.folder, 'nobody.sock'));
    expect(answer.code).toBe(69);
    expect(lastWords(answer)).toContain('(daemon-away)');
  });
});

describe('a second daemon', () => {
  test('on the same state folder is refused in words and harms nothing', async () => {
    const answer = await startAnother({ HOSTLER_STATE_DIR: world.env['HOSTLER_STATE_DIR'] ?? '' });
    expect(answer.code).toBe(75);
    const { pid } = await world.client.status();
    expect(lastWords(answer)).toContain(`another hostler (pid ${pid}) uses this state folder`);
    expect((await world.client.machines()).length).toBe(1);
  });

  test('on the same socket is refused in words and leaves the socket to the first', async () => {
    const answer = await startAnother({ HOSTLER_SOCKET: world.env['HOSTLER_SOCKET'] ?? '' });
    expect(answer.code).toBe(75);
    expect(lastWords(answer)).toContain('HOSTLER_SOCKET');
    expect((await world.client.machines()).length).toBe(1);
  });
});

describe('a start', () => {
  test('replaces the socket that a killed daemon left behind', async () => {
    await world.stop('SIGKILL');
    expect(existsSync(world.env['HOSTLER_SOCKET'] ?? '')).toBe(true);
    await world.start();
    expect((await world.client.machines()).length).toBe(1);
  });

  test('on a port that is taken says which and what to set', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const answer = await startAnother({ HOSTLER_LISTEN_ADDRESS: `127.0.0.1:${port}` });
    server.close();
    expect(answer.code).toBe(71);
    expect(lastWords(answer)).toMatch(new RegExp(`127.0.0.1:${port} is taken .*HOSTLER_LISTEN_ADDRESS`));
  });

  test('with a state folder that cannot be made says which', async () => {
    const file = join(world.folder, 'a-file');
    writeFileSync(file, '');
    const answer = await startAnother({ HOSTLER_STATE_DIR: join(file, 'state') });
    expect(answer.code).toBe(74);
    expect(lastWords(answer)).toContain(join(file, 'state'));
  });

  test('without a configuration that can be read says where it looked, and line and column of what is wrong', async () => {
    const missing = join(world.folder, 'missing.toml');
    const absent = await startAnother({}, missing);
    expect(absent.code).toBe(2);
    expect(lastWords(absent)).toContain(missing);
    const broken = join(world.folder, 'broken.toml');
    writeFileSync(broken, 'concurrent = 4\n[[runners]\n');
    const answer = await startAnother({}, broken);
    expect(answer.code).toBe(2);
    expect(lastWords(answer)).toMatch(/broken\.toml:2:\d+/);
  });
});

describe('SIGHUP', () => {
  test('reads the configuration again, and does not end the daemon when it is broken', async () => {
    const { pid } = await world.client.status();
    world.writeConfig({ runner: 'limit = 7' });
    process.kill(pid, 'SIGHUP');
    await world.until('the new limit', async () => (await world.client.pools())[0]?.limit === 7);
    writeFileSync(world.configFile, 'concurrent = "many"\n');
    process.kill(pid, 'SIGHUP');
    await world.until('the refusal', async () => (await world.client.status()).config_error !== null);
    expect((await world.client.pools())[0]?.limit).toBe(7);
    world.writeConfig({ runner: 'limit = 50' });
    process.kill(pid, 'SIGHUP');
    await world.until('the old limit', async () => (await world.client.pools())[0]?.limit === 50);
  });
});
