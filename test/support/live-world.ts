// A whole hostler for end-to-end tests: the emulated cloud in this process, the daemon as a child process (so that it can
// be killed), the real docker-machine door, all in one temporary folder. `close` proves that nothing of it stays, and that
// the printed IAM policy allows every call to AWS that was made.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/adapters/config/load.ts';
import { type Client, createClient } from '../../src/contract/client.ts';
import { type RunningDaemon, startDaemon } from '../../src/daemon.ts';
import { callsOf, type Feature, featuresOf } from '../../src/domain/iam-grants.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/emulator/start-emulator.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Gate } from './ec2-gate.ts';

const root = join(import.meta.dirname, '..', '..');

export type Ran = { code: number; stdout: string; stderr: string };

export type WorldOptions = {
  emulator?: EmulatorOptions;
  /** Lines of `[[runners]]` beside the usual ones, e.g. `limit = 5`. */
  runner?: string;
  /** Lines of `[runners.machine]`. */
  machine?: string;
  /** More MachineOptions. */
  options?: readonly string[];
  /** Lines of `[[runners.machine.autoscaling]]` sections and what follows. */
  periods?: string;
  concurrent?: number;
  /** The whole runner's file, in place of the usual one with a single section. */
  text?: (at: { endpoint: string; sshPort: number }) => string;
  /** Given, the daemon runs in this process on that clock instead of as a child process. */
  clock?: Clock;
  /** Stands between hostler and the emulated cloud. */
  gate?: Gate;
  /** Text of hostler's own file, `{runner}` standing for the runner's file; default: none, the runner's file is named. */
  own?: string;
  env?: Readonly<Record<string, string>>;
};

export type LiveWorld = {
  folder: string;
  store: string;
  configFile: string;
  emulator: Emulator;
  env: Record<string, string>;
  client: Client;
  metricsUrl: string;
  /** Lines the daemon printed. */
  log(): string;
  start(): Promise<void>;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  isRunning(): boolean;
  hostler(...args: string[]): Promise<Ran>;
  dockerMachine(...args: string[]): Promise<Ran>;
  startDockerMachine(...args: string[]): { child: ChildProcess; done: Promise<Ran> };
  create(name: string): Promise<Ran>;
  rm(name: string): Promise<Ran>;
  writeConfig(changes: Partial<WorldOptions>): void;
  /** Instances that EC2 still has. */
  alive(): { id: string; state: string; tags: Record<string, string>; type: string; market: string }[];
  ec2Calls(): Record<string, number>;
  /** Waits until `look` gives something truthy, looking every 50 ms; fails with `what` after `limitMs`. */
  until<T>(
    what: string,
    look: () => T | Promise<T>,
    limitMs?: number,
  ): Promise<NonNullable<Exclude<T, false>>>;
  close(): Promise<void>;
};

/** A daemon starts within two seconds, on a machine with ten times as much to do as it can within half a minute. */
const START_LIMIT_MS = 45_000;

let names = 0;
/** A machine name as the runner makes them. */
export function machineName(): string {
  names++;
  return `runner-testtoken-box-${1_790_000_000 + names}-${names.toString(16).padStart(8, '0')}`;
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** MachineOptions that reach the emulated cloud. */
export function machineOptions(at: { endpoint: string; sshPort: number }, type = 'm5.large'): string[] {
  return [
    'amazonec2-region=eu-central-1',
    'amazonec2-vpc-id=vpc-0a1b2c3d',
    'amazonec2-subnet-id=subnet-0a1b2c3d',
    'amazonec2-use-private-address=true',
    'amazonec2-security-group=runner-hosts',
    `amazonec2-instance-type=${type}`,
    'amazonec2-ami=ami-0123456789abcdef0',
    'amazonec2-access-key=AKIAEXAMPLE',
    'amazonec2-secret-key=example-secret',
    `amazonec2-endpoint=${at.endpoint}`,
    `amazonec2-ssh-port=${at.sshPort}`,
  ];
}

function configText(at: { endpoint: string; sshPort: number }, options: WorldOptions): string {
  if (options.text !== undefined) return options.text(at);
  const given = [...machineOptions(at), ...(options.options ?? [])];
  return `concurrent = ${options.concurrent ?? 100}
check_interval = 0
[[runners]]
  name = "test-runner"
  url = "https://gitlab.example.com"
  token = "glrt-testtoken0000000000"
  executor = "docker+machine"
  ${options.runner ?? 'limit = 50'}
  [runners.docker]
    image = "alpine"
  [runners.machine]
    ${options.machine ?? 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 10'}
    MachineDriver = "amazonec2"
    MachineName = "box-%s"
    MachineOptions = [
${given.map((option) => `      "${option}",`).join('\n')}
    ]
${options.periods ?? ''}
`;
}

/** Runs a command to its end, or until the test kills it. */
export function run(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
): { child: ChildProcess; done: Promise<Ran> } {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const done = new Promise<Ran>((resolve) => {
    child.once('close', (code, signal) =>
      resolve({ code: code ?? (signal === null ? 1 : 137), stdout, stderr }),
    );
  });
  return { child, done };
}

/** Starts emulator and daemon; the daemon is ready when this resolves. */
export async function startWorld(options: WorldOptions = {}): Promise<LiveWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-e2e-'));
  const store = join(folder, 'store');
  mkdirSync(store);
  const emulator = await startEmulator({ bootMs: 300, unseenMs: 50, ...options.emulator });
  const port = await freePort();
  const configFile = join(folder, 'config.toml');
  const ownFile = join(folder, 'hostler.toml');
  let current = options;
  const env: Record<string, string> = {
    PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    HOSTLER_SOCKET: join(folder, 'run', 'hostler.sock'),
    HOSTLER_STATE_DIR: join(folder, 'state'),
    HOSTLER_LISTEN_ADDRESS: `127.0.0.1:${port}`,
    MACHINE_STORAGE_PATH: store,
    HOSTLER_MACHINE_STORAGE_PATH: store,
    AWS_EC2_METADATA_DISABLED: 'true',
    NO_COLOR: '1',
    ...options.env,
  };
  const client = createClient({ socket: env['HOSTLER_SOCKET'] ?? '' });
  const metricsUrl = `http://127.0.0.1:${port}`;
  let daemon: { child: ChildProcess; done: Promise<Ran> } | null = null;
  let inside: RunningDaemon | null = null;
  let output = '';

  const features = new Set<Feature>();
  const readings: Promise<void>[] = [];
  async function noteFeatures(): Promise<void> {
    const path = current.own === undefined ? configFile : ownFile;
    const config = await loadConfig({ path, env, zone: 'UTC' }).catch(() => null);
    if (config !== null) for (const feature of featuresOf(config)) features.add(feature);
  }

  function writeConfig(changes: Partial<WorldOptions>): void {
    current = { ...current, ...changes };
    const endpoint = options.gate?.before(emulator.endpoint) ?? emulator.endpoint;
    const text = configText({ endpoint, sshPort: emulator.sshPort }, current);
    writeFileSync(configFile, text, { mode: 0o600 });
    if (current.own !== undefined) writeFileSync(ownFile, current.own.replaceAll('{runner}', configFile));
    readings.push(noteFeatures());
  }
  writeConfig({});

  /** Calls that `hostler iam-policy` would not have allowed under any configuration that this world had. */
  async function callsBeyondPolicy(): Promise<string[]> {
    await Promise.all(readings);
    const made = {
      ...emulator.calls(),
      ...emulator.ssmCalls(),
      ...emulator.sqsCalls(),
      ...emulator.quotaCalls(),
    };
    const allowed = new Set(callsOf(features));
    return features.size === 0 ? [] : Object.keys(made).filter((call) => !allowed.has(call));
  }

  async function until<T>(
    what: string,
    look: () => T | Promise<T>,
    limitMs = 15_000,
  ): Promise<NonNullable<Exclude<T, false>>> {
    const end = Date.now() + limitMs;
    for (;;) {
      const found = await look();
      if (found) return found as NonNullable<Exclude<T, false>>;
      if (Date.now() > end)
        throw new Error(`not seen within ${limitMs} ms: ${what}\n${output.slice(-4_000)}`);
      await sleep(50);
    }
  }

  async function start(): Promise<void> {
    const file = current.own === undefined ? configFile : ownFile;
    if (options.clock !== undefined) {
      // Its log would go to the test's own stdout.
      const quiet = { ...env, HOSTLER_LOG_LEVEL: env['HOSTLER_LOG_LEVEL'] ?? 'error' };
      const io = { out: () => undefined, err: () => undefined };
      inside = await startDaemon({ configPath: file, env: quiet, clock: options.clock, ...io });
      await until('the daemon to be ready', isReady, START_LIMIT_MS);
      return;
    }
    daemon = run(join(root, 'bin', 'hostler'), ['run', '--config', file], env);
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    daemon.child.stdout?.on('data', collect);
    daemon.child.stderr?.on('data', collect);
    const { child } = daemon;
    const ready = async () => {
      if (child.exitCode !== null)
        throw new Error(`the daemon ended with ${child.exitCode}: ${output.slice(-2_000)}`);
      return isReady();
    };
    await until('the daemon to be ready', ready, START_LIMIT_MS);
  }

  function isReady(): Promise<boolean> {
    return fetch(`${metricsUrl}/readyz`).then(
      (answer) => answer.status === 200,
      () => false,
    );
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (inside !== null) {
      await inside.stop('the test ends');
      inside = null;
      return 0;
    }
    if (daemon === null) return null;
    daemon.child.kill(signal);
    const { code } = await daemon.done;
    daemon = null;
    return code;
  }

  const dockerMachine = (...args: string[]) =>
    run(join(root, 'bin', 'docker-machine'), ['--bugsnag-api-token=no-report', ...args], env);
  const create = (name: string) =>
    dockerMachine('create', '--driver', 'amazonec2', '--amazonec2-region=eu-central-1', name).done;

  await start().catch(async (error: unknown) => {
    await stop('SIGKILL');
    client.close();
    await options.gate?.close();
    await emulator.close();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  return {
    folder,
    store,
    configFile,
    emulator,
    env,
    client,
    metricsUrl,
    log: () => output,
    start,
    stop,
    isRunning: () => inside !== null || (daemon !== null && daemon.child.exitCode === null),
    hostler: (...args) => run(join(root, 'bin', 'hostler'), args, env).done,
    dockerMachine: (...args) => dockerMachine(...args).done,
    startDockerMachine: dockerMachine,
    create,
    rm: (name) => dockerMachine('rm', '-y', name).done,
    writeConfig,
    alive: () => aliveInstances(emulator),
    ec2Calls: () => ({ ...emulator.calls() }),
    until,
    async close() {
      await stop();
      const beyond = await callsBeyondPolicy();
      client.close();
      await options.gate?.close();
      await emulator.close();
      rmSync(folder, { recursive: true, force: true });
      if (beyond.length > 0) throw new Error(`calls that iam-policy does not allow: ${beyond.join(', ')}`);
    },
  };
}

function aliveInstances(emulator: Emulator): ReturnType<LiveWorld['alive']> {
  return emulator.world
    .instances()
    .filter((instance) => instance.state === 'pending' || instance.state === 'running')
    .map(({ id, state, tags, type, market }) => ({
      id,
      state,
      type,
      market,
      tags: Object.fromEntries(tags),
    }));
}

/** A call to a machine's Docker API with the certificates of its store folder, as the runner makes them. */
export function dockerCall(
  world: LiveWorld,
  name: string,
  call: { method: string; path: string; body?: unknown },
): Promise<{ status: number; text: string }> {
  const folder = join(world.store, 'machines', name);
  const read = (file: string) => readFileSync(join(folder, file));
  const { Driver } = JSON.parse(read('config.json').toString()) as { Driver: { IPAddress: string } };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: Driver.IPAddress,
        port: 2376,
        method: call.method,
        path: call.path,
        ca: read('ca.pem'),
        cert: read('cert.pem'),
        key: read('key.pem'),
        headers: { 'content-type': 'application/json' },
        agent: false,
      },
      (reply) => {
        let text = '';
        reply.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  });
}

/** Starts a container with the runner's labels, as a job of that id; gives the way to end it. */
export async function startJob(world: LiveWorld, name: string, jobId: string): Promise<() => Promise<void>> {
  const url = await world.dockerMachine('url', name);
  if (url.code !== 0) throw new Error(`url ${name}: ${url.stderr}`);
  const labels = {
    'com.gitlab.gitlab-runner.job.id': jobId,
    'com.gitlab.gitlab-runner.managed': 'true',
    'com.gitlab.gitlab-runner.type': 'build',
  };
  const made = await dockerCall(world, name, {
    method: 'POST',
    path: '/containers/create',
    body: { Image: 'alpine', Cmd: ['sleep', '3600'], Labels: labels },
  });
  const { Id } = JSON.parse(made.text) as { Id: string };
  await dockerCall(world, name, { method: 'POST', path: `/containers/${Id}/start` });
  return async () => {
    await dockerCall(world, name, { method: 'DELETE', path: `/containers/${Id}?force=1` });
  };
}

/** Names of machine folders that stand in the store. */
export function folders(world: LiveWorld): string[] {
  return readdirSync(join(world.store, 'machines')).filter((name) => !name.startsWith('.'));
}
