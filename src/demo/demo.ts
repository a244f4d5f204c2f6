// The demo's course: an installation, a stand-in runner in this process, a burst of jobs, and an end with nothing left.
// Each step waits for what it can see, within a limit.
// It draws nothing. Trap: `close` must run on every way out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MACHINES, MARK } from '../contract/store-layout.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import { type DemoWay, demoRunner } from './config-text.ts';
import { type Installation, startInstallation } from './installation.ts';
import type { JobRecord } from './job-record.ts';
import type { RunnerPolicy } from './policy.ts';
import { createStandInRunner, type StandInRunner } from './runner.ts';
import { programs, type Site } from './site.ts';
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
  /** Ends everything and removes the folder; `hard`: at once. */
  close(hard?: boolean): Promise<void>;
};

/** Between looks at something awaited. */
const LOOK_MS: DurationMs = 100;
/** Between two claims: about what a GitLab takes to answer one request for a job; the runner asks one at a time. */
const CLAIM_GAP_MS: DurationMs = 40;
/** What a busy machine may need beyond boots and jobs before something counts as stuck. */
const PATIENCE_MS: DurationMs = 60 * SECOND_MS;
/** From drain to the last instance's end: two terminate rounds and the emulated cloud's two seconds each. */
const END_LIMIT_MS: DurationMs = 20 * SECOND_MS;

type Parts = {
  options: DemoOptions;
  installation: Installation;
  runner: StandInRunner;
  machineIds: ReadonlyMap<string, string>;
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

/** hostler's id of a machine, from the folder that its create wrote. */
function machineIdOf(site: Site, name: string): string | null {
  try {
    return readFileSync(join(site.store, MACHINES, name, MARK), 'utf8').split('\n')[1] ?? null;
  } catch {
    return null;
  }
}

function makeRunner(
  options: DemoOptions,
  { site, machineOptions }: Installation,
  machineIds: Map<string, string>,
): StandInRunner {
  return createStandInRunner({
    ...demoRunner,
    dockerMachine: programs.dockerMachine,
    store: site.store,
    env: site.env,
    policy: policyOf(options),
    machineOptions,
    pace: { claimGapMs: CLAIM_GAP_MS },
    onEvent: (event) => {
      if (event.kind !== 'job' || event.job.machine === null || machineIds.has(event.job.machine)) return;
      const id = machineIdOf(site, event.job.machine);
      if (id !== null) machineIds.set(event.job.machine, id);
    },
  });
}

async function warm({ options, installation, runner }: Parts): Promise<void> {
  const { client, until } = installation;
  const isWarm = async (): Promise<boolean> => {
    if (options.way === 'standing') return runner.counts().idle >= options.idle;
    const machines = await client.machines();
    return machines.filter(({ phase }) => phase === 'ready').length >= options.idle;
  };
  await until(`${options.idle} idle machines`, isWarm, options.bootS * SECOND_MS + PATIENCE_MS);
}

async function burst({ options, installation, runner }: Parts): Promise<void> {
  const orders = Array.from({ length: options.jobs }, (_, index) => ({
    id: String(index + 1),
    url: `https://gitlab.example.com/demo/app/-/jobs/${index + 1}`,
    image: 'alpine',
    durationMs: options.jobS * SECOND_MS,
  }));
  runner.queue(orders);
  const rounds = Math.ceil(options.jobs / Math.max(1, options.idle));
  const limitMs = PATIENCE_MS + rounds * (options.bootS + options.jobS) * SECOND_MS;
  const isOver = () => runner.jobs().every(({ doneAt }) => doneAt !== null);
  await installation.until('the end of all jobs', isOver, limitMs);
}

async function end({ installation, runner }: Parts): Promise<number> {
  const { client, cloud } = installation;
  await runner.stop({ drain: true });
  for (const { id } of await client.pools()) await client.drain(id);
  const alive = async () => (await cloud.instances()).filter(({ state }) => state !== 'terminated').length;
  const begun = performance.now();
  while ((await alive()) > 0 && performance.now() - begun < END_LIMIT_MS) await sleep(LOOK_MS);
  return alive();
}

/** Starts cloud, daemon and runner. Throws when one does not come up; then nothing is left. `signal` ends all waiting. */
export async function startDemo(
  options: DemoOptions,
  context: { env: Readonly<Record<string, string | undefined>>; signal: AbortSignal },
): Promise<Demo> {
  const { way, idle, bootS } = options;
  const installation = await startInstallation({ policy: policyOf(options), way, idle, bootS }, context);
  const { client, cloud } = installation;
  const machineIds = new Map<string, string>();
  const runner = makeRunner(options, installation, machineIds);
  const parts: Parts = { options, installation, runner, machineIds };
  runner.start();
  return {
    site: installation.site,
    async look() {
      const pools = await client.pools().catch(() => []);
      return { jobs: runner.jobs(), machines: pools[0]?.machines ?? {} };
    },
    warm: () => warm(parts),
    burst: () => burst(parts),
    async cool() {
      const held = way === 'standing' ? idle : 0;
      const limitMs = options.idleTimeS * SECOND_MS + PATIENCE_MS;
      await installation.until('idle machines given back', () => runner.counts().total <= held, limitMs);
    },
    end: () => end(parts),
    async summary(leaked) {
      const launched = (await cloud.instances()).length;
      const calls = await cloud.calls();
      return summarise({ records: runner.jobs(), machineIds, idle, bootS, calls, launched, leaked });
    },
    async close(hard = false) {
      runner.kill();
      await installation.close(hard);
    },
  };
}
