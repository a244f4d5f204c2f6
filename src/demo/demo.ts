// The demo's course: an emulated cloud and a hostler daemon as processes of their own, a stand-in runner in this one, a
// burst of jobs, and an end with nothing left. Each step waits for what it can see, within a limit.
// It draws nothing. Trap: `close` must run on every way out; it ends the children and removes the folder.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../contract/client.ts';
import { MACHINES, MARK } from '../contract/store-layout.ts';
import { HostlerError } from '../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import { type Child, startChild, startGuard, tailOf } from './child.ts';
import {
  type DemoWay,
  demoRunner,
  hostlerConfigText,
  machineOptions,
  runnerConfigText,
} from './config-text.ts';
import { createEmulatedCloud, type EmulatedCloud } from './emulated-cloud.ts';
import type { JobRecord } from './job-record.ts';
import type { RunnerPolicy } from './policy.ts';
import { createStandInRunner, type StandInRunner } from './runner.ts';
import { makeSite, programs, type Site } from './site.ts';
import { type DemoSummary, summarise } from './summary.ts';

export type DemoOptions = {
  jobs: number;
  /** Machines kept ready before the burst. */
  idle: number;
  /** Seconds from launch to a host that answers. */
  bootS: number;
  jobS: number;
  maxBuilds: number;
  /** Seconds until the runner gives an idle machine back. */
  idleTimeS: number;
  way: DemoWay;
};

export type DemoView = {
  jobs: readonly JobRecord[];
  /** By phase, from the daemon. */
  machines: Readonly<Record<string, number>>;
};

export type Demo = {
  site: Site;
  /** Jobs and machines as they are now. */
  look(): Promise<DemoView>;
  /** Waits until the idle machines stand ready. */
  warm(): Promise<void>;
  /** Queues all jobs at once and waits for their end. */
  burst(): Promise<void>;
  /** Waits until the runner gave back what it does not hold idle. */
  cool(): Promise<void>;
  /** Ends the runner, drains the pool, waits until no instance is left; gives the number of those that are. */
  end(): Promise<number>;
  /** `leaked`: what `end` gave, null before. */
  summary(leaked: number | null): Promise<DemoSummary>;
  /** Ends the children and removes the folder; `hard`: at once. */
  close(hard?: boolean): Promise<void>;
};

/** Between looks at something awaited. */
const LOOK_MS: DurationMs = 100;
/** Until a child is ready: a Node process takes under a second, ten times that on a machine under load. */
const START_LIMIT_MS: DurationMs = 30 * SECOND_MS;
/** What a busy machine may need beyond boots and jobs before something counts as stuck. */
const PATIENCE_MS: DurationMs = 60 * SECOND_MS;
/** From drain to the last instance's end: two terminate rounds and the emulated cloud's two seconds each. */
const END_LIMIT_MS: DurationMs = 20 * SECOND_MS;
/** The daemon promises to leave within 10 s of SIGTERM. */
const STOP_LIMIT_MS: DurationMs = 10 * SECOND_MS;

type Parts = {
  options: DemoOptions;
  site: Site;
  children: Child[];
  cloud: EmulatedCloud;
  client: Client;
  runner: StandInRunner;
  machineIds: Map<string, string>;
  signal: AbortSignal;
};

function policyOf(options: DemoOptions): RunnerPolicy {
  return {
    idleCount: options.way === 'standing' ? options.idle : 0,
    idleCountMin: 0,
    idleScaleFactor: 0,
    idleTimeMs: options.idleTimeS * SECOND_MS,
    maxBuilds: options.maxBuilds,
    limit: options.jobs + options.idle,
    maxGrowthRate: 0,
    concurrent: options.jobs,
  };
}

/** Looks again and again until `holds`; throws when time is up, a child has ended, or the user has. */
async function until(
  what: string,
  holds: () => Promise<boolean>,
  within: { limitMs: DurationMs; children: readonly Child[]; site: Site; signal: AbortSignal },
): Promise<void> {
  const begun = performance.now();
  while (!(await holds())) {
    within.signal.throwIfAborted();
    const dead = within.children.find((child) => !child.isAlive());
    if (dead !== undefined)
      throw new HostlerError(
        'daemon-away',
        `${dead.name} ${await dead.ended}: ${tailOf(within.site.log(dead.name))}`,
      );
    if (performance.now() - begun > within.limitMs)
      throw new HostlerError('internal', `${what}: not within ${Math.round(within.limitMs / SECOND_MS)} s`);
    await sleep(LOOK_MS);
  }
}

async function isReady(address: string): Promise<boolean> {
  try {
    const answer = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(2 * SECOND_MS) });
    await answer.text();
    return answer.ok;
  } catch {
    return false;
  }
}

/** hostler's id of a machine, from the folder that its create wrote. */
function machineIdOf(site: Site, name: string): string | null {
  try {
    return readFileSync(join(site.store, MACHINES, name, MARK), 'utf8').split('\n')[1] ?? null;
  } catch {
    return null;
  }
}

function actions(parts: Parts): Omit<Demo, 'site' | 'close'> {
  const { options, cloud, client, runner } = parts;
  const within = (limitMs: DurationMs) => ({ ...parts, limitMs });
  const bootMs = options.bootS * SECOND_MS;
  return {
    async look() {
      const pools = await client.pools().catch(() => []);
      return { jobs: runner.jobs(), machines: pools[0]?.machines ?? {} };
    },
    async warm() {
      const isWarm = async (): Promise<boolean> => {
        if (options.way === 'standing') return runner.counts().idle >= options.idle;
        const machines = await client.machines();
        return machines.filter(({ phase }) => phase === 'ready').length >= options.idle;
      };
      await until(`${options.idle} idle machines`, isWarm, within(bootMs + PATIENCE_MS));
    },
    async burst() {
      const orders = Array.from({ length: options.jobs }, (_, index) => ({
        id: String(index + 1),
        url: `https://gitlab.example.com/demo/app/-/jobs/${index + 1}`,
        image: 'alpine',
        durationMs: options.jobS * SECOND_MS,
      }));
      runner.queue(orders);
      const rounds = Math.max(1, Math.ceil(options.jobs / Math.max(1, options.idle)));
      const limitMs = PATIENCE_MS + rounds * (bootMs + options.jobS * SECOND_MS);
      const isOver = () => Promise.resolve(runner.jobs().every(({ doneAt }) => doneAt !== null));
      await until('the end of all jobs', isOver, within(limitMs));
    },
    async cool() {
      const held = options.way === 'standing' ? options.idle : 0;
      const isCool = () => Promise.resolve(runner.counts().total <= held);
      await until('idle machines given back', isCool, within(options.idleTimeS * SECOND_MS + PATIENCE_MS));
    },
    async end() {
      await runner.stop({ drain: true });
      for (const { id } of await client.pools()) await client.drain(id);
      const alive = async () =>
        (await cloud.instances()).filter(({ state }) => state !== 'terminated').length;
      const begun = performance.now();
      while ((await alive()) > 0 && performance.now() - begun < END_LIMIT_MS) await sleep(LOOK_MS);
      return alive();
    },
    async summary(leaked) {
      const launched = (await cloud.instances()).length;
      const { idle, bootS } = options;
      const { machineIds } = parts;
      const calls = await cloud.calls();
      return summarise({ records: runner.jobs(), machineIds, idle, bootS, calls, launched, leaked });
    },
  };
}

async function startCloud(
  options: DemoOptions,
  site: Site,
  begin: (name: string, args: readonly string[]) => Child,
): Promise<string> {
  const ports = ['--port', '0', '--ssh-port', String(site.sshPort)];
  const child = begin('emulator', ['emulate', ...ports, '--boot', String(options.bootS)]);
  const line = await child.firstLine;
  return (JSON.parse(line) as { endpoint: string }).endpoint;
}

function makeRunner(
  options: DemoOptions,
  site: Site,
  endpoint: string,
  machineIds: Map<string, string>,
): StandInRunner {
  return createStandInRunner({
    ...demoRunner,
    dockerMachine: programs.dockerMachine,
    store: site.store,
    env: site.env,
    policy: policyOf(options),
    machineOptions: machineOptions({ endpoint, sshPort: site.sshPort }),
    onEvent: (event) => {
      if (event.kind !== 'job' || event.job.machine === null || machineIds.has(event.job.machine)) return;
      const id = machineIdOf(site, event.job.machine);
      if (id !== null) machineIds.set(event.job.machine, id);
    },
  });
}

/**
 * Starts cloud, daemon and runner. Throws when one of them does not come up; then nothing is left behind.
 * `signal` ends the waiting of every step.
 */
export async function startDemo(
  options: DemoOptions,
  context: { env: Readonly<Record<string, string | undefined>>; signal: AbortSignal },
): Promise<Demo> {
  const { signal } = context;
  const site = await makeSite(context.env);
  const guard = startGuard(site.folder);
  const children: Child[] = [];
  const begun: { runner?: StandInRunner; client?: Client } = {};
  const begin = (name: string, args: readonly string[]): Child => {
    const reads = name === 'emulator';
    const child = startChild({
      name,
      args: [programs.main, ...args],
      env: site.env,
      log: site.log(name),
      reads,
    });
    guard.watch(child.pid);
    children.push(child);
    return child;
  };
  const close = async (hard = false): Promise<void> => {
    begun.runner?.kill();
    begun.client?.close();
    for (const child of children.toReversed()) {
      if (hard) child.kill();
      await child.stop(STOP_LIMIT_MS);
    }
    site.remove();
    guard.dismiss();
  };

  try {
    const endpoint = await startCloud(options, site, begin);
    const place = { runnerConfig: site.runnerConfig, way: options.way, idle: options.idle };
    const listed = machineOptions({ endpoint, sshPort: site.sshPort });
    site.write(site.runnerConfig, runnerConfigText(policyOf(options), listed));
    site.write(site.hostlerConfig, hostlerConfigText(place));
    begin('daemon', ['run', '--config', site.hostlerConfig]);
    const within = { limitMs: START_LIMIT_MS, children, site, signal };
    await until('the daemon', () => isReady(site.listenAddress), within);
    const machineIds = new Map<string, string>();
    const runner = makeRunner(options, site, endpoint, machineIds);
    const client = createClient({ socket: site.socket });
    Object.assign(begun, { runner, client });
    const cloud = createEmulatedCloud(endpoint);
    runner.start();
    return {
      site,
      close,
      ...actions({ options, site, children, cloud, client, runner, machineIds, signal }),
    };
  } catch (error) {
    await close(true);
    throw error;
  }
}
