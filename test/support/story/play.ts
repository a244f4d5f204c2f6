// Plays a story: reads its lines, runs runner, planner and cloud over simulated time, and writes down what was planned.
// A story is a text: one command a line, `#` begins a comment. The answer is a text too, compared with a golden file.
import type { PoolSpec } from '../../../src/domain/config.ts';
import type { Machine } from '../../../src/domain/machine.ts';
import type { Observation, PoolMemory } from '../../../src/domain/observation.ts';
import type { Action, Plan } from '../../../src/domain/plan.ts';
import { describeReason, type Reason } from '../../../src/domain/reason.ts';
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { breaches } from '../../../src/planner/check.ts';
import { planTick } from '../../../src/planner/plan.ts';
import { describeSize } from '../../../src/planner/plan-text.ts';
import { counter, memory, NOON, period, poolSpec, poolView, SITE, schedule } from '../builders.ts';
import { createCloud } from './cloud.ts';
import { createRunner, type Runner } from './runner.ts';

const units: Readonly<Record<string, DurationMs>> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS };

function duration(text: string): DurationMs {
  const match = /^(\d+)([smh])$/.exec(text);
  const unit = units[match?.[2] ?? ''];
  if (match === null || unit === undefined) throw new Error(`not a duration: ${text}`);
  return Number(match[1]) * unit;
}

type Pool = { spec: PoolSpec; bootMs: DurationMs; specHash: string };
type Words = { positional: string[]; options: Map<string, string> };

/** `jobs linux 30 lasting=1m` and `period="* * 9-17 * * * *"`. */
function readWords(line: string): Words {
  const words = line.match(/(?:[^\s"]+|"[^"]*")+/g) ?? [];
  const options = new Map<string, string>();
  const positional: string[] = [];
  for (const word of words) {
    const at = word.indexOf('=');
    if (at > 0) options.set(word.slice(0, at), word.slice(at + 1).replaceAll('"', ''));
    else positional.push(word);
  }
  return { positional, options };
}

function number(options: Words['options'], name: string, otherwise = 0): number {
  return Number(options.get(name) ?? otherwise);
}

function readPool(id: string, options: Words['options']): PoolSpec {
  const idleTimeMs = duration(options.get('idle-time') ?? '30m');
  const scale = { idleCountMin: number(options, 'idle-min'), idleScaleFactor: number(options, 'idle-scale') };
  const cron = options.get('period');
  const inPeriod = { ...scale, idleCount: number(options, 'period-idle'), idleTimeMs };
  const periods = cron === undefined ? [] : [period(cron, inPeriod, options.get('zone') ?? 'UTC')];
  const runnerSchedule = schedule({ idleCount: number(options, 'idle'), idleTimeMs }, periods);
  const own = options.has('own-idle')
    ? schedule({ idleCount: number(options, 'own-idle'), idleTimeMs })
    : runnerSchedule;
  return poolSpec({
    id,
    runnerSchedule,
    ownSchedule: own,
    limit: number(options, 'limit'),
    maxBuilds: number(options, 'max-builds'),
    maxComing: number(options, 'max-coming'),
    bootTimeoutMs: duration(options.get('boot-timeout') ?? '5m'),
  });
}

function clock(at: EpochMs): string {
  return new Date(at).toISOString().slice(11, 19);
}

/** `machines` in few words: names while there are few. */
function some(ids: readonly string[]): string {
  return ids.length <= 4 ? ids.join(' ') : `${ids.length} machines`;
}

function actionLines(actions: readonly Action[]): string[] {
  const groups = new Map<string, { ids: string[]; reason: Reason }>();
  for (const action of actions) {
    if (action.kind === 'provision' || action.kind === 'terminate' || action.kind === 'bury') continue;
    const pool = 'pool' in action ? action.pool : (action.reason.pool ?? '');
    const key = `${action.kind} ${pool} ${action.reason.code}`;
    const group = groups.get(key) ?? { ids: [], reason: action.reason };
    groups.set(key, group);
    if (action.kind === 'launch') group.ids.push(...action.machines);
    else if ('machine' in action) group.ids.push(action.machine);
    else if (action.kind === 'end-orphan') group.ids.push(action.instance);
  }
  return [...groups].map(
    ([key, { ids }]) => `  ${key}: ${key.startsWith('launch') ? ids.length : some(ids)}`,
  );
}

/** Plays the story and returns its protocol. Throws when a plan breaks a rule of the checker. */
export function playStory(text: string): string {
  let now = NOON;
  let concurrent = 1000;
  let maxMachines = 0;
  let frozenUntil = 0;
  const pools = new Map<string, Pool>();
  /** Sections of the runner, those removed from the file too. */
  const runners = new Map<string, Runner>();
  const memories = new Map<string, PoolMemory>();
  let orphans: ReadonlyMap<string, EpochMs> = new Map();
  const said = new Map<string, string>();
  const make = counter();
  const lines: string[] = [];
  const peak = new Map<string, number>();

  const cloud = createCloud({
    now: () => now,
    bootMs: (pool) => pools.get(pool)?.bootMs ?? 0,
    specOf: (pool) => pools.get(pool)?.specHash ?? '',
    jobsWait: (pool) => runners.get(pool)?.isWaiting() ?? false,
    becameReady: (machine: Machine) => runners.get(machine.pool)?.step(),
  });
  const world = {
    now: () => now,
    cloud,
    claims: () => [...runners.values()].reduce((sum, runner) => sum + runner.running(), 0),
    get concurrent() {
      return concurrent;
    },
  };

  function observe(): Observation {
    const budget = { launches: cloud.calls(), instances: 1000 };
    return {
      now,
      pools: [...pools.values()].map(({ spec, bootMs }) => {
        const bootP90Ms = Number.isFinite(bootMs) ? bootMs : MINUTE_MS;
        return poolView(spec, { memory: memories.get(spec.id) ?? memory({ pool: spec.id }), bootP90Ms });
      }),
      concurrent,
      maxMachines,
      owner: 'ci',
      manager: 'manager-1',
      takeover: false,
      machines: [...cloud.machines.values()],
      leases: [...runners.values()].flatMap((runner) => runner.leases()),
      launches: [...cloud.launches.values()],
      rests: [...cloud.rests.values()],
      instances: new Map([[SITE, cloud.source()]]),
      budgets: new Map([[SITE, budget]]),
      orphansSeen: orphans,
      frozenUntil,
      currentSpecs: new Map([...pools.values()].map(({ spec, specHash }) => [spec.id, specHash])),
    };
  }

  function protocol(plan: Plan): void {
    const acts = actionLines(plan.actions);
    const sizes = plan.pools.flatMap((size) => {
      const codes = size.reasons.map(({ code }) => code).join(' ');
      const isNew = said.get(size.pool) !== codes;
      said.set(size.pool, codes);
      if (!isNew && acts.length === 0) return [];
      return [
        `  ${size.pool}: ${describeSize(size)}`,
        ...size.reasons.map((reason) => `    ${describeReason(reason)}`),
      ];
    });
    if (acts.length + sizes.length > 0) lines.push(clock(now), ...sizes, ...acts);
  }

  function tick(): EpochMs {
    for (const runner of runners.values()) runner.step();
    const seen = observe();
    const plan = planTick(seen, make);
    const broken = breaches(seen, plan);
    if (broken.length > 0) throw new Error(`at ${clock(now)}: ${broken.join('; ')}`);
    for (const each of plan.memories) memories.set(each.pool, each);
    orphans = plan.orphans;
    for (const action of plan.actions) cloud.act(action);
    protocol(plan);
    for (const id of pools.keys()) {
      const alive = [...cloud.machines.values()].filter(
        ({ pool, phase }) => pool === id && phase !== 'terminating',
      );
      peak.set(id, Math.max(peak.get(id) ?? 0, alive.length));
    }
    return plan.wakeAt;
  }

  function run(length: DurationMs): void {
    const end = now + length;
    while (now < end) {
      const wakeAt = tick();
      const happens = cloud.happenings.map(({ at }) => at);
      const looks = [...runners.values()].map((runner) => runner.nextAt());
      now = Math.min(end, ...[wakeAt, ...happens, ...looks].map((at) => Math.max(at, now + 1)));
      const due = cloud.happenings.filter(({ at }) => at <= now).toSorted((a, b) => a.at - b.at);
      for (const each of due) {
        cloud.happenings.splice(cloud.happenings.indexOf(each), 1);
        each.what();
      }
    }
  }

  function setPool(id: string, options: Words['options']): void {
    const bootMs = options.get('boot') === 'never' ? Infinity : duration(options.get('boot') ?? '40s');
    pools.set(id, { spec: readPool(id, options), bootMs, specHash: options.get('spec') ?? 'spec-1' });
    if (!runners.has(id))
      runners.set(
        id,
        createRunner(() => pools.get(id)?.spec ?? poolSpec({ id }), world),
      );
  }

  function summary(id: string): string {
    const runner = runners.get(id);
    const waits = runner?.waits.toSorted((a, b) => a - b) ?? [];
    const at = (share: number) => Math.round((waits[Math.ceil(waits.length * share) - 1] ?? 0) / SECOND_MS);
    const alive = [...cloud.machines.values()].filter(({ pool }) => pool === id).length;
    return (
      `= ${clock(now)} ${id}: ${runner?.done() ?? 0} jobs done, ${waits.length} started, ` +
      `waited median ${at(0.5)} s, last ${at(1)} s; machines now ${alive}, at most ${peak.get(id) ?? 0}`
    );
  }

  const commands: Record<string, (words: Words) => void> = {
    at: ({ positional: [, at = ''] }) => {
      now = Date.parse(at);
    },
    concurrent: ({ positional: [, count] }) => {
      concurrent = Number(count);
    },
    'max-machines': ({ positional: [, count] }) => {
      maxMachines = Number(count);
    },
    pool: ({ positional: [, id = ''], options }) => setPool(id, options),
    remove: ({ positional: [, id = ''] }) => {
      pools.delete(id);
      runners.get(id)?.remove();
    },
    jobs: ({ positional: [, id = '', count], options }) => {
      const lasts = duration(options.get('lasting') ?? '1m');
      const job = () => ({ lasts, queuedAt: now });
      runners.get(id)?.queue.push(...Array.from({ length: Number(count) }, job));
    },
    capacity: ({ positional: [, state] }) => cloud.setCapacity(state === 'back'),
    listing: ({ positional: [, state] }) => cloud.setListing(state === 'failed' ? 'failed' : 'fresh'),
    jump: ({ positional: [, by = ''], options }) => {
      now += duration(by);
      for (const each of cloud.happenings) each.at += duration(by);
      frozenUntil = now + duration(options.get('freeze') ?? '30m');
    },
    pause: ({ positional: [, id = ''] }) => {
      memories.set(id, { ...(memories.get(id) ?? memory({ pool: id })), paused: true });
    },
    drain: ({ positional: [, id = ''] }) => {
      memories.set(id, { ...(memories.get(id) ?? memory({ pool: id })), draining: true });
    },
    resume: ({ positional: [, id = ''] }) => {
      memories.set(id, { ...(memories.get(id) ?? memory({ pool: id })), paused: false, draining: false });
    },
    run: ({ positional: [, length = ''] }) => run(duration(length)),
    summary: ({ positional: [, id = ''] }) => {
      lines.push(summary(id));
    },
  };

  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '') continue;
    lines.push(line.startsWith('#') ? line : `> ${line}`);
    if (line.startsWith('#')) continue;
    const words = readWords(line);
    const command = commands[words.positional[0] ?? ''];
    if (command === undefined) throw new Error(`unknown story line: ${line}`);
    command(words);
  }
  return `${lines.join('\n')}\n`;
}
