// The pools whose queue is watched: which GitLab each asks, what is known of its runner, which looker looks for it.
// Follows the configuration: a pool whose settings stay keeps what is known, connections are shared and closed in time.
// Trap: a refresh that fails leaves everything as it was; only its success changes source, scope or projects.
import type { Config, PoolSpec } from '../domain/config.ts';
import { messageOf } from '../domain/error.ts';
import { gitlabFailure } from '../domain/gitlab-failure.ts';
import type { ProjectScope, QueueSettings } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { QueuePorts } from '../ports/queue.ts';
import type { Random } from '../ports/random.ts';
import { createQueueGate, type QueueGate } from './queue-gate.ts';
import type { LookerPool } from './queue-look-book.ts';
import { createLooker, type Looker } from './queue-looker.ts';
import { createQueueRefs, type QueueRefs } from './queue-refs.ts';
import { findScope, type PoolScope } from './queue-scope.ts';
import {
  accessOf,
  createQueueSite,
  type GitlabSourceName,
  isSameAccess,
  type QueueSite,
  type SiteAccess,
} from './queue-site.ts';

/** Runner settings and project lists change by hand; facts: every 5 to 15 min, apart from the looks. */
const REFRESH_EVERY_MS: DurationMs = 10 * MINUTE_MS;
/** A source whose looks fail is chosen anew: a right may have been taken away. */
const REFRESH_FAILING_MS: DurationMs = 2 * MINUTE_MS;
const FIRST_RETRY_MS: DurationMs = 5 * SECOND_MS;
const LAST_RETRY_MS: DurationMs = 2 * MINUTE_MS;

type Site = QueueSite & { access: SiteAccess; refs: QueueRefs; lookers: Map<GitlabSourceName, Looker> };

export type Member = {
  spec: PoolSpec;
  settings: QueueSettings;
  site: Site | null;
  /** What the last refresh that worked found. */
  scope: PoolScope | null;
  looker: Looker | null;
  /** GitLab's version, where it says it. */
  version: string | null;
  /** Why the last refresh failed. */
  problem: string | null;
  failures: number;
  refreshedAt: EpochMs | null;
  dueAt: EpochMs;
  isRefreshing: boolean;
};

export type QueueMembers = {
  /** Takes over a configuration. */
  sync(config: Config): void;
  /** Starts refreshes that are due; gives when the next one is. */
  refreshDue(signal: AbortSignal): EpochMs;
  /** The wall clock was set: what is due moves with it. */
  shift(by: DurationMs): void;
  all(): readonly Member[];
  lookers(): readonly Looker[];
  gates(): ReadonlyMap<string, QueueGate>;
  close(): void;
};

type Deps = {
  ports: QueuePorts;
  clock: Clock;
  random: Random;
  metrics: Metrics;
  /** Something new is known of a pool. */
  refreshed(): void;
  /** A look ended. */
  looked(news: boolean): void;
};

/** Settings as text: equal ones need no new look at the world. Secrets hide themselves; the site tells tokens apart. */
function settingsText(spec: PoolSpec): string {
  return JSON.stringify([spec.queue, spec.namePrefixes]);
}

type Context = Deps & {
  stop: AbortSignal;
  gates: Map<string, QueueGate>;
  members: Map<string, Member>;
  sites: Site[];
  /** Sites made so far: their keys are numbers. */
  made: number;
  hasMetrics: boolean;
};

function gateOf(context: Context, url: string): QueueGate {
  const { host } = new URL(url);
  const gate = context.gates.get(host) ?? createQueueGate(host, context);
  context.gates.set(host, gate);
  return gate;
}

function siteOf(context: Context, settings: QueueSettings): Site | null {
  const { ports, clock, stop } = context;
  const access = settings.source === 'none' || settings.source === 'metrics' ? null : accessOf(settings);
  if (access === null) return null;
  const known = context.sites.find((site) => isSameAccess(site.access, access));
  if (known !== undefined) return known;
  context.made += 1;
  const gate = gateOf(context, access.url);
  const site = createQueueSite(`gitlab-${context.made}`, access, { ports, clock, gate });
  const lookers = new Map<GitlabSourceName, Looker>();
  const changed = () => {
    for (const looker of lookers.values()) looker.rejudge();
    context.looked(true);
  };
  const one = { ...site, access, lookers, refs: createQueueRefs({ site, clock, changed }, stop) };
  context.sites.push(one);
  return one;
}

function join(context: Context, spec: PoolSpec, settings: QueueSettings): Member {
  const before = context.members.get(spec.id);
  const site = siteOf(context, settings);
  const isSame =
    before !== undefined && before.site === site && settingsText(before.spec) === settingsText(spec);
  if (isSame) return Object.assign(before, { spec, settings });
  return {
    spec,
    settings,
    site,
    scope: null,
    looker: null,
    version: null,
    problem: null,
    failures: 0,
    refreshedAt: null,
    dueAt: 0,
    isRefreshing: false,
  };
}

function lookerOf(context: Context, site: Site, source: GitlabSourceName): Looker {
  const { refs, lookers } = site;
  const { clock, random, looked } = context;
  const looker = lookers.get(source) ?? createLooker(source, { site, refs, clock, random, looked });
  lookers.set(source, looker);
  return looker;
}

/** Gives each looker its pools, as they are known now. */
function assign(context: Context): void {
  const pools = new Map<Looker, LookerPool[]>();
  for (const { lookers } of context.sites) for (const looker of lookers.values()) pools.set(looker, []);
  for (const member of context.members.values()) {
    const { site, scope, spec, settings } = member;
    const source = scope?.choice.source ?? null;
    member.looker = null;
    if (site === null || !scope?.rules || source === null || source === 'metrics') continue;
    const looker = lookerOf(context, site, source);
    member.looker = looker;
    const { rules, projects } = scope;
    const { pollIntervalMs: intervalMs, lookahead } = settings;
    const pool = { id: spec.id, rules, projects, intervalMs, lookahead };
    pools.set(looker, [...(pools.get(looker) ?? []), pool]);
  }
  for (const [looker, mine] of pools) looker.setPools(mine);
}

function sync(context: Context, config: Config): void {
  const had = context.hasMetrics;
  context.hasMetrics = config.settings.runnerMetrics !== null;
  const next = config.pools.flatMap((spec) =>
    spec.queue === undefined ? [] : [join(context, spec, spec.queue)],
  );
  context.members.clear();
  for (const member of next) {
    context.members.set(member.spec.id, member);
    if (had !== context.hasMetrics) member.dueAt = 0;
  }
  const used = new Set(next.map(({ site }) => site));
  for (const site of context.sites) if (!used.has(site)) site.close();
  context.sites = context.sites.filter((site) => used.has(site));
  assign(context);
}

async function ask(context: Context, member: Member, signal: AbortSignal): Promise<PoolScope> {
  const { settings, site } = member;
  const { hasMetrics } = context;
  const gitlab = site === null ? null : await site.gitlab(signal);
  const at = (): Site => {
    if (site === null) throw new Error('no GitLab to ask');
    return site;
  };
  const graphql = async () => await at().source('graphql', signal);
  const projects = async (scope: ProjectScope) => await at().projects(scope, signal);
  return await findScope({ settings, hasMetrics, gitlab, graphql, projects }, signal);
}

async function refresh(context: Context, member: Member, signal: AbortSignal): Promise<void> {
  const { clock, random } = context;
  member.isRefreshing = true;
  try {
    const scope = await ask(context, member, signal);
    member.version = (await member.site?.version(signal)) ?? null;
    const now = clock.now();
    Object.assign(member, { scope, problem: null, failures: 0, refreshedAt: now });
    member.dueAt = now + REFRESH_EVERY_MS * (0.9 + 0.1 * random.float());
    if (context.members.get(member.spec.id) === member) assign(context);
  } catch (error) {
    if (signal.aborted) return;
    if (gitlabFailure(error).kind === 'token') member.site?.doubtToken();
    member.problem = messageOf(error);
    member.failures += 1;
    const pause = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(member.failures - 1, 10));
    member.dueAt = clock.now() + pause;
  } finally {
    member.isRefreshing = false;
    if (!signal.aborted) context.refreshed();
  }
}

/** A source that stopped working is looked into before its time. */
function dueAt({ dueAt: at, refreshedAt, looker }: Member): EpochMs {
  const isFailing = looker !== null && looker.state().failing !== null;
  return isFailing && refreshedAt !== null ? Math.min(at, refreshedAt + REFRESH_FAILING_MS) : at;
}

function refreshDue(context: Context, signal: AbortSignal): EpochMs {
  const now = context.clock.now();
  let next = now + MINUTE_MS;
  for (const member of context.members.values()) {
    if (member.isRefreshing) continue;
    if (dueAt(member) <= now) void refresh(context, member, signal);
    else next = Math.min(next, dueAt(member));
  }
  return next;
}

/** No pools yet. */
export function createQueueMembers(deps: Deps, stop: AbortSignal): QueueMembers {
  const context: Context = {
    ...deps,
    stop,
    gates: new Map(),
    members: new Map(),
    sites: [],
    made: 0,
    hasMetrics: false,
  };
  return {
    sync: (config) => sync(context, config),
    refreshDue: (signal) => refreshDue(context, signal),
    shift(by) {
      for (const member of context.members.values()) {
        member.dueAt += by;
        if (member.refreshedAt !== null) member.refreshedAt += by;
      }
      for (const { lookers } of context.sites) for (const looker of lookers.values()) looker.shift(by);
    },
    all: () => [...context.members.values()],
    lookers: () => context.sites.flatMap(({ lookers }) => [...lookers.values()]),
    gates: () => context.gates,
    close() {
      for (const site of context.sites) site.close();
      context.sites = [];
    },
  };
}
