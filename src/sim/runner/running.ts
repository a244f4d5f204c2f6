// Everything that lives inside one process of the runner: its memory of machines, its sections with their providers, its
// builds and its loop.
import type { Gitlab } from '../gitlab/gitlab.ts';
import type { Job } from '../gitlab/job.ts';
import type { Seeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';
import { type Build, beginBuild } from './build.ts';
import { createClaiming, type Section } from './claiming.ts';
import { createFleet, type Fleet } from './fleet.ts';
import type { JobHosts } from './job-hosts.ts';
import type { RunnerRelease } from './lifecycle-rules.ts';
import { createLine } from './line.ts';
import type { RunnerMachine } from './machine.ts';
import { createMachineCalls } from './machine-calls.ts';
import { createMachineNames, shortToken } from './machine-names.ts';
import type { MachineTool } from './machine-tool.ts';
import { createPolling } from './polling.ts';
import type { RunnerProcess } from './process.ts';
import { createProvider } from './provider.ts';
import { createRemoval, type Removal } from './removal.ts';
import type { RunnerOdds, RunnerSettings, RunnerSpeed, SectionSettings } from './runner-settings.ts';

export type RunningOptions = {
  timeline: Timeline;
  gitlab: Gitlab;
  tool: MachineTool;
  hosts: JobHosts;
  settings: RunnerSettings;
  speed: RunnerSpeed;
  odds: RunnerOdds;
  release: RunnerRelease;
  random: Seeded;
};

export type RunningParts = {
  builds(): readonly Build[];
  fleet: Fleet;
  removal: Removal;
  settings(): RunnerSettings;
  reload(next: RunnerSettings): void;
  /** No more claims. */
  stopClaiming(): void;
  /** When the builds that run now have ended. */
  buildsEnded(): Promise<void>;
  /** When the creates that run now have ended. */
  createsEnded(): Promise<void>;
};

/** Output is sent every three seconds; an answer tells of a cancelled job. */
const PATCH_MS = 3_000;

/** The builds of one process. */
function createBuilds(process: RunnerProcess, options: RunningOptions, ended: () => void) {
  const { timeline, gitlab, hosts, speed, release, random } = options;
  const builds = new Map<Build, { token: string; done: Promise<void> }>();
  const running = new Map<string, number>();
  const count = (token: string, by: number): void => {
    running.set(token, (running.get(token) ?? 0) + by);
  };

  return {
    all: (): Build[] => [...builds.keys()],
    size: (): number => builds.size,
    of: ({ token }: SectionSettings): number => running.get(token) ?? 0,
    begin({ settings, provider }: Section, job: Job, held: RunnerMachine | null): void {
      const { token } = settings;
      const build = beginBuild({
        job,
        held,
        provider,
        gitlab,
        hosts,
        process,
        now: () => timeline.now(),
        random: random.float,
        runnerToken: shortToken(token, release),
        reportMs: speed.reportMs,
        terminatedAs: release === 15 ? 'runner_system_failure' : 'unknown_failure',
      });
      count(token, 1);
      const done = build.ended.then(() => {
        builds.delete(build);
        count(token, -1);
        ended();
      });
      builds.set(build, { token, done });
    },
    /** GitLab wants that job ended: a script that talks hears it soon. */
    cancelled(job: Job): void {
      const build = job.scriptAt === null ? undefined : [...builds.keys()].find((one) => one.job === job);
      if (build !== undefined) process.after(random.float() * PATCH_MS, build.listen);
    },
    async settled(): Promise<void> {
      while (builds.size > 0) await Promise.all([...builds.values()].map(({ done }) => done));
    },
  };
}

/** The sections of the runner's file, as it is now. */
function createSections(process: RunnerProcess, options: RunningOptions, wake: () => void) {
  const { timeline, tool, odds, release, random } = options;
  const now = (): number => timeline.now();
  const chance = (share: number): boolean => share > 0 && random.float() < share;
  const creates = new Set<Promise<unknown>>();
  const fleet = createFleet(tool.names, tool.onNames);
  const calls = createMachineCalls({ tool, process, now });
  let settings = options.settings;
  let sections: readonly Section[] = [];
  const removal = createRemoval({
    calls,
    fleet,
    process,
    habits: () => ({ release, attempts: settings.maxRemovalAttempts }),
    done: wake,
  });

  const sectionOf = (own: SectionSettings, before: Section | undefined): Section => {
    const names = before?.names ?? createMachineNames(own, random, release);
    // A job in line survives a reload; so does the line.
    const line = before?.line ?? createLine(() => chance(odds.missedWord));
    const provider = createProvider({
      section: own,
      names,
      line,
      fleet,
      calls,
      removal,
      process,
      now,
      current: () => settings.sections.some(({ token }) => token === own.token),
      ownFirst: () => chance(odds.ownCreateFirst),
      changed: wake,
      creating(work) {
        creates.add(work);
        void work.finally(() => creates.delete(work));
      },
    });
    return { settings: own, provider, names, line, requests: 0 };
  };

  return {
    fleet,
    removal,
    settings: () => settings,
    all: () => sections,
    reload(next: RunnerSettings): void {
      settings = next;
      sections = next.sections.map((own) =>
        sectionOf(
          own,
          sections.find((before) => before.settings.token === own.token),
        ),
      );
      wake();
    },
    async createsEnded(): Promise<void> {
      while (creates.size > 0) await Promise.all(creates);
    },
  };
}

/** Starts the runner's work in a fresh process. */
export function runIn(process: RunnerProcess, options: RunningOptions): RunningParts {
  const { timeline, gitlab, tool, speed } = options;
  const now = (): number => timeline.now();
  const wake = (): void => polling.wake();
  const sections = createSections(process, options, wake);
  const builds = createBuilds(process, options, () => {
    polling.workerFree();
    wake();
  });
  const full = (): boolean => builds.size() >= sections.settings().concurrent;
  const polling = createPolling({
    process,
    now,
    checkIntervalMs: () => sections.settings().checkIntervalMs,
    sections: sections.all,
    visit: createClaiming({
      gitlab,
      process,
      now,
      requestMs: speed.requestMs,
      mayGoOn: () => !polling.stopping() && !full(),
      running: builds.of,
      begin: builds.begin,
    }),
    full,
    mayRest: tool.onNames !== undefined,
  });

  const leave = [
    gitlab.onWork(wake),
    gitlab.on(({ job }) => {
      if (job.status === 'canceling') builds.cancelled(job);
    }),
    tool.onNames?.(wake),
  ];
  void process.ended.then(() => {
    for (const off of leave) off?.();
  });
  sections.reload(options.settings);
  void polling.run();

  return {
    builds: builds.all,
    fleet: sections.fleet,
    removal: sections.removal,
    settings: sections.settings,
    reload: sections.reload,
    stopClaiming: polling.stop,
    buildsEnded: builds.settled,
    createsEnded: sections.createsEnded,
  };
}
