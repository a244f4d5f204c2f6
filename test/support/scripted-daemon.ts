// A peer on a real unix socket that answers with what a test wrote down: for the client and the verbs of the command line.
// It knows no rule of the daemon; it only records what was asked.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LeaseReply, MachineReply, PlanReply, PoolReply, StatusReply } from '../../src/contract/api.ts';

export type Answer = { status?: number; body: unknown };
/** By `METHOD /path` (with query first, then without); a list is used up one by one, its last stays. */
export type Script = Record<string, Answer | readonly Answer[]>;

export type ScriptedDaemon = {
  socket: string;
  /** `METHOD /path?query`, in order. */
  asked: string[];
  headers: Record<string, string | string[] | undefined>[];
  bodies: string[];
  server: Server;
  close(): Promise<void>;
};

/** Listens on a socket in a folder of its own, or on `socket`. A body that is a string goes out as it is. */
export async function startScriptedDaemon(script: Script, socket?: string): Promise<ScriptedDaemon> {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-cli-'));
  const path = socket ?? join(folder, 'd.sock');
  const used = new Map<string, number>();
  const daemon: ScriptedDaemon = {
    socket: path,
    asked: [],
    headers: [],
    bodies: [],
    server: createServer(),
    close: async () => {
      daemon.server.closeAllConnections();
      await new Promise((resolve) => daemon.server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const pick = (key: string): Answer => {
    const entry = script[key] ?? script[key.replace(/\?.*$/, '')];
    if (entry === undefined)
      return {
        status: 404,
        body: { error: { code: 'not-found', message: `nothing at ${key}`, where: null } },
      };
    if (!Array.isArray(entry)) return entry as Answer;
    const list = entry as readonly Answer[];
    const index = used.get(key) ?? 0;
    used.set(key, index + 1);
    return list[Math.min(index, list.length - 1)] ?? { body: {} };
  };
  daemon.server.on('request', (request, reply) => {
    const key = `${request.method} ${request.url}`;
    daemon.asked.push(key);
    daemon.headers.push(request.headers);
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      daemon.bodies.push(body);
      const answer = pick(key);
      reply.writeHead(answer.status ?? 200, { 'content-type': 'application/json', 'hostler-api': '1' });
      reply.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => daemon.server.listen(path, resolve));
  return daemon;
}

/** 2026-11-22 07:00 UTC: 16:00 in Tokyo, a Sunday. */
export const NOW = Date.UTC(2026, 10, 22, 7, 0, 0);
const ago = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString();

const noMachines = {
  requested: 0,
  booting: 0,
  provisioning: 0,
  ready: 0,
  leased: 0,
  draining: 0,
  terminating: 0,
  gone: 0,
};

export const planSize: PlanReply['pools'][number] = {
  pool: 'build',
  period: 0,
  busy: 2,
  held: 1,
  ready: 1,
  coming: 4,
  leaving: 0,
  waiting: 12,
  pending: 0,
  wantIdle: 3,
  runnerIdle: 3,
  fill: 2,
  demand: 10,
  wanted: 15,
  missing: 7,
  beyond: 0,
  reasons: [{ code: 'demand', detail: { machines: 7 } }],
  nextChangeAt: null,
  bootMs: 60_000,
  lines: [],
};

export const aPool: PoolReply = {
  id: 'build',
  runner: 'build-runner',
  region: 'ap-northeast-1',
  type: 'm5.large',
  market: 'spot',
  limit: 20,
  paused: false,
  draining: false,
  idle_count: 0,
  period: 'base',
  next_change: new Date(Date.UTC(2026, 10, 23, 0, 0, 0)).toISOString(),
  timezone: 'Asia/Tokyo',
  machines: noMachines,
  size: null,
  rests: [],
};

export const aMachine: MachineReply = {
  id: 'm-abcdefghij',
  pool: 'build',
  phase: 'leased',
  instance: 'i-0123456789abcdef0',
  type: 'm5.large',
  zone: 'ap-northeast-1a',
  market: 'spot',
  address: '10.0.0.7',
  builds: 3,
  lease: 'runner-abc-1',
  since: ago(75),
  created: ago(600),
  image: 'ami-1',
  ending: null,
  failure: null,
  healthy: true,
};

export const aLease: LeaseReply = {
  name: 'runner-abc-1',
  pool: 'build',
  machine: 'm-abcdefghij',
  state: 'busy',
  since: ago(80),
  waited_s: 4.2,
  runner_pid: 77,
  jobs: [{ id: '1001', url: null }],
  place: null,
};

export const aStatus: StatusReply = {
  version: '0.1.0',
  pid: 4242,
  started: ago(3 * 3600 + 5 * 60),
  state_dir: '/var/lib/hostler',
  owner: 'build-runner',
  manager: '0b9e',
  config_files: ['/etc/gitlab-runner/config.toml'],
  config_loaded: ago(60),
  config_error: null,
  state_error: null,
  state_notes: [],
  warnings: [],
  last_tick: ago(2),
  ticks: 99,
  sources: [{ source: 'instances', state: 'fresh', age_s: 1, why: null }],
  ec2_calls: { RunInstances: 2, DescribeInstances: 9 },
  pools: [aPool],
  waiting: 0,
};

export const anEvent = {
  seq: 7,
  at: ago(30),
  code: 'launched' as const,
  pool: 'build',
  machine: 'm-abcdefghij',
  lease: null,
  text: 'EC2 accepted the launch of 4',
  detail: { count: 4 },
};
