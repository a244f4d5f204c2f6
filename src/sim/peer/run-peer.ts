// A whole world under docker-machine: EC2, GitLab, a runner with its file, jobs to come. What came of it is given in
// figures that any other policy's world can be compared with.
// Trap: same workload and seed on both sides, or the comparison is between the jobs.
import { drive } from '../drive.ts';
import { entriesOf } from '../gitlab/enter-jobs.ts';
import { createGitlab, type Gitlab } from '../gitlab/gitlab.ts';
import { isEnded, type Job } from '../gitlab/job.ts';
import { createLedger, type Ledger, type LedgerTotals } from '../ledger.ts';
import { createBox } from '../runner/box.ts';
import { createRunner, type Runner } from '../runner/runner.ts';
import type { RunnerOdds, RunnerSettings, RunnerSpeed } from '../runner/runner-settings.ts';
import { createSeeded } from '../seeded.ts';
import type { AddressBook } from '../start-instances.ts';
import { createVirtualTimeline, type VirtualTimeline } from '../timeline.ts';
import type { Arrival } from '../workload.ts';
import { createWorld, realTiming, type World } from '../world.ts';
import { createDockerMachine } from './docker-machine.ts';
import type { PeerLaunch } from './peer-create.ts';
import type { PeerFlavourName } from './peer-flavour.ts';
import { createPeerHosts, type PeerHosts } from './peer-hosts.ts';

export type PeerRunOptions = {
  /** First moment of the workload, milliseconds since 1970-01-01 UTC. */
  startAt: number;
  days: number;
  seed: number;
  workload: readonly Arrival[];
  /** Tags of the runners in GitLab, one entry a section of the file; empty: takes untagged jobs. */
  runners: readonly (readonly string[])[];
  /** The runner's file, with GitLab's ids of those runners in the same order. */
  settings(ids: readonly number[]): RunnerSettings;
  region: string;
  launch(section: string): PeerLaunch;
  /** Launch to a host that answers SSH, in milliseconds. */
  bootMs: number;
  flavour: PeerFlavourName;
  /** USD an hour by type and zone, for spot; else the world's model. */
  prices?: readonly { type: string; zone: string; usd: number }[];
  /** Share of spot machines that EC2 takes back in an hour: 0 (default) to 1. */
  reclaimsPerHour?: number;
  /** Before `startAt`, so that idle machines stand: default a quarter of an hour. */
  warmUpMs?: number;
  /** After the last day, so that its jobs end: default an hour. Jobs count on, machines do not. */
  coolDownMs?: number;
  /** One point of the course each so many ms: default 1/500 of the time. */
  everyMs?: number;
  /** The machine on which containers start; default: a host a job, one second each. */
  box?: { cores: number; startMs: number; spread: number };
  release?: 15 | 19;
  speed?: Partial<RunnerSpeed>;
  odds?: Partial<RunnerOdds>;
  progress?: (share: number) => void;
};

export type PeerPoint = {
  at: number;
  /** Jobs without a host. */
  waiting: number;
  running: number;
  /** What the runner thinks of its machines. */
  machines: Readonly<Record<string, number>>;
  costPerHour: number;
};

export type PeerResult = {
  /** In the order of the workload; those that never came to an end included. */
  jobs: readonly Job[];
  /** Of the time from `startAt` to its last day. */
  totals: LedgerTotals;
  course: readonly PeerPoint[];
  /** Jobs that waited at the end for a machine that nobody made. */
  stuck: number;
};

type Stage = {
  timeline: VirtualTimeline;
  world: World;
  gitlab: Gitlab;
  runner: Runner;
  hosts: PeerHosts;
  ledger: Ledger;
};

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const POINTS = 500;
/** EC2 forgets ended instances after an hour. */
const LOOK_MS = 600_000;
const NOTICE_MS = 120_000;
const USUAL_BOX = { cores: Number.POSITIVE_INFINITY, startMs: 1_000, spread: 0 };

/** Addresses 10.0.0.1 and on; those given back are used again, oldest first. */
function addressBook(): AddressBook {
  const returned: string[] = [];
  let next = 0;
  return {
    take() {
      const again = returned.shift();
      if (again !== undefined) return again;
      next += 1;
      return `10.${(next >> 16) & 255}.${(next >> 8) & 255}.${next & 255}`;
    },
    give: (address) => void returned.push(address),
  };
}

function setUp(options: PeerRunOptions): Stage {
  const { seed, bootMs } = options;
  const timeline = createVirtualTimeline(options.startAt - (options.warmUpMs ?? HOUR_MS / 4));
  const pendingMs = Math.min(realTiming.pendingMs, bootMs * 0.6);
  const world = createWorld({
    timeline,
    seed,
    strict: false,
    timing: { ...realTiming, bootMs, pendingMs },
    addresses: addressBook(),
    hosts: {
      hostUp: (instance) => tool.hostChanged(instance),
      hostDown(instance) {
        hosts.hostDown(instance);
        tool.hostChanged(instance);
      },
    },
  });
  for (const { type, zone, usd } of options.prices ?? []) world.prices.set({ type, zone }, usd);
  const ledger = createLedger(timeline.now, world.prices);
  const gitlab = createGitlab({ timeline, seed: seed + 1 });
  const ids = options.runners.map((tags) => gitlab.addRunner({ tags, runUntagged: tags.length === 0 }).id);
  const { region, launch, flavour } = options;
  const tool = createDockerMachine({ timeline, seed: seed + 2, world, region, ledger, flavour, launch });
  const box = createBox({ timeline, seed: seed + 3, ...(options.box ?? USUAL_BOX) });
  const hosts = createPeerHosts({ timeline, ledger, box, instanceAt: tool.instanceAt });
  const runner = createRunner({
    timeline,
    seed: seed + 4,
    gitlab,
    tool,
    hosts,
    settings: options.settings(ids),
    release: options.release ?? 19,
    speed: options.speed ?? {},
    odds: options.odds ?? {},
  });
  return { timeline, world, gitlab, runner, hosts, ledger };
}

/** Calls `work` again and again until the world ends. */
function every(timeline: VirtualTimeline, ms: number, work: () => void): void {
  timeline.after(ms, () => {
    work();
    every(timeline, ms, work);
  });
}

/** EC2 takes spot machines back at that rate, with its notice. */
function reclaim({ timeline, world }: Stage, options: PeerRunOptions): void {
  const share = options.reclaimsPerHour ?? 0;
  if (share <= 0) return;
  const random = createSeeded(options.seed + 5);
  const minutely = 1 - (1 - Math.min(share, 0.999)) ** (1 / 60);
  every(timeline, HOUR_MS / 60, () => {
    for (const instance of world.instances()) {
      if (instance.market !== 'spot' || instance.state !== 'running') continue;
      if (random.float() < minutely) {
        world.region(options.region).unaskedEnds.reclaim(instance, NOTICE_MS);
      }
    }
  });
}

function pointOf({ timeline, gitlab, runner, hosts, ledger }: Stage): PeerPoint {
  const machines: Record<string, number> = {};
  for (const { state } of runner.machines()) machines[state] = (machines[state] ?? 0) + 1;
  const claimed = runner.jobsRunning().length;
  const running = hosts.count();
  return {
    at: timeline.now(),
    waiting: gitlab.pending().length + Math.max(0, claimed - running),
    running,
    machines,
    costPerHour: ledger.rate(),
  };
}

/** What was added since `before`. */
function since(before: LedgerTotals, after: LedgerTotals): LedgerTotals {
  const byAction = Object.entries(after.callsByAction)
    .map(([action, count]) => [action, count - (before.callsByAction[action] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return {
    machines: after.machines - before.machines,
    machineSeconds: after.machineSeconds - before.machineSeconds,
    busySeconds: after.busySeconds - before.busySeconds,
    idleSeconds: after.idleSeconds - before.idleSeconds,
    costUsd: after.costUsd - before.costUsd,
    calls: after.calls - before.calls,
    callsByAction: Object.fromEntries(byAction),
    interruptions: after.interruptions - before.interruptions,
  };
}

/** Queues each job at its moment. */
function queueAll({ timeline, gitlab }: Stage, arrivals: readonly Arrival[], startAt: number): Job[] {
  const jobs: Job[] = [];
  const entries = entriesOf(gitlab, arrivals);
  const next = (index: number): void => {
    const entry = entries[index];
    if (entry === undefined) return;
    timeline.after(startAt + entry.atMs - timeline.now(), () => {
      jobs.push(...entry.enter());
      next(index + 1);
    });
  };
  next(0);
  return jobs;
}

/** Runs it. The same options give the same result. */
export async function runPeer(options: PeerRunOptions): Promise<PeerResult> {
  const { startAt, days } = options;
  const stage = setUp(options);
  const { timeline, world, runner, ledger } = stage;
  const endAt = startAt + days * DAY_MS;
  const jobs = queueAll(stage, options.workload, startAt);
  const ended = { jobs: 0 };
  stage.gitlab.on(({ job }) => {
    if (isEnded(job)) ended.jobs += 1;
  });
  const look = (): void => ledger.look(world.instances());
  every(timeline, LOOK_MS, look);
  reclaim(stage, options);
  runner.start();
  await drive(timeline, startAt - 1);
  look();
  const before = ledger.totals();
  const course: PeerPoint[] = [];
  const everyMs = options.everyMs ?? (endAt - startAt) / POINTS;
  for (let at = startAt; at < endAt; at += everyMs) {
    await drive(timeline, at);
    look();
    course.push(pointOf(stage));
    options.progress?.((at - startAt) / (endAt - startAt));
  }
  await drive(timeline, endAt);
  look();
  const totals = since(before, ledger.totals());
  const over = (): boolean => ended.jobs === options.workload.length;
  await drive(timeline, endAt + (options.coolDownMs ?? HOUR_MS), over);
  return { jobs, totals, course, stuck: runner.stuck().length };
}
