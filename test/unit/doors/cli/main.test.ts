import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  aMachine,
  anEvent,
  aStatus,
  type Script,
  startScriptedDaemon,
} from '../../../support/scripted-daemon.ts';

const main = join(import.meta.dirname, '../../../../src/main.ts');
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

type Running = {
  child: ChildProcess;
  said: { out: string; err: string };
  /** Resolves when `stream` has shown the text. */
  shown(stream: 'out' | 'err', text: string | RegExp): Promise<void>;
  ended: Promise<{ code: number | null; signal: string | null }>;
};

/** The real program as a process of its own, ended with the test. */
function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nowhere', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  ends.push(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  let wake = () => {};
  const add = (stream: 'out' | 'err') => (chunk: Buffer) => {
    said[stream] += chunk.toString('utf8');
    wake();
  };
  child.stdout.on('data', add('out'));
  child.stderr.on('data', add('err'));
  const ended = once(child, 'close').then(([code, signal]) => {
    wake();
    return { code: code as number | null, signal: signal as string | null };
  });
  return {
    child,
    said,
    ended,
    shown: async (stream, text) => {
      while (said[stream].search(text) === -1) {
        if (child.exitCode !== null)
          throw new Error(`ended without ${String(text)}: ${JSON.stringify(said)}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

async function daemonOf(script: Script, socket?: string) {
  const daemon = await startScriptedDaemon(script, socket);
  ends.push(daemon.close);
  return daemon;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'hostler-main-'));
  ends.push(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

describe('the program', () => {
  test('prints its version and ends well', async () => {
    const { said, ended } = start(['version', '--json']);
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(JSON.parse(said.out)).toMatchObject({ version: expect.any(String) as string });
    expect(said.err).toBe('');
  });

  test('finds its daemon through HOSTLER_SOCKET', async () => {
    const daemon = await daemonOf({ 'GET /v1/machines': { body: { machines: [aMachine] } } });
    const { said, ended } = start(['machines', '--json'], { HOSTLER_SOCKET: daemon.socket });
    expect((await ended).code).toBe(0);
    expect(JSON.parse(said.out)).toEqual([aMachine]);
  });

  test('a large answer arrives whole on a pipe', async () => {
    const machines = Array.from({ length: 5_000 }, (_, n) => ({ ...aMachine, id: `m-${n}` }));
    const daemon = await daemonOf({ 'GET /v1/machines': { body: { machines } } });
    const { said, ended } = start(['machines', '--json'], { HOSTLER_SOCKET: daemon.socket });
    expect((await ended).code).toBe(0);
    expect(JSON.parse(said.out)).toHaveLength(5_000);
  });

  test('a reader that goes away ends it quietly', async () => {
    const machines = Array.from({ length: 5_000 }, (_, n) => ({ ...aMachine, id: `m-${n}` }));
    const daemon = await daemonOf({ 'GET /v1/machines': { body: { machines } } });
    const running = start(['machines'], { HOSTLER_SOCKET: daemon.socket });
    running.child.stdout?.destroy();
    expect((await running.ended).code).toBe(0);
    expect(running.said.err).toBe('');
  });

  test('wrong usage is one line and 64', async () => {
    const { said, ended } = start(['sttaus']);
    expect((await ended).code).toBe(64);
    expect(said.err).toBe(
      'hostler: unknown command \'sttaus\' (Did you mean status?); see "hostler --help" (usage)\n',
    );
  });

  test('destructive verbs do not wait for an answer that cannot come', async () => {
    const daemon = await daemonOf({ 'GET /v1/status': { body: aStatus } });
    const { said, ended } = start(['cleanup'], { HOSTLER_SOCKET: daemon.socket });
    expect((await ended).code).toBe(64);
    expect(said.err).toMatch(/add --yes to do it \(usage\)\n$/);
  });

  test('a daemon that cannot read its configuration says so in one line', async () => {
    const { said, ended } = start(['run', '--config', join(folder(), 'none.toml')]);
    expect((await ended).code).toBe(2);
    expect(said.err).toMatch(/^hostler: .*none\.toml.* \(config-unreadable\)\n$/);
  });
});

describe('following', () => {
  const later = { ...anEvent, seq: 8, text: 'second' };
  const event = (...events: object[]) => ({ body: { events } });

  test('events -f shows each event once, in order, until it is interrupted', async () => {
    const daemon = await daemonOf({
      'GET /v1/events?limit=50': event(anEvent),
      'GET /v1/events?after=7&limit=1000': [event(), event(later)],
      'GET /v1/events?after=8&limit=1000': event(),
    });
    const running = start(['events', '-f', '--json', '--every', '0.1'], { HOSTLER_SOCKET: daemon.socket });
    await running.shown('out', 'second');
    running.child.kill('SIGINT');
    expect((await running.ended).signal).toBe('SIGINT');
    const lines = running.said.out.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual([7, 8]);
  });

  test('events -f outlives a restart of the daemon', async () => {
    const socket = join(folder(), 'd.sock');
    const first = await startScriptedDaemon({ 'GET /v1/events': event(anEvent) }, socket);
    const running = start(['events', '-f', '--json', '--every', '0.1'], { HOSTLER_SOCKET: socket });
    await running.shown('out', '"seq":7');
    await first.close();
    await running.shown('err', /daemon.*; waiting for it/);
    await daemonOf({ 'GET /v1/events?after=7&limit=1000': event(later) }, socket);
    await running.shown('out', 'second');
  });

  test('status --watch draws again, also through a restart', async () => {
    const socket = join(folder(), 'd.sock');
    const first = await startScriptedDaemon({ 'GET /v1/status': { body: aStatus } }, socket);
    const running = start(['status', '--watch', '--every', '0.1'], { HOSTLER_SOCKET: socket });
    await running.shown('out', /pid 4242[\s\S]*pid 4242/);
    await first.close();
    await running.shown('out', 'no daemon at');
    await daemonOf({ 'GET /v1/status': { body: { ...aStatus, pid: 4343 } } }, socket);
    await running.shown('out', 'pid 4343');
  });
});
