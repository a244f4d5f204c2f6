// `docker-machine create` as its own process against a scripted daemon, through waits, refusals, restarts and kills.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LeaseEvent } from '../../../../src/contract/api.ts';
import {
  door,
  granted,
  type LeaseCall,
  openScene,
  ourFiles,
  type Scene,
  type Script,
  type ScriptedDaemon,
  startDaemon,
  until,
} from './door-harness.ts';

const NAME = 'runner-abc123def-box-1795369107-f408441a';
const words = (name = NAME) => [
  'create',
  '--driver',
  'amazonec2',
  '--amazonec2-region=eu-central-1',
  '--engine-opt',
  'mtu=1400',
  name,
];

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

const folders = () => readdirSync(join(scene.store, 'machines')).filter((name) => name !== '.hostler');
const grantAtOnce = (call: LeaseCall) => call.send(granted(call.request.name));

async function listen(script: Script): Promise<ScriptedDaemon> {
  daemon = await startDaemon(scene.socket, script);
  return daemon;
}

describe('a granted machine', () => {
  test('stands whole and private once create has ended', async () => {
    const { requests } = await listen({ onLease: grantAtOnce });
    const answer = await scene.runner(words());
    expect(answer).toMatchObject({ code: 0, err: '' });
    expect(answer.out).toContain(`${NAME} is machine m-aaaaaaaaaa of pool build at tcp://127.0.5.1:2376`);
    expect(folders()).toEqual([NAME]);
    const folder = join(scene.store, 'machines', NAME);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder).map((file) => statSync(join(folder, file)).mode & 0o777)).toEqual(
      Array(6).fill(0o600),
    );
    expect(requests).toEqual(['POST /v1/leases', `POST /v1/leases/${NAME}/commit`]);
    expect((await scene.runner(['config', NAME], { env: { HOSTLER_NODE: '/bin/false' } })).code).toBe(0);
  });

  test('was asked for with everything the daemon needs', async () => {
    const { leases } = await listen({ onLease: grantAtOnce });
    await scene.runner(words());
    expect(leases[0]?.request).toEqual({
      name: NAME,
      driver: 'amazonec2',
      options: ['amazonec2-region=eu-central-1', 'engine-opt=mtu=1400'],
      store: scene.store,
      pid: expect.any(Number),
      runnerPid: process.pid,
    });
  });

  test('is hidden until the daemon has committed it', async () => {
    let seen: string[] = [];
    await listen({
      onLease: grantAtOnce,
      onRequest: () => {
        seen = folders();
        return { status: 200, body: { done: true } };
      },
    });
    await scene.runner(words());
    expect(seen).toEqual([`.${NAME}.tmp`]);
  });

  test('goes to each of twenty creates at once', async () => {
    await listen({ onLease: grantAtOnce });
    const names = Array.from({ length: 20 }, (_, index) => `box-${index}`);
    const answers = await Promise.all(names.map((name) => scene.runner(words(name))));
    expect(answers.map(({ code, err }) => [code, err])).toEqual(names.map(() => [0, '']));
    expect(folders().toSorted()).toEqual(names.toSorted());
  });

  test('replaces what a create that was killed had left half-made', async () => {
    mkdirSync(join(scene.store, 'machines', `.${NAME}.tmp`), { recursive: true });
    writeFileSync(join(scene.store, 'machines', `.${NAME}.tmp`, 'config.json'), 'half');
    await listen({ onLease: grantAtOnce });
    expect((await scene.runner(words())).code).toBe(0);
    expect(readFileSync(join(scene.store, 'machines', NAME, 'config.json'), 'utf8')).toContain(
      'ConfigVersion',
    );
  });

  test('is refused when its files would leave the folder', async () => {
    await listen({
      onLease: (call) => call.send({ ...granted(NAME), files: { '../evil': 'x' } } as never),
    });
    const answer = await scene.runner(words());
    expect(answer.code).toBe(1);
    expect(answer.err).toContain('the daemon named a file "../evil"');
    expect(folders()).toEqual([]);
  });
});

describe('a wait', () => {
  test('says on stdout what it waits for, once a change', async () => {
    await listen({
      onLease: (call) => {
        for (const place of [2, 2, 1])
          call.send({ event: 'waiting', pool: 'build', place, reason: '1 machine is booting' });
        call.send(granted(NAME));
      },
    });
    const { out } = await scene.runner(words());
    expect(out.split('\n').slice(0, 2)).toEqual([
      `${NAME} waits in pool build at place 2: 1 machine is booting`,
      `${NAME} waits in pool build at place 1: 1 machine is booting`,
    ]);
  });

  test('that fails ends with the reason on stderr and nothing left', async () => {
    await listen({
      onLease: (call) =>
        call.send({
          event: 'failed',
          code: 'create-timeout',
          message: 'no machine within create_wait (600 s)',
        }),
    });
    expect(await scene.runner(words())).toMatchObject({
      code: 1,
      out: '',
      err: 'Error creating machine: no machine within create_wait (600 s) (create-timeout)\n',
    });
    expect(folders()).toEqual([]);
  });

  test('is refused in words by an error answer', async () => {
    const body = { error: { code: 'pool-unknown', message: 'no pool takes box-1', where: null } };
    await listen({ onRequest: () => ({ status: 422, body }) });
    expect((await scene.runner(words())).err).toBe(
      'Error creating machine: no pool takes box-1 (pool-unknown)\n',
    );
  });

  test('goes on at the next daemon with the same name', async () => {
    const first = await listen({
      onLease: (call) => {
        call.send({ event: 'waiting', pool: 'build', place: 1, reason: '1 machine is booting' });
        setImmediate(call.cut);
      },
    });
    const running = scene.start(['--bugsnag-api-token=no-report', ...words()]);
    await until(() => running.out().includes('waits in pool'), 'the first answer');
    await first.close();
    const { leases } = await listen({ onLease: grantAtOnce });
    expect((await running.done).code).toBe(0);
    expect(leases.map(({ request }) => request.name)).toEqual([NAME]);
    expect(running.out()).toContain('waiting for the hostler daemon');
    expect(folders()).toEqual([NAME]);
  });

  test('takes a daemon that stops for one that will be back', async () => {
    let asked = 0;
    await listen({
      onLease: (call) =>
        ++asked === 1
          ? call.send({ event: 'failed', code: 'daemon-stopping', message: 'the daemon stops' })
          : grantAtOnce(call),
    });
    expect((await scene.runner(words())).code).toBe(0);
    expect(asked).toBe(2);
  });

  test('begins before the daemon is there', async () => {
    const running = scene.start(words());
    await until(() => running.out().includes('waiting for the hostler daemon'), 'its first words');
    await listen({ onLease: grantAtOnce });
    expect((await running.done).code).toBe(0);
  });

  test('for an absent daemon ends in its time and says so', async () => {
    const answer = await scene.runner(words(), { env: { HOSTLER_CREATE_WAIT: '0.3' } });
    expect(answer.code).toBe(1);
    expect(answer.err).toContain(`no hostler daemon at ${scene.socket}`);
    expect(folders()).toEqual([]);
  });
});

describe('the commit', () => {
  test('that comes too late gives the machine up', async () => {
    const body = { error: { code: 'lease-gone', message: 'the lease was taken back', where: null } };
    await listen({ onLease: grantAtOnce, onRequest: () => ({ status: 409, body }) });
    const answer = await scene.runner(words());
    expect(answer.code).toBe(1);
    expect(answer.err).toContain('was removed while it was created');
    expect(folders()).toEqual([]);
  });

  test('without an answer leads back to the line of the next daemon, whose word on the host is fresh', async () => {
    let first: ScriptedDaemon | null = null;
    first = await listen({
      onLease: grantAtOnce,
      onRequest: () => ({ status: 503, body: { error: { code: 'daemon-stopping' } } }),
    });
    const running = scene.start(words());
    await until(() => first.requests.length >= 2, 'the commit');
    await first.close();
    const fresh = { ...ourFiles(NAME), 'hostler-health': 'ok 4000000000\n' };
    const second = await listen({
      onLease: (call) => call.send({ ...granted(NAME), files: fresh } as LeaseEvent),
    });
    expect((await running.done).code).toBe(0);
    expect(second.requests).toEqual(['POST /v1/leases', `POST /v1/leases/${NAME}/commit`]);
    expect(readFileSync(join(scene.store, 'machines', NAME, 'hostler-health'), 'utf8')).toBe(
      'ok 4000000000\n',
    );
  });

  test('of a lease that the daemon forgot leads to a new question', async () => {
    let forgot = false;
    const { leases } = await listen({
      onLease: grantAtOnce,
      onRequest: () => {
        if (forgot) return { status: 200, body: { done: true } };
        forgot = true;
        return { status: 404, body: { error: { code: 'not-found', message: 'no such lease' } } };
      },
    });
    expect((await scene.runner(words())).code).toBe(0);
    expect(leases).toHaveLength(2);
    await leases[0]?.closed;
  });
});

describe('its end', () => {
  test('by a kill is seen by the daemon as a closed connection, and no folder stands', async () => {
    const { leases } = await listen({
      onLease: (call) => call.send({ event: 'waiting', pool: 'build', place: 1, reason: 'it boots' }),
    });
    const running = scene.start(words());
    await until(() => running.out().includes('waits in pool'), 'the wait');
    running.child.kill('SIGKILL');
    await leases[0]?.closed;
    expect(folders()).toEqual([]);
  });

  test('by a kill at any moment leaves no half-made folder in sight of the runner', async () => {
    await listen({ onLease: (call) => setTimeout(() => grantAtOnce(call), 5) });
    const moments = Array.from({ length: 24 }, (_, index) => 2 + index * 4);
    await Promise.all(
      moments.map(async (ms, index) => {
        const running = scene.start(words(`box-${index}`));
        setTimeout(() => running.child.kill('SIGKILL'), ms);
        await running.done;
      }),
    );
    const seen = existsSync(join(scene.store, 'machines'))
      ? folders().filter((name) => !name.startsWith('.'))
      : [];
    for (const name of seen)
      expect(existsSync(join(scene.store, 'machines', name, 'config.json'))).toBe(true);
  });

  test('comes when its caller has ended', async () => {
    const { leases } = await listen({
      onLease: (call) => call.send({ event: 'waiting', pool: 'build', place: 1, reason: 'it boots' }),
    });
    const env = {
      ...process.env,
      MACHINE_STORAGE_PATH: scene.store,
      HOSTLER_SOCKET: scene.socket,
      HOSTLER_NODE: process.execPath,
    };
    const parent = spawn(
      '/bin/sh',
      ['-c', `${door} --bugsnag-api-token=no-report ${words().join(' ')} & wait`],
      { env, stdio: 'ignore' },
    );
    await until(() => leases.length === 1, 'the lease');
    parent.kill('SIGKILL');
    await leases[0]?.closed;
    expect(folders()).toEqual([]);
  });

  test.each(['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const)(
    'does not come from %s when the runner asked',
    async (signal) => {
      const { leases } = await listen({
        onLease: (call) => call.send({ event: 'waiting', pool: 'build', place: 1, reason: 'it boots' }),
      });
      const running = scene.start(['--bugsnag-api-token=no-report', ...words()]);
      await until(() => running.out().includes('waits in pool'), 'the wait');
      running.child.kill(signal);
      leases[0]?.send({ event: 'waiting', pool: 'build', place: 1, reason: 'it still boots' });
      await until(() => running.out().includes('it still boots'), 'a sign of life after the signal');
      leases[0]?.send(granted(NAME));
      expect((await running.done).code).toBe(0);
    },
  );

  test('comes from Ctrl-C when a person asked', async () => {
    await listen({
      onLease: (call) => call.send({ event: 'waiting', pool: 'build', place: 1, reason: 'it boots' }),
    });
    const running = scene.start(words());
    await until(() => running.out().includes('waits in pool'), 'the wait');
    running.child.kill('SIGINT');
    expect((await running.done).code).toBe(1);
  });

  test('is not caused by a reader of its words that went away', async () => {
    const { leases } = await listen({ onLease: () => undefined });
    const running = scene.start(['--bugsnag-api-token=no-report', ...words()]);
    await until(() => leases.length === 1, 'the lease');
    running.child.stdout?.destroy();
    leases[0]?.send({ event: 'waiting', pool: 'build', place: 1, reason: 'it boots' });
    leases[0]?.send(granted(NAME));
    expect((await running.done).code).toBe(0);
  });
});

describe('a command line', () => {
  test('for a name that stands is refused', async () => {
    scene.standing(NAME);
    expect(await scene.runner(words())).toMatchObject({
      code: 1,
      err: `Docker machine "${NAME}" already exists\n`,
    });
  });

  test('for a name whose machine is gone is taken', async () => {
    scene.standing(NAME, { 'hostler-health': 'gone it was terminated\n' });
    await listen({ onLease: grantAtOnce });
    expect((await scene.runner(words())).code).toBe(0);
  });

  test.each([
    [['--no-such-flag=1', NAME], 'flag provided but not defined: -no-such-flag'],
    [['--amazonec2-root-size=big', NAME], 'invalid value "big" for flag -amazonec2-root-size'],
    [['--amazonec2-monitoring=maybe', NAME], 'invalid boolean value "maybe" for -amazonec2-monitoring'],
    [[NAME, '--amazonec2-ami'], 'flag needs an argument: -amazonec2-ami'],
    [[], 'Error: No machine name specified'],
    [['one', 'two'], 'Invalid command line. Found extra arguments [two]'],
    [['../evil'], 'Invalid hostname specified'],
    [['.hidden'], 'Invalid hostname specified'],
    [['--', '-x'], 'Invalid hostname specified'],
  ])('%j is refused in words', async (more, message) => {
    const answer = await scene.runner(['create', '--driver', 'amazonec2', ...more]);
    expect(answer.code).toBe(1);
    expect(answer.err).toContain(message);
    expect(answer.err).not.toMatch(/\n\s+at /);
  });

  test('takes flags after the name and with one dash', async () => {
    const { leases } = await listen({ onLease: grantAtOnce });
    await scene.runner([
      'create',
      '-d=amazonec2',
      NAME,
      '-amazonec2-ami',
      'ami-1',
      '--amazonec2-request-spot-instance',
    ]);
    expect(leases[0]?.request).toMatchObject({
      name: NAME,
      options: ['amazonec2-ami=ami-1', 'amazonec2-request-spot-instance=true'],
    });
  });

  test('for a driver that hostler does not serve is refused in words', async () => {
    expect((await scene.person(['create', NAME])).err).toMatch(/^Driver "virtualbox" not found/);
    const env = { MACHINE_DRIVER: 'google' };
    expect((await scene.person(['create', NAME], { env })).err).toMatch(/^Driver "google" not found/);
  });

  test('with --help lists the flags of its driver', async () => {
    const answer = await scene.person(['create', '--driver', 'amazonec2', '--help']);
    expect(answer.code).toBe(0);
    expect(answer.out).toContain('--amazonec2-spot-price');
  });
});

describe('driver none', () => {
  test('is noted in the store and removed again without a daemon', async () => {
    const made = await scene.person(['create', '--driver', 'none', '--url', 'localhost', 'dummy-machine']);
    expect(made).toMatchObject({ code: 0, err: '' });
    expect((await scene.person(['url', 'dummy-machine'])).out).toBe('localhost\n');
    const removed = await scene.person(['rm', '-y', 'dummy-machine']);
    expect(removed.code).toBe(0);
    expect(removed.out).toContain('Successfully removed dummy-machine');
    expect(folders()).toEqual([]);
  });

  test('needs its URL', async () => {
    expect((await scene.person(['create', '--driver', 'none', 'dummy'])).err).toContain(
      '--url option is required',
    );
  });
});
