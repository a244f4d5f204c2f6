// Everything that lives inside one process of the runner: its memory of machines, its sections with their providers, its
// builds and its loop.
import type { Gitlab } from '../gitlab/gitlab.ts';
import type { Seeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';
import { type Build, beginBuild } from './build.ts';
import { createFleet, type Fleet } from './fleet.ts';
import type { JobHosts } from './job-hosts.ts';
import { createLine } from './line.ts';
import { createMachineCalls } from './machine-calls.ts';
import { createMachineNames, shortToken } from './machine-names.ts';
import type { MachineTool } from './machine-tool.ts';
import { createPolling, type Section } from './polling.ts';
import type { RunnerProcess } from './process.ts';
import { createProvider } from './provider.ts';
import { createRemoval, type Removal } from './removal.ts';
import type { RunnerOdds, RunnerPace, RunnerSettings, SectionSettings } from './runner-settings.ts';

export type RunningOptions = {
  timeline: Timeline;
  gitlab: Gitlab;
  tool: MachineTool;
  hosts: JobHosts;
  settings: RunnerSettings;
  pace: RunnerPace;
  odds: RunnerOdds;
  release: 15 | 19;
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

/** Starts the runner's work in a fresh process. */
export function runIn(process: RunnerProcess, options: RunningOptions): RunningParts {
  const { timeline, gitlab, tool, hosts, pace, odds, release, random } = options;
  const now = (): number => timeline.now();
  const chance = (share: number): boolean => share > 0 && random.float() < share;
  const builds = new Map<Build, { section: SectionSettings; done: Promise<void> }>();
  const creates = new Set<Promise<unknown>>();
  const fleet = createFleet(tool.names);
  const calls = createMachineCalls({ tool, process, now });
  let settings = options.settings;
  let sections: readonly Section[] = [];

  const removal = createRemoval({
    calls,
    fleet,
    process,
    maxAttempts: () => (release === 15 ? Number.POSITIVE_INFINITY : settings.maxRemovalAttempts),
    done: () => polling.wake(),
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
      changed: () => polling.wake(),
      creating(work) {
        creates.add(work);
        void work.finally(() => creates.delete(work));
      },
    });
    return { settings: own, provider, names, line, requests: 0 };
  };

  const reload = (next: RunnerSettings): void => {
    settings = next;
    sections = next.sections.map((own) =>
      sectionOf(
        own,
        sections.find((before) => before.settings.token === own.token),
      ),
    );
    polling.wake();
  };

  const polling = createPolling({
    gitlab,
    process,
    now,
    settings: () => settings,
    sections: () => sections,
    requestMs: pace.requestMs,
    running: (own) =>
      own === undefined
        ? builds.size
        : [...builds.values()].filter(({ section }) => section.token === own.token).length,
    begin(section, job, held) {
      const build = beginBuild({
        job,
        held,
        provider: section.provider,
        gitlab,
        hosts,
        process,
        now,
        random: random.float,
        runnerToken: shortToken(section.settings.token, release),
        reportMs: pace.reportMs,
        terminatedAs: release === 15 ? 'runner_system_failure' : 'unknown_failure',
      });
      const done = build.ended.then(() => {
        builds.delete(build);
        polling.workerFree();
        polling.wake();
      });
      builds.set(build, { section: section.settings, done });
    },
    mayRest: tool.onNames !== undefined,
  });

  const off = [
    gitlab.onWork(() => polling.wake()),
    gitlab.on(({ job }) => {
      if (job.status !== 'canceling' || job.scriptAt === null) return;
      const build = [...builds.keys()].find((one) => one.job === job);
      if (build !== undefined) process.after(random.float() * PATCH_MS, build.listen);
    }),
    tool.onNames?.(() => polling.wake()),
  ];
  void process.ended.then(() => {
    for (const leave of off) leave?.();
  });
  reload(settings);
  void polling.run();

  return {
    builds: () => [...builds.keys()],
    fleet,
    removal,
    settings: () => settings,
    reload,
    stopClaiming: polling.stop,
    async buildsEnded() {
      while (builds.size > 0) await Promise.all([...builds.values()].map(({ done }) => done));
    },
    async createsEnded() {
      while (creates.size > 0) await Promise.all(creates);
    },
  };
}
