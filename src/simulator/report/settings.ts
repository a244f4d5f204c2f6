// `--set KEY=VALUE`: keys of the runner's file put into a configuration that was read, each with one value or several to sweep.
// Must not read files. Trap: a key sets `[runners.machine]` of every pool; a section of its own is `autoscaling.N.KEY`, and
// sections that hold at a moment win over the base, as they do in the file.
import type { Config, IdlePolicy, PoolSpec, Schedule } from '../../domain/config.ts';
import { HostlerError } from '../../domain/error.ts';
import type { QueueSettings } from '../../domain/queue.ts';
import { SECOND_MS } from '../../domain/units.ts';
import { usualQueue } from '../run/queue-way.ts';

/** One point of a sweep: key → value as written. */
export type Settings = Readonly<Record<string, string>>;

/** More points than this are hours of work. */
const MAX_POINTS = 500;

const wrong = (text: string, why: string): never => {
  throw new HostlerError(
    'usage',
    `--set ${text.slice(0, 80)}: ${why}; KEY=VALUE, KEY=A,B,C or KEY=FROM..TO[:STEP] with a key of ${Object.keys(keys).join(', ')}, autoscaling.N.KEY or autoscaling=none`,
  );
};

type Whole = { kind: 'whole' | 'number'; put(pool: PoolSpec, value: number): PoolSpec };
type Queue = { kind: 'flag' | 'number'; queue(value: string): Partial<QueueSettings> };
type Idle = { kind: 'whole' | 'number'; idle(value: number): Partial<IdlePolicy> };

const idleKeys: Readonly<Record<string, Idle>> = {
  IdleCount: { kind: 'whole', idle: (idleCount) => ({ idleCount }) },
  IdleCountMin: { kind: 'whole', idle: (idleCountMin) => ({ idleCountMin }) },
  IdleScaleFactor: { kind: 'number', idle: (idleScaleFactor) => ({ idleScaleFactor }) },
  IdleTime: { kind: 'whole', idle: (seconds) => ({ idleTimeMs: seconds * SECOND_MS }) },
};

const poolKeys: Readonly<Record<string, Whole>> = {
  limit: { kind: 'whole', put: (pool, limit) => ({ ...pool, limit }) },
  MaxBuilds: { kind: 'whole', put: (pool, maxBuilds) => ({ ...pool, maxBuilds }) },
  MaxGrowthRate: { kind: 'whole', put: (pool, maxComing) => ({ ...pool, maxComing }) },
};

/** Keys of hostler's own queue table; docker+machine knows none of them. */
const queueKeys: Readonly<Record<string, Queue>> = {
  lookahead: { kind: 'flag', queue: (value) => ({ lookahead: value === 'true' }) },
  forecast: { kind: 'flag', queue: (value) => ({ forecast: value === 'true' }) },
  forecast_share: { kind: 'number', queue: (value) => ({ forecastShare: Number(value) }) },
};

const keys = { concurrent: true, ...poolKeys, ...idleKeys, ...queueKeys };

/** Names that differ from a known one by case alone are that one. */
function keyOf(text: string, written: string): string {
  const known = Object.keys(keys).find((key) => key.toLowerCase() === text.toLowerCase());
  return known ?? wrong(written, `no key ${JSON.stringify(text.slice(0, 40))}`);
}

function rangeOf(value: string, written: string): string[] | null {
  const [, from, to, step = '1'] =
    /^(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?$/.exec(value) ?? [];
  if (from === undefined || to === undefined) return null;
  const [first, last, by] = [Number(from), Number(to), Number(step)];
  if (by <= 0 || last < first || (last - first) / by > MAX_POINTS) return wrong(written, 'no such range');
  const count = Math.floor((last - first) / by + 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => String(Number((first + index * by).toFixed(6))));
}

const forms = {
  whole: { form: /^\d{1,7}$/, why: 'no whole number' },
  number: { form: /^\d{1,4}(\.\d{1,6})?$/, why: 'no number' },
  flag: { form: /^(true|false)$/, why: 'it is true or false' },
} as const;

function kindOf(key: string): keyof typeof forms {
  return key === 'concurrent'
    ? 'whole'
    : ((poolKeys[key] ?? idleKeys[key] ?? queueKeys[key])?.kind ?? 'number');
}

function readOne(written: string): { key: string; values: string[] } {
  const at = written.indexOf('=');
  if (at < 1) return wrong(written, 'no KEY=VALUE');
  const name = written.slice(0, at).trim();
  const value = written.slice(at + 1).trim();
  if (/^autoscaling$/i.test(name))
    return value === 'none' ? { key: 'autoscaling', values: ['none'] } : wrong(written, 'it may be none');
  const [, section, inner] = /^autoscaling\.(\d{1,3})\.(\w+)$/i.exec(name) ?? [];
  const key = keyOf(inner ?? name, written);
  if (section !== undefined && !Object.hasOwn(idleKeys, key))
    return wrong(written, `${key} is no key of a section`);
  const values = rangeOf(value, written) ?? value.split(',').map((one) => one.trim());
  const { form, why } = forms[kindOf(key)];
  if (!values.every((one) => form.test(one))) return wrong(written, why);
  return { key: section === undefined ? key : `autoscaling.${section}.${key}`, values };
}

/** All points of the values given, in order; without any, one point that changes nothing. Throws `usage`. */
export function readSettings(written: readonly string[]): Settings[] {
  const byKey = new Map(written.map(readOne).map(({ key, values }) => [key, values] as const));
  let points: Settings[] = [{}];
  for (const [key, values] of byKey) {
    points = points.flatMap((point) => values.map((value) => ({ ...point, [key]: value })));
    if (points.length > MAX_POINTS)
      throw new HostlerError('usage', `--set: more than ${MAX_POINTS} settings to try; give fewer values`);
  }
  return points;
}

function inSchedule(schedule: Schedule, section: number | null, part: Partial<IdlePolicy>): Schedule {
  if (section === null) return { ...schedule, base: { ...schedule.base, ...part } };
  const periods = schedule.periods.map((period, index) =>
    index === section ? { ...period, ...part } : period,
  );
  return { ...schedule, periods };
}

/** The same in the runner's schedule and in ours: a simulated edit of the one file both read. */
function inPool(pool: PoolSpec, change: (schedule: Schedule) => Schedule): PoolSpec {
  return {
    ...pool,
    runnerSchedule: change(pool.runnerSchedule),
    ownSchedule: change(pool.ownSchedule),
  };
}

function setKey(config: Config, key: string, value: string): Config {
  const figure = Number(value);
  if (key === 'concurrent') return { ...config, concurrent: figure };
  const [, section, inner] = /^autoscaling\.(\d+)\.(\w+)$/.exec(key) ?? [];
  const index = section === undefined ? null : Number(section);
  if (index !== null && !config.pools.some(({ ownSchedule }) => index < ownSchedule.periods.length))
    throw new HostlerError(
      'usage',
      `--set ${key}: no pool has ${index + 1} autoscaling sections; the first is 0`,
    );
  const idle = idleKeys[inner ?? key];
  const put = (pool: PoolSpec): PoolSpec => {
    if (key === 'autoscaling') return inPool(pool, ({ base }) => ({ base, periods: [] }));
    if (idle !== undefined) return inPool(pool, (schedule) => inSchedule(schedule, index, idle.idle(figure)));
    const queue = queueKeys[key];
    if (queue !== undefined)
      return { ...pool, queue: { ...(pool.queue ?? usualQueue), ...queue.queue(value) } };
    return poolKeys[key]?.put(pool, figure) ?? pool;
  };
  return { ...config, pools: config.pools.map(put) };
}

/** The configuration with the settings in place. `autoscaling=none` goes first, whatever the order. */
export function withSettings(config: Config, settings: Settings): Config {
  const entries = Object.entries(settings).toSorted(
    ([a], [b]) => Number(b === 'autoscaling') - Number(a === 'autoscaling'),
  );
  return entries.reduce((now, [key, value]) => setKey(now, key, value), config);
}
