// Looks at hosts from the manager: TLS pings for those that are ready or held idle, container looks for those in use.
// What it learns goes into machine and lease rows and, for leased ones, as a health note into the runner's store, so
// that the door's `config` answers at once. Looks are spread: each host has its own next time.
// Trap: a failed look says nothing about jobs; it never frees a host, it only counts towards `unhealthy`.
import { isBusy, type JobSeen, type Lease, untilBadWord } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import { type ReasonCode, reasonTexts } from '../domain/reason.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import { DEAD_AFTER_PINGS } from '../planner/liveness.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost, JobContainer } from '../ports/docker.ts';
import type { HealthNote, RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import { createDueLine, type Due } from './due-line.ts';

/** Held idle and ready hosts are pinged this often (design §4: every 10 s). */
export const PING_EVERY_MS: DurationMs = 10 * SECOND_MS;
/** Containers of a leased host: jobs begin and end in seconds, 5 s keeps the idle clock honest. */
export const LOOK_EVERY_MS: DurationMs = 5 * SECOND_MS;
/** A ping that takes longer than this is as good as none for a job that waits. */
const PING_LIMIT_MS: DurationMs = 3 * SECOND_MS;
/** A health note is good for two and a half pings, so that one late round does not make the door ping by itself. */
export const NOTE_GOOD_MS: DurationMs = 25 * SECOND_MS;
/** A round starts at most 10 looks and the next comes 100 ms later while more are due: at most 100 a second in all (design §4). */
const STARTS_PER_ROUND = 10;
const BUSY_ROUND_MS: DurationMs = 100;
/**
 * Looks under way at hosts that answered the last time: each has some 120 KB of TLS buffers, and on a busy manager, where a
 * handshake takes half a second, this many are what keeps the rate above. Hosts that are silent hold no buffers, and no place.
 */
const AT_ONCE = 64;
/** With nobody waiting, who is due is looked up this often: a tenth of the shortest time between two looks at a host. */
const QUIET_ROUND_MS: DurationMs = 500;
/** With a line of hosts that wait, who is due besides: only a host that is new may go before them. */
const LINE_KEPT_MS: DurationMs = 2 * SECOND_MS;
/** Jobs remembered a lease; more than a runner's MaxBuilds in practice. */
const JOBS_KEPT = 100;

type WatchDeps = {
  store: Store;
  config: CurrentConfig;
  docker: Docker;
  runnerStore: RunnerStore;
  clock: Clock;
  hostOf(machine: Machine): DockerHost | null;
  /** Health changed: the planner may want to replace it. */
  nudge(): void;
};

/** The lease after a look, or null when nothing changed: a steady job must not write to disk every few seconds. */
function afterLook(lease: Lease, containers: readonly JobContainer[], now: EpochMs): Lease | null {
  const added: JobSeen[] = [];
  const isKnown = (id: string) => [lease.jobs, added].some((jobs) => jobs.some((job) => job.id === id));
  for (const { jobId, jobUrl, projectId: project = null, pipelineId: pipeline = null } of containers) {
    if (jobId !== null && !isKnown(jobId))
      added.push({ id: jobId, url: jobUrl, seenAt: now, project, pipeline });
  }
  if (added.length === 0 && containers.length === lease.containers && lease.lookedAt !== null) return null;
  const jobs = added.length === 0 ? lease.jobs : [...lease.jobs, ...added].slice(-JOBS_KEPT);
  const containersAt = containers.length > 0 || lease.containers > 0 ? now : lease.containersAt;
  return { ...lease, containers: containers.length, containersAt, lookedAt: lease.lookedAt ?? now, jobs };
}

/** Endings after which no job should begin on a host that still works. */
const noMoreJobs: ReadonlySet<ReasonCode> = new Set(['not-renewed', 'interrupted', 'rebalance']);

/** Why a runner that merely holds this machine should give it back; null = it may use it, or nothing is sure. */
function whyDead(machine: Machine, lease: Lease, now: EpochMs): string | null {
  if (isBusy(lease, now)) return null;
  if (machine.failedPings >= DEAD_AFTER_PINGS) return 'its Docker API does not answer';
  const { ending } = machine;
  return ending !== null && noMoreJobs.has(ending) ? reasonTexts[ending] : null;
}

/** What `config` shall know after a look; null = the word that stands is good enough. */
function wordOn(
  machine: Machine,
  lease: Lease,
  { healthy, now }: { healthy: boolean; now: EpochMs },
): HealthNote | null {
  const mayBeBad = untilBadWord(lease, now) === 0;
  const why = mayBeBad ? whyDead(machine, lease, now) : null;
  if (why !== null) return { kind: 'dead', why };
  if (healthy) return { kind: 'ok', until: now + NOTE_GOOD_MS };
  // Not sure: the door looks by itself, so that no job goes to a host that died under the last one.
  return mayBeBad ? { kind: 'ok', until: 0 } : null;
}

/** One look at one host, and what it changes. */
function createLook(deps: WatchDeps): (machine: Machine, signal: AbortSignal) => Promise<void> {
  const { store, docker, clock } = deps;

  function putHealth(id: string, healthy: boolean): Machine | null {
    const machine = store.machine(id);
    if (machine === null || machine.phase === 'gone') return null;
    const failedPings = healthy ? 0 : machine.failedPings + 1;
    if (failedPings === machine.failedPings) return machine;
    const next = { ...machine, failedPings };
    store.putMachine(next);
    if (failedPings === DEAD_AFTER_PINGS || (failedPings === 0 && machine.failedPings >= DEAD_AFTER_PINGS))
      deps.nudge();
    return next;
  }

  async function note(machine: Machine, healthy: boolean): Promise<void> {
    const lease = machine.lease === null ? null : store.lease(machine.lease);
    if (lease === null || lease.state !== 'held') return;
    const word = wordOn(machine, lease, { healthy, now: clock.now() });
    if (word !== null) await deps.runnerStore.putHealth(lease.store, lease.name, word);
  }

  return async function look(machine, signal) {
    const host = deps.hostOf(machine);
    if (host === null) return;
    const lease = machine.lease === null ? null : store.lease(machine.lease);
    let healthy = false;
    if (lease !== null && lease.state === 'held' && (lease.urlAt !== null || lease.containers > 0)) {
      const containers = await docker
        .jobContainers(host, clock.timeout(PING_LIMIT_MS, signal))
        .catch(() => null);
      healthy = containers !== null;
      const current = store.lease(lease.name);
      if (containers !== null && current !== null && current.machine === machine.id) {
        const next = afterLook(current, containers, clock.now());
        if (next !== null) store.putLease(next);
      }
    } else healthy = await docker.ping(host, PING_LIMIT_MS);
    if (signal.aborted) return;
    const after = putHealth(machine.id, healthy);
    if (after !== null && after.lease !== null) await note(after, healthy);
  };
}

/** Looks at all watched hosts until the signal aborts. */
export function createHostWatch(deps: WatchDeps): { run(signal: AbortSignal): Promise<void> } {
  const { store, clock } = deps;
  const look = createLook(deps);
  const nextAt = new Map<string, DurationMs>();
  const underWay = new Set<string>();
  let places = AT_ONCE;

  /** A look that fails says nothing. One function, not a chain of promises: a thousand looks a minute go through here. */
  async function lookSafely(machine: Machine, signal: AbortSignal): Promise<void> {
    const place = machine.failedPings === 0 ? 1 : 0;
    places -= place;
    underWay.add(machine.id);
    try {
      await look(machine, signal);
    } catch {
      // The next look may work.
    } finally {
      underWay.delete(machine.id);
      places += place;
    }
  }

  function everyMs(machine: Machine): DurationMs {
    if (machine.phase === 'leased' && machine.lease !== null) return LOOK_EVERY_MS;
    return PING_EVERY_MS;
  }

  function isWatched({ id, phase, cleaning }: Machine): boolean {
    if (phase !== 'ready' && phase !== 'leased' && phase !== 'draining') return false;
    return !cleaning && !underWay.has(id);
  }

  /** Everybody who is due now; hosts that were never looked at come first. */
  function seekDue(): Due<string>[] {
    const now = clock.monotonic();
    const machines = store.machines();
    if (nextAt.size > 2 * machines.length + 100) nextAt.clear();
    const due: Due<string>[] = [];
    for (const machine of machines) {
      if (!isWatched(machine)) continue;
      const at = nextAt.get(machine.id) ?? 0;
      if (at <= now) due.push({ who: machine.id, at });
    }
    return due;
  }
  const line = createDueLine(clock, LINE_KEPT_MS, seekDue);

  /** Starts the looks of one round. */
  function startDue(signal: AbortSignal): void {
    for (const id of line.take(Math.min(STARTS_PER_ROUND, places))) {
      const machine = store.machine(id);
      if (machine === null || !isWatched(machine)) continue;
      nextAt.set(id, clock.monotonic() + everyMs(machine));
      void lookSafely(machine, signal);
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        startDue(signal);
        await clock.sleep(line.left() > 0 ? BUSY_ROUND_MS : QUIET_ROUND_MS, signal);
      }
    },
  };
}
