// Hosts with a job whose Docker does not answer: hailed until they give a sign of life, or until it is proven that none will
// come (host-silence.ts); then connections to them are closed.
// Trap: closing them fails a job, so every sign of life counts, also one that only another connection has seen.
import type { Instance } from '../domain/instance.ts';
import { isBusy } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import type { Source } from '../domain/observation.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Connections } from '../ports/connections.ts';
import type { Store } from '../ports/store.ts';
import { type Closer, RESET_FOR_MS, RESET_LIMIT_MS } from './close-connections.ts';
import type { CurrentConfig } from './current-config.ts';
import { type Evidence, judgeSilence } from './host-silence.ts';

/** A loaded sshd greets within this; longer is no sign of life for a job either. */
const HAIL_LIMIT_MS: DurationMs = 5 * SECOND_MS;
/** From the start of one hail to the next. */
const HAIL_EVERY_MS: DurationMs = 5 * SECOND_MS;
/** EC2 is asked about silent hosts this often: a sweep is one call, and its word is the best evidence. */
const ASK_CLOUD_EVERY_MS: DurationMs = 20 * SECOND_MS;
/** SSH's port, for machines whose pool left the configuration. */
const SSH_PORT = 22;

type Deps = {
  store: Store;
  config: CurrentConfig;
  connections: Connections;
  clock: Clock;
  closer: Closer;
  /** What EC2 showed of a site last. */
  viewOf(site: string): Source<readonly Instance[]>;
  /** Asks EC2 about a site again; the answer shows in `viewOf`. */
  askCloud(site: string): Promise<void>;
};

type Suspect = {
  /** Last sign of life, monotonic and on the wall. */
  since: DurationMs;
  sinceWall: EpochMs;
  hails: number;
  hailedAt: DurationMs;
  isHailing: boolean;
  /** First closing; null = none yet. */
  closedAt: DurationMs | null;
};

/** Busy and without an answer of its Docker. */
function isSuspect(store: Store, machine: Machine, now: EpochMs): boolean {
  if (machine.phase !== 'leased' && machine.phase !== 'draining') return false;
  if (machine.failedPings === 0 || machine.address === null || machine.lease === null) return false;
  const lease = store.lease(machine.lease);
  return lease !== null && isBusy(lease, now);
}

/** One round of looking for signs of life. */
function createHailer({ config, connections, clock, closer, viewOf }: Deps) {
  /** Silence counts from the last byte of anything: a job that prints is alive, however slow its host. */
  async function countHeard(address: string, suspect: Suspect, signal: AbortSignal): Promise<void> {
    const heardMs = await connections.heardMs(address, clock.timeout(RESET_LIMIT_MS, signal));
    const now = clock.monotonic();
    if (heardMs === null || now - heardMs <= suspect.since) return;
    suspect.since = now - heardMs;
    suspect.sinceWall = clock.now() - heardMs;
  }

  function evidenceOf(machine: Machine, suspect: Suspect, hail: Evidence['hail']): Evidence {
    const view = viewOf(machine.site);
    const shown = view.kind === 'failed' ? [] : view.value;
    return {
      silentMs: clock.monotonic() - suspect.since,
      hails: suspect.hails,
      hail,
      state: shown.find(({ id }) => id === machine.instance)?.state ?? null,
      isCloudHeard: view.kind === 'fresh' && view.at >= suspect.sinceWall,
    };
  }

  /** False: it gave a sign of life. */
  return async (machine: Machine, suspect: Suspect, signal: AbortSignal): Promise<boolean> => {
    const address = machine.address ?? '';
    const port = config.pool(machine.pool)?.host.sshPort ?? SSH_PORT;
    const hail = await connections.hail(address, port, clock.timeout(HAIL_LIMIT_MS, signal));
    if (hail === 'speaks' || hail === 'refused') return false;
    suspect.hails += 1;
    await countHeard(address, suspect, signal);
    if (signal.aborted) return true;
    const evidence = evidenceOf(machine, suspect, hail);
    const verdict = judgeSilence(evidence);
    if (verdict === 'wait') return true;
    const seconds = Math.round(evidence.silentMs / SECOND_MS);
    const why =
      verdict === 'gone' ? `its instance is ${evidence.state ?? 'gone'}` : `it was silent for ${seconds} s`;
    if (suspect.closedAt === null) {
      suspect.closedAt = clock.monotonic();
      await closer.close(machine, why, signal);
    }
    return true;
  };
}

/** The watch; `look` every second. */
export function createSilentHosts(deps: Deps): {
  /** Gives those whose connections were closed before, and are to be closed again. */
  look(machines: readonly Machine[], signal: AbortSignal): Machine[];
} {
  const { store, clock } = deps;
  const suspects = new Map<string, Suspect>();
  const askedAt = new Map<string, DurationMs>();
  const hail = createHailer(deps);

  function askCloud(site: string): void {
    const now = clock.monotonic();
    if (now - (askedAt.get(site) ?? Number.NEGATIVE_INFINITY) < ASK_CLOUD_EVERY_MS) return;
    askedAt.set(site, now);
    void deps.askCloud(site).catch(() => undefined);
  }

  function suspectOf(id: string): Suspect {
    const [now, wall] = [clock.monotonic(), clock.now()];
    const fresh = { since: now, sinceWall: wall, hails: 0, isHailing: false, closedAt: null };
    const suspect = suspects.get(id) ?? { ...fresh, hailedAt: Number.NEGATIVE_INFINITY };
    suspects.set(id, suspect);
    return suspect;
  }

  function watch(machine: Machine, signal: AbortSignal): void {
    const suspect = suspectOf(machine.id);
    askCloud(machine.site);
    const now = clock.monotonic();
    if (suspect.isHailing || now - suspect.hailedAt < HAIL_EVERY_MS) return;
    suspect.isHailing = true;
    suspect.hailedAt = now;
    void hail(machine, suspect, signal)
      .then((isSilent) => {
        if (!isSilent && suspects.get(machine.id) === suspect) suspects.delete(machine.id);
      })
      .catch(() => undefined)
      .finally(() => {
        suspect.isHailing = false;
      });
  }

  return {
    look(machines, signal) {
      const now = clock.now();
      const silent = machines.filter((machine) => isSuspect(store, machine, now));
      const ids = new Set(silent.map(({ id }) => id));
      for (const id of suspects.keys()) if (!ids.has(id)) suspects.delete(id);
      const again = silent.filter(({ id }) => {
        const closedAt = suspects.get(id)?.closedAt ?? null;
        return closedAt !== null && clock.monotonic() - closedAt <= RESET_FOR_MS;
      });
      for (const machine of silent) watch(machine, signal);
      return again;
    },
  };
}
