// Closes this machine's connections to one host, and tells of it once: the job that was cut off by name, or why it cannot
// be done here. Whether it shall be done is the caller's to know.
// Trap: an address may belong to a new host already.
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Connections } from '../ports/connections.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { Journal } from './journal.ts';

/** One `ss`, with thousands of connections. */
export const RESET_LIMIT_MS: DurationMs = 10 * SECOND_MS;
/** What the runner opens to a lost host meanwhile is closed this often, and this long: it tries anew some times. */
export const RESET_AGAIN_MS: DurationMs = 5 * SECOND_MS;
export const RESET_FOR_MS: DurationMs = 120 * SECOND_MS;

type Deps = { store: Store; connections: Connections; clock: Clock; metrics: Metrics; journal: Journal };

export type Closer = {
  /** Tries whether it works at all, and says so once if not. */
  tryOut(signal: AbortSignal): Promise<void>;
  /** `why` in words; null = the same host again, not to be told again. */
  close(machine: Machine, why: string | null, signal: AbortSignal): Promise<void>;
};

/** The closer of one daemon. */
export function createCloser({ store, connections, clock, metrics, journal }: Deps): Closer {
  let isToldFailed = false;

  function tellFailure(why: string): void {
    metrics.canReset(false);
    if (isToldFailed) return;
    isToldFailed = true;
    const text = `connections to lost hosts cannot be closed, so that jobs on them hang for minutes: ${why}`;
    journal({ code: 'reset-failed', level: 'warn', text });
  }

  function tell(machine: Machine, why: string, ended: number): void {
    const { id, pool, lease: name, instance } = machine;
    const job = (name === null ? null : store.lease(name))?.jobs.at(-1);
    journal({
      code: 'connections-reset',
      level: 'warn',
      pool,
      machine: id,
      lease: name,
      text: `${why}: its open connections were closed, so that its job fails now and can be retried`,
      detail: { instance, ended, job: job?.id ?? null, url: job?.url ?? null },
    });
  }

  return {
    async tryOut(signal) {
      const why = await connections.trouble(clock.timeout(RESET_LIMIT_MS, signal));
      if (signal.aborted) return;
      if (why === null) metrics.canReset(true);
      else tellFailure(why);
    },
    async close(machine, why, signal) {
      const { id, address, pool } = machine;
      const isTaken = store
        .machines()
        .some((other) => other.id !== id && other.address === address && other.phase !== 'gone');
      if (address === null || isTaken) return;
      const answer = await connections.reset([address], clock.timeout(RESET_LIMIT_MS, signal));
      if (signal.aborted) return;
      if (answer.kind === 'failed') return tellFailure(answer.why);
      metrics.connectionsReset(pool, answer.ended);
      if (why !== null) tell(machine, why, answer.ended);
    },
  };
}
