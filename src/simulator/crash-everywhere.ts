// One story, told as often as it has points: boots, leases, reuse, releases and retirements of 30 jobs, and at each point, just
// before or after a write or an effect, the daemon is killed once. It starts again, the story goes on, and in the end nothing
// is lost, left or doubled.
// Trap: points are counted in the first life only; what comes after the crash has its own course.
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { createSeeded } from '../sim/seeded.ts';
import type { Breach } from './checks/breaches.ts';
import type { Point } from './daemon/process-life.ts';
import { prepareSimKeys } from './daemon/sim-keys.ts';
import { configOf } from './run/config-of.ts';
import { driven } from './run/runner-file.ts';
import { allEnded, createWatchedStage, leftovers } from './run/watched-stage.ts';

export type CrashOptions = {
  /** Default 30. */
  jobs?: number;
  /** Default `run-instances`. */
  story?: Story;
  seed?: number;
  /** Only so many points, spread over all; default: every one. */
  sample?: number;
  /** Of a sample taken in parts: this part's number and how many there are. */
  part?: { index: number; of: number };
  progress?: (done: number, points: number) => void;
  /** Only this point, with its history. */
  only?: number;
  trace?: (line: string) => void;
};

export type CrashBreach = Breach & { point: number; what: string; side: Point['side'] };
export type CrashReport = {
  /** Crashes that were tried. */
  points: number;
  /** Points of the whole story. */
  all: number;
  breaches: readonly CrashBreach[];
  /** How often each kind of write or effect was met. */
  kinds: Readonly<Record<string, number>>;
};

const START = Date.UTC(2026, 10, 23, 6);
const STORY_MS: DurationMs = 90 * MINUTE_MS;
const REST_MS: DurationMs = 40 * MINUTE_MS;
/** Jobs come in waves this far apart: the second meets idle machines, the last ones new and retired ones. */
const WAVE_MS: DurationMs = 5 * MINUTE_MS;
const WAVES = 4;

/** How the story's machines are launched. */
export const STORIES = ['run-instances', 'fleet', 'spot-request'] as const;
export type Story = (typeof STORIES)[number];

/** hostler's own table of a story; at rest no fleet is wanted, so that its template has to go. */
const ownTable = (story: Story, isResting: boolean) =>
  story === 'run-instances'
    ? ''
    : `  [runners.hostler]
    instance_types = ["m5.large", "m6i.large", "m5a.large"]
    launch = "${isResting ? 'run-instances' : story}"`;

const file = (story: Story, idleCount: number) => `
concurrent = 20
[[runners]]
  name = "story"
  url = "https://gitlab.example.com"
  token = "glrt-story00000000000"
  executor = "docker+machine"
  limit = 10
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = ${idleCount}
    IdleTime = 120
    MaxBuilds = 4
    MachineDriver = "amazonec2"
    MachineName = "ci-%s"
    MachineOptions = ["amazonec2-region=eu-central-1", "amazonec2-zone=a", "amazonec2-use-private-address=true", "amazonec2-request-spot-instance=true"]
${ownTable(story, idleCount === 0)}`;

type Told = { breaches: readonly Breach[]; points: Point[] };

/** Tells the story; the daemon is killed at point number `at`. */
async function tell(options: CrashOptions, at: number | null): Promise<Told> {
  const { jobs = 30, seed = 1, story = 'run-instances' } = options;
  const read = async (idleCount: number) => {
    const config = await configOf(file(story, idleCount));
    return { ...config, pools: config.pools.map((pool) => driven(pool, 'drop-in')) };
  };
  const [working, resting] = [await read(1), await read(0)];
  const points: Point[] = [];
  let isFirst = true;
  const watched = createWatchedStage({
    startAt: START,
    seed,
    config: working,
    way: 'drop-in',
    bootMs: 40 * SECOND_MS,
    pem: await prepareSimKeys(START),
    odds: { missedWord: 0, ownCreateFirst: 0 },
    hooks: {
      falls(point) {
        if (!isFirst) return false;
        points.push(point);
        isFirst = points.length - 1 !== at;
        return !isFirst;
      },
    },
    trace: options.trace,
  });
  const { stage, book, now } = watched;
  const random = createSeeded(seed + 71);
  for (let job = 0; job < jobs; job += 1) {
    const atMs = MINUTE_MS + (job % WAVES) * WAVE_MS + random.float() * 3 * SECOND_MS;
    const durationMs = (20 + random.float() * 70) * SECOND_MS;
    stage.timeline.after(atMs, () => void stage.gitlab.enqueue({ durationMs }));
  }
  stage.daemon.start();
  stage.runner.start();
  await watched.live(START + MINUTE_MS + WAVES * WAVE_MS);
  await watched.live(START + STORY_MS, () => allEnded(stage));
  const lost = [...stage.gitlab.jobs()].filter(({ status }) => status !== 'success');
  if (lost.length > 0) {
    const words = lost.slice(0, 5).map(({ id, status, failure }) => `${id} ${failure ?? status}`);
    book.add('job-lost', `${lost.length} of ${jobs} jobs: ${words.join(', ')}`);
  }
  stage.change(resting);
  await watched.live(now() + REST_MS, () => leftovers(stage).length === 0);
  const left = leftovers(stage);
  if (left.length > 0) book.add('not-empty', `${left.length} left: ${left.slice(0, 6).join(', ')}`);
  return { breaches: book.all(), points };
}

/** The numbers of the points that are to be tried. */
function chosen(all: number, { sample, part, only }: CrashOptions): number[] {
  if (only !== undefined) return [only];
  const step = sample === undefined || sample >= all ? 1 : all / sample;
  const numbers = Array.from({ length: Math.floor(all / step) }, (_, index) => Math.floor(index * step));
  return part === undefined ? numbers : numbers.filter((_, index) => index % part.of === part.index);
}

/** Tells the story once whole, and once for each point. */
export async function crashEverywhere(options: CrashOptions = {}): Promise<CrashReport> {
  const whole = await tell({ ...options, trace: () => undefined }, null);
  const breaches: CrashBreach[] = whole.breaches.map((breach) => ({
    ...breach,
    point: -1,
    what: 'no crash',
    side: 'before',
  }));
  const kinds: Record<string, number> = {};
  const numbers = breaches.length > 0 ? [] : chosen(whole.points.length, options);
  for (const [done, number] of numbers.entries()) {
    const point = whole.points[number];
    if (point === undefined) continue;
    kinds[point.what] = (kinds[point.what] ?? 0) + 1;
    const told = await tell(options, number);
    for (const breach of told.breaches) breaches.push({ ...breach, point: number, ...point });
    options.progress?.(done + 1, numbers.length);
  }
  return { points: numbers.length, all: whole.points.length, breaches, kinds };
}
