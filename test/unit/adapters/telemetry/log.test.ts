import { describe, expect, test } from 'vitest';
import { createLog, type LogLevel } from '../../../../src/adapters/telemetry/log.ts';
import { Secret } from '../../../../src/domain/config.ts';
import { HostlerError } from '../../../../src/domain/error.ts';
import type { Clock } from '../../../../src/ports/clock.ts';

const clock: Clock = {
  now: () => Date.UTC(2026, 10, 22, 7, 0, 0),
  monotonic: () => 0,
  sleep: () => Promise.resolve(),
  timeout: () => new AbortController().signal,
};

function capture(level: LogLevel = 'info', pretty = false) {
  const lines: string[] = [];
  const log = createLog({ level, pretty, clock, destination: { write: (line) => void lines.push(line) } });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

describe('lines', () => {
  test('a line holds time, level, fields and message, and nothing of the machine', () => {
    const { log, last } = capture();
    log.info('machine is ready', { pool: 'build', boot_s: 41 });
    expect(last()).toEqual({
      level: 'info',
      time: '2026-11-22T07:00:00.000Z',
      pool: 'build',
      boot_s: 41,
      msg: 'machine is ready',
    });
  });

  test('lines below the level are not written', () => {
    const { log, lines } = capture('warn');
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    expect(lines).toHaveLength(2);
  });

  test('a child carries its fields', () => {
    const { log, last } = capture();
    log.child({ pool: 'build' }).child({ machine: 'm-1' }).warn('x', { tries: 2 });
    expect(last()).toMatchObject({ pool: 'build', machine: 'm-1', tries: 2, level: 'warn' });
  });

  test('an error becomes its code and its message without a stack', () => {
    const { log, last, lines } = capture();
    log.error('x', { error: new HostlerError('cloud-refused', 'no\n  such AMI') });
    expect(last()['error']).toEqual({ code: 'cloud-refused', message: 'no such AMI' });
    expect(lines.join('')).not.toContain('log.test.ts');
  });

  test('a cycle, a huge text and a bigint end in a line', () => {
    const { log, last } = capture();
    const cycle: Record<string, unknown> = { name: 'a' };
    cycle['self'] = cycle;
    log.info('x', { cycle, text: 'y'.repeat(100_000), big: 5n, list: new Map([['a', 1]]) });
    expect(String(last()['text']).length).toBeLessThan(5_000);
    expect(last()).toMatchObject({ big: '5', list: [['a', 1]] });
  });

  test('a terminal gets readable lines', () => {
    const { log, lines } = capture('info', true);
    log.info('machine is ready', { pool: 'build' });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('machine is ready');
    expect(lines[0]).toContain('build');
    expect(lines[0]).not.toContain('{"level"');
  });
});

describe('secrets', () => {
  const words = 'hush-hush-hush';

  test.each([
    'token',
    'secret',
    'secretAccessKey',
    'secret_access_key',
    'private_key',
    'privateKey',
    'key',
    'password',
    'authorization',
    'credentials',
    'userData',
    'registration-token',
  ])('a field named %s is hidden at every depth', (name) => {
    const { log, lines } = capture();
    log.info('x', { [name]: words, deep: { list: [{ [name]: { inner: words } }] } });
    log.child({ [name]: words }).info('y');
    expect(lines.join('')).not.toContain(words);
  });

  test('a Secret hides itself under any name', () => {
    const { log, lines } = capture();
    log.info('x', { anything: new Secret(words), list: [new Secret(words)] });
    expect(lines.join('')).not.toContain(words);
  });

  test('key material and tokens inside texts are cut out, in messages, errors and fields', () => {
    const pem = '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----';
    const { log, lines } = capture();
    log.info(`read ${pem}`, { note: `got ${pem} there`, arg: '--amazonec2-secret-key=abcdefgh rest' });
    log.info('runner glrt-abcdefghij_klmnop is here', { url: 'glpat-abcdefghijklmnop' });
    log.error('x', { error: new Error('key AKIAABCDEFGHIJKLMNOP was refused') });
    expect(lines.join('')).not.toMatch(/OPENSSH|abcdefgh|AKIA/);
    expect(lines.join('')).toContain('rest');
  });

  test('names that only look like secrets stay when they are figures', () => {
    const { log, last } = capture();
    log.info('x', { tokens_left: 5, has_token: true });
    expect(last()).toMatchObject({ tokens_left: 5, has_token: true });
  });
});
