// Where the stand-in runner plays: a live world whose runner's file has one [[runners]] section for each test, so that each
// has a pool of its own, and stand-in runners on it with real docker-machine processes.
// The file holds the times that an operator writes; the runner plays all of its own TIMES faster.
import { join } from 'node:path';
import type { LeaseReply, MachineReply } from '../../../src/contract/api.ts';
import type { JobOrder } from '../../../src/demo/docker-job.ts';
import type { JobRecord } from '../../../src/demo/job-record.ts';
import type { Call } from '../../../src/demo/machine-calls.ts';
import type { RunnerPolicy } from '../../../src/demo/policy.ts';
import {
  createStandInRunner,
  type StandInRunner,
  type StandInRunnerOptions,
} from '../../../src/demo/runner.ts';
import { fasterPace } from '../../../src/sim/runner/lifecycle-rules.ts';
import { folders, type LiveWorld, machineOptions, type WorldOptions } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';
import { type BentDoor, createBentDoor } from './bent-door.ts';

/** How much faster the runner's own times pass; order and counts stay. */
export const TIMES = 20;

/** What a section's part of the file says, in the file's own units; defaults: on demand, MaxBuilds 1. */
export type SectionText = {
  idleCount?: number;
  /** Seconds. */
  idleTime?: number;
  maxBuilds?: number;
  limit?: number;
  maxGrowthRate?: number;
  token?: string;
};

const usual = { idleCount: 0, idleTime: 600, maxBuilds: 1, limit: 50, maxGrowthRate: 0 };

export const tokenOf = (section: string) => `glrt-${section.padEnd(9, '0')}00000000`;

function sectionText(name: string, text: SectionText, options: readonly string[]): string {
  const { idleCount, idleTime, maxBuilds, limit, maxGrowthRate } = { ...usual, ...text };
  return `[[runners]]
  name = "${name}"
  url = "https://gitlab.example.com"
  token = "${text.token ?? tokenOf(name)}"
  executor = "docker+machine"
  limit = ${limit}
  [runners.machine]
    IdleCount = ${idleCount}
    IdleTime = ${idleTime}
    MaxBuilds = ${maxBuilds}
    MaxGrowthRate = ${maxGrowthRate}
    MachineDriver = "amazonec2"
    MachineName = "box-%s"
    MachineOptions = [${options.map((option) => `"${option}"`).join(', ')}]
`;
}

/** The same text as the runner takes it. */
export function policyOf(text: SectionText): RunnerPolicy {
  const { idleTime, ...rest } = { ...usual, ...text };
  return {
    idleCount: rest.idleCount,
    idleCountMin: 0,
    idleScaleFactor: 0,
    idleTimeMs: (idleTime * 1_000) / TIMES,
    maxBuilds: rest.maxBuilds,
    limit: rest.limit,
    maxGrowthRate: rest.maxGrowthRate,
    concurrent: 100,
  };
}

export type StageOptions = Pick<WorldOptions, 'emulator' | 'own' | 'env'> & {
  sections: Readonly<Record<string, SectionText>>;
  /** Lines of the runner's file in front of its sections. */
  top?: string;
};

/** A stand-in runner and what it did. */
export type PlayedRunner = StandInRunner & {
  /** Ended calls in the order of their ends. */
  calls: readonly Call[];
  /** Lines that the runner would have in its log. */
  lines: readonly string[];
  /** Verbs of the ended calls that name this machine, e.g. `rm -y`. */
  verbsOf(name: string | null | undefined): string[];
  /** Calls of that verb so far. */
  count(verb: string): number;
  /** The job of that id. */
  job(id: string): JobRecord;
};

type RunnerOptions = Partial<
  Pick<StandInRunnerOptions, 'release' | 'drains' | 'removalAttempts' | 'store' | 'pace'>
> & {
  /** Where the runner plays another policy than hostler reads. */
  policy?: Partial<RunnerPolicy>;
};

export type Stage = {
  world: MovedWorld;
  /** The door of that section's runners. */
  bent(section: string): BentDoor;
  /** What a stand-in runner of this section is made of, for one in another process. */
  optionsFor(
    section: string,
    options?: RunnerOptions,
  ): Omit<StandInRunnerOptions, 'onEvent' | 'now' | 'runJob'>;
  /** Starts a runner of that section; `close` ends it. */
  runner(section: string, options?: RunnerOptions): PlayedRunner;
  /** Instances of that section's pool that EC2 still has. */
  alive(section: string): ReturnType<LiveWorld['alive']>;
  machines(section: string): Promise<MachineReply[]>;
  leases(section: string): Promise<LeaseReply[]>;
  /** Names of that section's folders in the store. */
  folders(section: string): string[];
  /** Waits until the daemon's state is so, while its time runs faster. */
  see<T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<Exclude<T, false>>>;
  /** Writes the runner's file anew and reloads it. */
  rewrite(changes: Readonly<Record<string, SectionText | null>>): Promise<void>;
  close(): Promise<void>;
};

/** Jobs that end with `until`, or at once. */
export function orders(ids: readonly (string | number)[], until?: Promise<unknown>): JobOrder[] {
  return ids.map((id) => ({
    id: String(id),
    url: `https://gitlab.example.com/group/project/-/jobs/${id}`,
    image: 'alpine',
    durationMs: 0,
    ...(until === undefined ? {} : { until }),
  }));
}

/** A promise that a test resolves. */
export function gate(): { opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

function played(options: StandInRunnerOptions): PlayedRunner {
  const calls: Call[] = [];
  const lines: string[] = [];
  const runner = createStandInRunner({
    ...options,
    onEvent: (event) => {
      if (event.kind === 'call') calls.push(event.call);
      if (event.kind === 'line') lines.push(event.text);
    },
  });
  return {
    ...runner,
    calls,
    lines,
    count: (verb) => calls.filter(({ args }) => args[0] === verb).length,
    verbsOf: (name) =>
      calls
        .filter(({ args }) => name != null && args.includes(name))
        .map(({ args: [verb, flag] }) => (verb === 'rm' ? `${verb} ${flag}` : String(verb))),
    job(id) {
      const found = runner.jobs().find(({ order }) => order.id === id);
      if (found === undefined) throw new Error(`the runner has no job ${id}`);
      return found;
    },
  };
}

function fileOf(sections: StageOptions['sections'], top: string): NonNullable<WorldOptions['text']> {
  return (at) =>
    `concurrent = 100\n${top}\n${Object.entries(sections)
      .map(([name, text]) => sectionText(name, text, machineOptions(at)))
      .join('')}`;
}

/** Opens a stage whose daemon runs on a clock that the test moves. */
export async function openStage({ sections, top = '', ...options }: StageOptions): Promise<Stage> {
  const world = await startMovedWorld({ ...options, text: fileOf(sections, top) });
  const [bin = ''] = (world.env['PATH'] ?? '').split(':');
  const bents = new Map<string, BentDoor>();
  const runners: StandInRunner[] = [];
  let current: Record<string, SectionText> = { ...sections };

  function bent(section: string): BentDoor {
    const known =
      bents.get(section) ?? createBentDoor(join(world.folder, 'bent', section), join(bin, 'docker-machine'));
    bents.set(section, known);
    return known;
  }

  const optionsFor: Stage['optionsFor'] = (section, { policy, ...changes } = {}) => ({
    dockerMachine: bent(section).path,
    store: world.store,
    env: world.env,
    policy: { ...policyOf(current[section] ?? {}), ...policy },
    token: current[section]?.token ?? tokenOf(section),
    machineName: 'box-%s',
    machineOptions: ['amazonec2-region=eu-central-1'],
    pace: fasterPace(TIMES),
    ...changes,
  });

  return {
    world,
    bent,
    optionsFor,
    runner(section, changes) {
      const runner = played(optionsFor(section, changes));
      runners.push(runner);
      runner.start();
      return runner;
    },
    alive: (section) => world.alive().filter(({ tags }) => tags['hostler:pool'] === section),
    machines: async (section) => (await world.client.machines()).filter(({ pool }) => pool === section),
    leases: async (section) => (await world.client.leases()).filter(({ pool }) => pool === section),
    folders: (section) =>
      folders(world).filter((name) => name.startsWith(`runner-${tokenOf(section).slice(5, 14)}-`)),
    see: (what, look) => world.clock.hurry(() => world.until(what, look, 30_000)),
    async rewrite(changes) {
      const entries = Object.entries<SectionText | null>({ ...current, ...changes });
      current = Object.fromEntries(entries.flatMap(([name, text]) => (text === null ? [] : [[name, text]])));
      world.writeConfig({ text: fileOf(current, top) });
      await world.client.reload();
    },
    async close() {
      for (const runner of runners) runner.kill();
      await world.close();
    },
  };
}
