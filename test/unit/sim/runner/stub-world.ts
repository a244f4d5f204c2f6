// A runner before a tool that makes a host by waiting: every call is written down with its time, and each verb can be
// told to answer otherwise. What the runner was measured against was such a stub.
import { drive } from '../../../../src/sim/drive.ts';
import { createGitlab } from '../../../../src/sim/gitlab/gitlab.ts';
import type { JobSpec } from '../../../../src/sim/gitlab/job.ts';
import { type Box, createBox } from '../../../../src/sim/runner/box.ts';
import type { JobHosts, JobRun } from '../../../../src/sim/runner/job-hosts.ts';
import type { MachineTool, ToolCall } from '../../../../src/sim/runner/machine-tool.ts';
import { createRunner, type Runner, type RunnerOptions } from '../../../../src/sim/runner/runner.ts';
import {
  type IdleNow,
  type RunnerSettings,
  type SectionSettings,
  usualSettings,
} from '../../../../src/sim/runner/runner-settings.ts';
import { createVirtualTimeline, pause } from '../../../../src/sim/timeline.ts';

export const START = Date.UTC(2026, 0, 5, 9);

export type StubCall = { verb: string; name: string; at: number; endedAt: number | null };

export type StubAnswers = {
  createMs: number;
  /** Of every other call. */
  callMs: number;
  /** What a verb answers for that machine: `hang`, or false for exit code 1. Default: all is well. */
  answer?: (verb: string, name: string, nth: number) => boolean | 'hang' | number;
  /** Whether a failed create leaves its folder. */
  leavesFolder?: boolean;
  /** Whether a create dies of a signal to the group. */
  dies?: boolean;
};

export function createStub(
  timeline: { now(): number; after(ms: number, work: () => void): () => void },
  stub: StubAnswers,
) {
  const calls: StubCall[] = [];
  const folders = new Map<string, { whole: boolean }>();
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  const set = (name: string, folder: { whole: boolean } | null): void => {
    if (folder === null) folders.delete(name);
    else folders.set(name, folder);
    tell();
  };
  const run = async (verb: string, name: string, call: ToolCall): Promise<boolean> => {
    const nth = calls.filter((one) => one.verb === verb && one.name === name).length;
    const entry: StubCall = { verb, name, at: timeline.now() - START, endedAt: null };
    calls.push(entry);
    const answer = stub.answer?.(verb, name, nth) ?? true;
    if (answer === 'hang') await new Promise(() => undefined);
    const { promise: dead, resolve: die } = Promise.withResolvers<'dead'>();
    call.onSignal((signal) => {
      if (signal === 'KILL' || stub.dies === true) die('dead');
    });
    const ms = typeof answer === 'number' ? answer : verb === 'create' ? stub.createMs : stub.callMs;
    const over = await Promise.race([pause(timeline, ms), dead]);
    entry.endedAt = timeline.now() - START;
    return over !== 'dead' && answer !== false;
  };
  const tool: MachineTool = {
    names: () => [...folders.keys()],
    onNames(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    hasConfig: (name) => folders.get(name)?.whole === true,
    async create(name, call) {
      const made = await run('create', name, call);
      if (made || stub.leavesFolder === true) set(name, { whole: true });
      return made;
    },
    config: (name, call) => run('config', name, call),
    url: async (name, call) => ((await run('url', name, call)) ? `tcp://${name}:2376` : null),
    storePath: (name, call) => run('inspect -f', name, call),
    inspect: (name, call) => run('inspect', name, call),
    stop: (name, call) => run('stop', name, call),
    async remove(name, how, call) {
      const removed = await run(`rm -${how}`, name, call);
      if (removed) set(name, null);
      return removed;
    },
  };
  return { tool, calls, folders, set };
}

export type StubHosts = JobHosts & {
  /** What the hosts do to the jobs that begin from now on. */
  mood: 'well' | 'refusing' | 'breaking' | 'killing' | 'silent';
  /** Job ids that ran, each with its machine. */
  ran: { id: number; machine: string }[];
};

/** Hosts whose containers start on one box. */
export function createStubHosts(timeline: Parameters<typeof createStub>[0], box: Box): StubHosts {
  const hosts: StubHosts = {
    mood: 'well',
    ran: [],
    run(_url, job): JobRun {
      const begun = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<'done' | 'killed' | 'lost'>();
      if (hosts.mood === 'refusing') ended.resolve('lost');
      const { mood } = hosts;
      const off = box.start(() => {
        if (mood === 'refusing') return;
        begun.resolve();
        hosts.ran.push({ id: job.id, machine: job.machine });
        if (mood === 'silent') return;
        timeline.after(job.durationMs, () =>
          ended.resolve(mood === 'breaking' ? 'lost' : mood === 'killing' ? 'killed' : 'done'),
        );
      });
      return { begun: begun.promise, ended: ended.promise, kill: off };
    },
  };
  return hosts;
}

export type StubWish = {
  stub?: Partial<StubAnswers>;
  idle?: Partial<IdleNow>;
  section?: Partial<SectionSettings>;
  settings?: Partial<RunnerSettings>;
  box?: { cores: number; startMs: number; spread: number };
  runner?: Partial<Pick<RunnerOptions, 'release' | 'odds' | 'speed' | 'seed'>>;
};

/** The keys of the measured runs: check_interval 1 s, one request at a time. */
export function createStubWorld(wish: StubWish = {}) {
  const timeline = createVirtualTimeline(START);
  const gitlab = createGitlab({ timeline });
  const registered = gitlab.addRunner();
  const idle: IdleNow = {
    idleCount: 0,
    idleCountMin: 0,
    idleScaleFactor: 0,
    idleTimeMs: 600_000,
    ...wish.idle,
  };
  const section: SectionSettings = {
    runner: registered.id,
    token: 'glrt-abc123def456',
    machineName: 'auto-%s',
    limit: 300,
    requestConcurrency: 1,
    maxBuilds: 1,
    maxGrowthRate: 0,
    idle: () => idle,
    ...wish.section,
  };
  const settings: RunnerSettings = {
    ...usualSettings,
    concurrent: 300,
    checkIntervalMs: 1_000,
    sections: [section],
    ...wish.settings,
  };
  const stub = createStub(timeline, { createMs: 4_000, callMs: 1.25, ...wish.stub });
  const box = createBox({
    timeline,
    seed: 5,
    ...(wish.box ?? { cores: Number.POSITIVE_INFINITY, startMs: 1_000, spread: 0 }),
  });
  const hosts = createStubHosts(timeline, box);
  const again = (): Runner =>
    createRunner({
      timeline,
      seed: 7,
      gitlab,
      tool: stub.tool,
      hosts,
      settings,
      odds: { missedWord: 0, ownCreateFirst: 0 },
      ...wish.runner,
    });
  const runner = again();
  return {
    timeline,
    gitlab,
    registered,
    runner,
    stub,
    hosts,
    section,
    settings,
    /** Another runner before the same tool. */
    again,
    /** Moves on by so many seconds. */
    pass: (seconds: number) => drive(timeline, timeline.now() + seconds * 1_000),
    until: (done: () => boolean, seconds = 3_600) => drive(timeline, timeline.now() + seconds * 1_000, done),
    queue: (count: number, spec: Partial<JobSpec> = {}) =>
      Array.from({ length: count }, () => gitlab.enqueue({ durationMs: 2_000, ...spec })),
    /** Verbs of a machine's calls in their order. */
    verbs: (name?: string) =>
      stub.calls.filter((call) => name === undefined || call.name === name).map(({ verb }) => verb),
  };
}
