// The watch over GitLab's job queue: keeps looks and refreshes going, and gives each tick what is pending for which pool.
// Says once which source is in use and why, when the queue is lost from sight, and when it is back.
// Traps: the loop's tick asks `view` and never waits; a queue that is not seen is held, not empty.
import { messageOf } from '../domain/error.ts';
import type { Plan } from '../domain/plan.ts';
import type { JobGroup, PoolQueue, QueueView } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { QueuePorts } from '../ports/queue.ts';
import type { Random } from '../ports/random.ts';
import type { Store } from '../ports/store.ts';
import { groupJobs, type JudgedLook, mergeLooks } from '../queue/group-jobs.ts';
import type { PaceState } from '../queue/pace.ts';
import type { CurrentConfig } from './current-config.ts';
import { createEndedJobs } from './ended-jobs.ts';
import type { Journal } from './journal.ts';
import type { Leases } from './leases.ts';
import { createQueueAhead, type QueueAhead } from './queue-ahead.ts';
import { createQueueFigures, type QueueFigures } from './queue-figures.ts';
import { createQueueMembers, type Member, type QueueMembers } from './queue-members.ts';
import { createQueueMemory, type QueueMemory } from './queue-memory.ts';
import { createQueueReporter, type QueueReporter } from './queue-reporter.ts';
import { choiceOf, stateOf } from './queue-state.ts';
import { type QueueStatus, statusOf } from './queue-status.ts';
import { createWebhookBook, type WebhookBook } from './webhook-book.ts';

/** States and figures are looked over this often, and a new configuration is noticed. */
const ROUND_MS: DurationMs = SECOND_MS;
/** … and this often while no pool asks GitLab. */
const IDLE_ROUND_MS: DurationMs = 5 * SECOND_MS;

/** Clocks are slewed by fractions of a second; what differs by more was set. */
const JUMP_MS: DurationMs = 5 * SECOND_MS;

export type QueueWatch = {
  run(signal: AbortSignal): Promise<void>;
  /** What is pending now, for the planner. */
  view(now: EpochMs): QueueView;
  /** For status pages: states without the jobs. */
  states(now: EpochMs): PoolQueue[];
  status(now: EpochMs): QueueStatus[];
  /** By GitLab's host. */
  paces(): ReadonlyMap<string, PaceState>;
  /** Somebody says that a project changed: it is looked at next. False when no pool looks at it. */
  markDirty(project: number | string): boolean;
  /** The doors for webhooks report here. */
  webhooks: WebhookBook;
};

export type QueueWatchDeps = {
  ports: QueuePorts;
  config: CurrentConfig;
  store: Store;
  clock: Clock;
  random: Random;
  metrics: Metrics;
  journal: Journal;
  log: Log;
  /** Pending jobs are others than before. */
  nudge(): void;
  /** Where creates wait; absent: those without a job are left to their time limit. */
  leases?(): Pick<Leases, 'refuse'>;
  /** What forecast learns from; absent: it learns nothing. */
  lastPlan?(): Plan | null;
};

type Context = QueueWatchDeps & {
  members: QueueMembers;
  figures: QueueFigures;
  memory: QueueMemory;
  reporter: QueueReporter;
  webhooks: WebhookBook;
  ahead: QueueAhead;
};

function looksOf({ members }: Context, now: EpochMs): JudgedLook[] {
  const byUrl = Map.groupBy(members.lookers(), ({ url }) => url);
  return [...byUrl.values()].flatMap((lookers) => {
    const looks = lookers.flatMap((looker) => looker.looks(now));
    return lookers.length > 1 ? mergeLooks(looks) : looks;
  });
}

/** What the looks show, by pools and moment. */
function seenGroups(context: Context, now: EpochMs): JobGroup[] {
  const ages = context.members
    .all()
    .map(({ spec, settings }): [string, number] => [spec.id, settings.minAgeMs]);
  return groupJobs(looksOf(context, now), new Map(ages), now);
}

/** Beside the looks: what is remembered from before a restart, and what the runner's figures say. */
function otherGroups({ members, memory, figures }: Context, now: EpochMs): JobGroup[] {
  return members.all().flatMap((member) => {
    const { scope, looker } = member;
    const { id } = member.spec;
    const isWhole = looker?.state().isWhole === true;
    const isOff = scope !== null && looker === null;
    if (isWhole || isOff) memory.forget(id);
    const figure = choiceOf(member, figures)?.source === 'metrics' ? figures.group(id, now) : null;
    return [memory.group(id, now), figure].filter((group) => group !== null);
  });
}

/** What is expected, of the pools that asked for it. */
function foretold({ members, ahead }: Context, now: EpochMs): Pick<QueueView, 'coming' | 'forecast'> {
  const asked = members.all().filter(({ settings }) => settings.lookahead || settings.forecast);
  if (asked.length === 0) return {};
  return {
    coming: new Map(asked.map((member) => [member.spec.id, ahead.stages(member, now)])),
    forecast: new Map(asked.map(({ spec }) => [spec.id, ahead.forecast(spec, now)])),
  };
}

function view(context: Context, now: EpochMs): QueueView {
  const { members, figures } = context;
  const groups = [...seenGroups(context, now), ...otherGroups(context, now)];
  const pools = members.all().map((member) => stateOf(member, figures, now));
  const bounds = figures.bounds();
  return {
    pools: new Map(pools.map((state) => [state.pool, state])),
    groups,
    otherJobs: figures.otherJobs(),
    ...(bounds !== null && { bounds }),
    ...foretold(context, now),
  };
}

function aheadGauges({ ahead }: Context, member: Member, now: EpochMs) {
  const { hits, misses } = ahead.score(member.spec.id);
  const hitRate = hits + misses === 0 ? null : hits / (hits + misses);
  return { coming: ahead.coming(member, now).length, hitRate };
}

/** Gauges, events and what a restart should know. */
function report(context: Context, now: EpochMs): void {
  const { members, metrics, memory, reporter, figures } = context;
  const seen = seenGroups(context, now);
  const groups = [...seen, ...otherGroups(context, now)];
  const pending = new Map<string, { jobs: number; at: EpochMs }>();
  for (const member of members.all()) {
    const { id } = member.spec;
    const state = stateOf(member, figures, now);
    reporter.tell(member, { state, choice: choiceOf(member, figures) });
    const mine = groups.filter(({ pools }) => pools.includes(id));
    const oldest = Math.min(now, ...mine.flatMap(({ queuedAt }) => queuedAt[0] ?? []));
    const held = mine.reduce((sum, group) => sum + (group.held ? group.queuedAt.length : 0), 0);
    const ageMs = state.at === null ? null : Math.max(0, now - state.at);
    metrics.queue({
      pool: id,
      source: state.source,
      state: state.state,
      oldestMs: now - oldest,
      held,
      ageMs,
      ...aheadGauges(context, member, now),
    });
    const looked = seen.filter(({ pools }) => pools.includes(id));
    const jobs = looked.reduce((sum, { queuedAt }) => sum + queuedAt.length, 0);
    pending.set(id, { jobs, at: Math.min(now, ...looked.map(({ observedAt }) => observedAt)) });
  }
  memory.save(pending, now);
}

/** How far the wall clock was set since the last question; 0 while it runs with the steady one. */
function createJumpWatch(clock: Clock): () => DurationMs {
  let ahead = clock.now() - clock.monotonic();
  return () => {
    const jump = clock.now() - clock.monotonic() - ahead;
    if (Math.abs(jump) < JUMP_MS) return 0;
    ahead += jump;
    return jump;
  };
}

/** Starts what is due, says what is to be said; gives how long to sleep. */
function goRound(context: Context, signal: AbortSignal): DurationMs {
  const { clock, members } = context;
  const dues = [members.refreshDue(signal), ...members.lookers().map((looker) => looker.step(signal))];
  context.ahead.learn(members.all(), context.lastPlan?.() ?? null, clock.now());
  report(context, clock.now());
  const round = dues.length > 1 ? ROUND_MS : IDLE_ROUND_MS;
  return Math.max(1, Math.min(Math.min(...dues) - clock.now(), round));
}

async function watch(context: Context, signal: AbortSignal, woken: () => AbortSignal): Promise<void> {
  const { config, clock, members, log } = context;
  let current = null;
  const jumped = createJumpWatch(clock);
  while (!signal.aborted) {
    const wake = woken();
    let pause = IDLE_ROUND_MS;
    try {
      const jump = jumped();
      if (jump !== 0) members.shift(jump);
      if (config.get() !== current) members.sync(config.get());
      current = config.get();
      pause = goRound(context, signal);
    } catch (error) {
      // The queue is a help; the daemon goes on without it.
      log.error('the job queue could not be looked over', { error: messageOf(error) });
    }
    await clock.sleep(pause, wake);
  }
}

/** The watch of one daemon. */
export function createQueueWatch(deps: QueueWatchDeps, stop: AbortSignal): QueueWatch {
  let waker = new AbortController();
  // With a reason of its own: the default one is an exception with a stack.
  const wake = () => waker.abort('woken');
  const looked = (news: boolean) => {
    if (news) deps.nudge();
    wake();
  };
  const { config, clock } = deps;
  const runner = deps.ports.runner;
  const figures = createQueueFigures({ config, runner, clock, changed: deps.nudge });
  const members = createQueueMembers({ ...deps, refreshed: wake, looked }, stop);
  const memory = createQueueMemory(deps.store);
  const reporter = createQueueReporter(deps.journal);
  const webhooks = createWebhookBook();
  const ahead = createQueueAhead(deps.store);
  const context: Context = { ...deps, members, figures, memory, reporter, webhooks, ahead };
  members.sync(config.get());
  const { leases } = deps;
  const ended = leases && createEndedJobs({ ...deps, leases, members: () => members.all() });
  return {
    async run(signal) {
      signal.addEventListener('abort', wake);
      const woken = () => {
        waker = new AbortController();
        if (signal.aborted) wake();
        return waker.signal;
      };
      try {
        await Promise.all([watch(context, signal, woken), figures.run(signal), ended?.run(signal)]);
      } finally {
        signal.removeEventListener('abort', wake);
        members.close();
      }
    },
    view: (now) => view(context, now),
    states: (now) => members.all().map((member) => stateOf(member, figures, now)),
    status: (now) => members.all().map((member) => statusOf(context, member, now)),
    webhooks,
    paces: () => new Map([...members.gates()].map(([host, gate]) => [host, gate.state()])),
    markDirty(project) {
      const isOurs = members
        .lookers()
        .map((looker) => looker.markDirty(project))
        .includes(true);
      if (isOurs) wake();
      return isOurs;
    },
  };
}
