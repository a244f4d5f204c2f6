// Runs the real bin/docker-machine against a store folder of its own and, where a test wants one, a scripted daemon: a
// small HTTP server on a unix socket that speaks contract/api.ts. It decides nothing by itself: tests say each answer.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LeaseEvent, LeaseRequest } from '../../../../src/contract/api.ts';

export const root = join(import.meta.dirname, '../../../..');
export const door = join(root, 'bin/docker-machine');

/** Shells that the door must run under: the system's, and busybox's where it is installed. */
export const shells: readonly (readonly string[])[] = [
  ['/bin/sh'],
  ...[process.env['TEST_BUSYBOX'] ?? '/bin/busybox'].filter(works).map((busybox) => [busybox, 'sh']),
];

function works(busybox: string): boolean {
  try {
    execFileSync(busybox, ['true']);
    return true;
  } catch {
    return false;
  }
}

export type Answer = { code: number | null; signal: string | null; out: string; err: string };
export type Running = { child: ChildProcess; out: () => string; err: () => string; done: Promise<Answer> };
export type RunOptions = {
  env?: Record<string, string>;
  cwd?: string;
  shell?: readonly string[];
  program?: string;
};

export type Scene = {
  folder: string;
  store: string;
  socket: string;
  start(words: readonly string[], options?: RunOptions): Running;
  /** As the runner calls: with its first flag. */
  runner(words: readonly string[], options?: RunOptions): Promise<Answer>;
  person(words: readonly string[], options?: RunOptions): Promise<Answer>;
  /** A machine folder as hostler's create leaves it. */
  standing(name: string, files?: Record<string, string>): string;
  remove(): void;
};

/** A fresh store and socket path. Both go with `remove`. */
export function openScene(): Scene {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-door-'));
  const store = join(folder, 'store');
  const socket = join(folder, 'daemon.sock');
  const start: Scene['start'] = (words, options = {}) => {
    const [command, ...first] = [...(options.shell ?? ['/bin/sh']), options.program ?? door];
    const child = spawn(command, [...first, ...words], {
      cwd: options.cwd ?? folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: folder,
        MACHINE_STORAGE_PATH: store,
        HOSTLER_SOCKET: socket,
        HOSTLER_NODE: process.execPath,
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (piece) => (out += String(piece)));
    child.stderr.on('data', (piece) => (err += String(piece)));
    const done = new Promise<Answer>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, out, err }));
    });
    return { child, out: () => out, err: () => err, done };
  };
  return {
    folder,
    store,
    socket,
    start,
    runner: (words, options) => start(['--bugsnag-api-token=no-report', ...words], options).done,
    person: (words, options) => start(words, options).done,
    standing(name, files = {}) {
      const path = join(store, 'machines', name);
      mkdirSync(path, { recursive: true });
      mkdirSync(join(store, 'machines/.hostler/released'), { recursive: true });
      for (const [file, text] of Object.entries({ ...ourFiles(name), ...files }))
        writeFileSync(join(path, file), text);
      return path;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Files of a machine at 127.0.5.1, good for an hour. */
export function ourFiles(name: string): Record<string, string> {
  return {
    hostler: 'tcp://127.0.5.1:2376\nm-aaaaaaaaaa\n',
    'hostler-health': `ok ${Math.floor(Date.now() / 1000) + 3600}\n`,
    'config.json': `${JSON.stringify({ ConfigVersion: 3, Driver: { IPAddress: '127.0.5.1' }, DriverName: 'amazonec2', HostOptions: { EngineOptions: { Labels: ['size=big'] } }, Name: name }, null, 4)}\n`,
    'ca.pem': 'ca',
    'cert.pem': 'cert',
    'key.pem': 'key',
  };
}

/** What the daemon hands out for NAME. */
export function granted(name: string): LeaseEvent {
  return {
    event: 'granted',
    pool: 'build',
    machine: 'm-aaaaaaaaaa',
    url: 'tcp://127.0.5.1:2376',
    files: ourFiles(name),
  };
}

export type LeaseCall = {
  request: LeaseRequest;
  send(event: LeaseEvent): void;
  /** Breaks the connection, as a daemon does that is killed. */
  cut(): void;
  /** Resolves when the door's end of the connection is gone. */
  closed: Promise<void>;
};

export type ScriptedDaemon = {
  /** Every request: `METHOD /path`. */
  requests: string[];
  leases: LeaseCall[];
  close(): Promise<void>;
};

export type Script = {
  onLease?(call: LeaseCall): void;
  /** Answers anything else, commits included; 200 `{"done":true}` unless told. */
  onRequest?(method: string, path: string): { status: number; body: unknown };
};

/** Listens on the scene's socket until closed. */
export async function startDaemon(socket: string, script: Script): Promise<ScriptedDaemon> {
  const requests: string[] = [];
  const leases: LeaseCall[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    requests.push(`${request.method} ${request.url}`);
    let body = '';
    for await (const piece of request) body += String(piece);
    if (request.method === 'POST' && request.url === '/v1/leases' && script.onLease) {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.flushHeaders();
      const call: LeaseCall = {
        request: JSON.parse(body) as LeaseRequest,
        send: (event) => void response.write(`${JSON.stringify(event)}\n`),
        cut: () => request.socket.destroy(),
        closed: new Promise((resolve) => response.on('close', () => resolve())),
      };
      leases.push(call);
      script.onLease(call);
      return;
    }
    const answer = script.onRequest?.(request.method ?? '', request.url ?? '') ?? {
      status: 200,
      body: { done: true },
    };
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer.body));
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  rmSync(socket, { force: true });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    requests,
    leases,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Waits until something holds; gives up after ten seconds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let look = 0; look < 1000; look++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited for ${what} in vain`);
}
