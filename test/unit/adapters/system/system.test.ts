import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { createNotify } from '../../../../src/adapters/system/notify.ts';
import { createRandom } from '../../../../src/adapters/system/random.ts';

describe('clock', () => {
  const clock = createClock();

  test('a sleep ends early, without an error, when its signal aborts', async () => {
    const control = new AbortController();
    const sleep = clock.sleep(3_600_000, control.signal);
    control.abort();
    await expect(sleep).resolves.toBeUndefined();
    await expect(clock.sleep(3_600_000, control.signal)).resolves.toBeUndefined();
  });

  test('a sleep longer than a timer can hold does not end at once', async () => {
    const control = new AbortController();
    let hasEnded = false;
    const sleep = clock.sleep(2 ** 40, control.signal).then(() => {
      hasEnded = true;
    });
    await clock.sleep(5);
    expect(hasEnded).toBe(false);
    control.abort();
    await sleep;
  });

  test('a time limit aborts by itself and with its parent', async () => {
    const alone = clock.timeout(1);
    await new Promise((resolve) => {
      alone.addEventListener('abort', resolve);
      // The limit's own timer does not hold the process; this one does until then.
      setTimeout(resolve, 10_000).unref();
    });
    expect(alone.aborted).toBe(true);
    expect((alone.reason as Error).name).toBe('TimeoutError');
    const parent = new AbortController();
    const child = clock.timeout(3_600_000, parent.signal);
    expect(child.aborted).toBe(false);
    parent.abort(new Error('stop'));
    expect(child.aborted).toBe(true);
    expect((child.reason as Error).message).toBe('stop');
    expect(clock.timeout(1, parent.signal).aborted).toBe(true);
  });

  test('the monotonic clock does not go back', () => {
    const before = clock.monotonic();
    expect(clock.monotonic()).toBeGreaterThanOrEqual(before);
  });
});

describe('random', () => {
  test('ids have the length asked for, in lower-case base 32, and differ', () => {
    const random = createRandom();
    const ids = Array.from({ length: 1_000 }, () => random.id(10));
    expect(ids.every((id) => /^[a-z2-7]{10}$/.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(1_000);
  });

  test('floats lie in [0, 1)', () => {
    const random = createRandom();
    const floats = Array.from({ length: 1_000 }, () => random.float());
    expect(floats.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(Math.max(...floats) - Math.min(...floats)).toBeGreaterThan(0.5);
  });
});

describe('systemd notices', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  /** A program of that name which writes down its arguments, first on the PATH. */
  function program(body = '') {
    const folder = mkdtempSync(join(tmpdir(), 'hostler-notify-'));
    folders.push(folder);
    const file = join(folder, 'systemd-notify');
    writeFileSync(file, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> "${folder}/calls"\n${body}`);
    chmodSync(file, 0o755);
    return {
      env: { PATH: `${folder}:/usr/bin:/bin`, NOTIFY_SOCKET: '/run/n' },
      calls: () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n'),
    };
  }

  test('start, status, sign of life and stop reach systemd-notify', async () => {
    const { env, calls } = program();
    const notify = createNotify({ env, pid: 12 });
    await notify.ready('3 pools\nready');
    await notify.status('busy');
    await notify.alive();
    await notify.stopping();
    expect(calls()).toEqual([
      '/run/n --pid=12 --ready --status=3 pools ready',
      '/run/n --pid=12 --status=busy',
      '/run/n --pid=12 WATCHDOG=1',
      '/run/n --pid=12 STOPPING=1',
    ]);
  });

  test('without NOTIFY_SOCKET nothing is started', async () => {
    const { env, calls } = program();
    const notify = createNotify({ env: { PATH: env.PATH }, pid: 12 });
    await notify.ready('x');
    expect(calls).toThrow();
    expect(notify.aliveEveryMs).toBeNull();
  });

  test('a failing or missing program is not an error', async () => {
    await createNotify({ env: program('exit 3').env, pid: 1 }).ready('x');
    await createNotify({ env: { PATH: '/nowhere', NOTIFY_SOCKET: '/run/n' }, pid: 1 }).ready('x');
  });

  test('signs of life do not overlap', async () => {
    const { env, calls } = program('sleep 0.1');
    const notify = createNotify({ env, pid: 1 });
    await Promise.all([notify.alive(), notify.alive(), notify.alive()]);
    expect(calls()).toHaveLength(1);
  });

  test.each([
    ['30000000', 10_000],
    ['12000000', 5_000],
    ['2000000', 1_000],
    ['', null],
    ['0', null],
    ['x', null],
  ])('WATCHDOG_USEC=%s asks for a sign every %s ms', (usec, ms) => {
    const env = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: usec };
    expect(createNotify({ env, pid: 1 }).aliveEveryMs).toBe(ms);
  });
});
