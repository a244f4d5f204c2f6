// Closes this machine's connections to one host, and tells of it once: the job that was cut off by name, or why it cannot
// be done here. Whether it shall be done is the caller's to know.
// Trap: an address may belong to a new host already.
import type { JobSeen } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Connections } from '../ports/connections.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { Journal } from './journal.ts';

/** One `ss`, with thousands of connections. */
export const RESET_LIMIT_MS: DurationMs = 10 * SECOND_MS;
/**
 * So long, once a second, what the runner opens to a lost host anew is closed too: it dials some ten times before it gives
 * the job up, and each dial to a host that is gone hangs for minutes.
 */
export const RESET_FOR_MS: DurationMs = 120 * SECOND_MS;

type Deps = { store: Store; connections: Connections; clock: Clock; metrics: Metrics; journal: Journal };

export type Closer = {
  /** Tries whether it works at all, and says so once if not. */
  tryOut(signal: AbortSignal): Promise<void>;
  /** `why` in words; `job`: what ran there, where no lease tells any more. */
  close(machine: Machine, why: string, signal: AbortSignal, job?: JobSeen | null): Promise<void>;
  /** What was opened since to hosts that were told of, in one call a pool; nothing while the last such call runs. */
  closeAgain(machines: readonly Machine[], signal: AbortSignal): Promise<void>;
};

/** The closer of one daemon. */
export function createCloser({ store, connections, clock, metrics, journal }: Deps): Closer {
  let isToldFailed = false;
  let isClosingAgain = false;

  function tellFailure(why: string): void {
    metrics.canReset(false);
    if (isToldFailed) return;
    isToldFailed = true;
    const text = `connections to lost hosts cannot be closed, so that jobs on them hang for minutes: ${why}`;
    journal({ code: 'reset-failed', level: 'warn', text });
  }

  function tell(machine: Machine, why: string, ended: number, known: JobSeen | null): void {
    const { id, pool, lease: name, instance } = machine;
    const job = (name === null ? null : store.lease(name))?.jobs.at(-1) ?? known;
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

  const isTaken = ({ id, address }: Machine): boolean =>
    store.machines().some((other) => other.id !== id && other.address === address && other.phase !== 'gone');

  /** How many were closed; null = it did not work, which is told. */
  async function reset(
    pool: string,
    machines: readonly Machine[],
    signal: AbortSignal,
  ): Promise<number | null> {
    const addresses = machines.flatMap((one) => (one.address === null || isTaken(one) ? [] : one.address));
    if (addresses.length === 0) return null;
    const answer = await connections.reset(addresses, clock.timeout(RESET_LIMIT_MS, signal));
    if (signal.aborted) return null;
    if (answer.kind === 'failed') tellFailure(answer.why);
    else metrics.connectionsReset(pool, answer.ended);
    return answer.kind === 'failed' ? null : answer.ended;
  }

  return {
    async tryOut(signal) {
      const why = await connections.trouble(clock.timeout(RESET_LIMIT_MS, signal));
      if (signal.aborted) return;
      if (why === null) metrics.canReset(true);
      else tellFailure(why);
    },
    async close(machine, why, signal, job = null) {
      const ended = await reset(machine.pool, [machine], signal);
      if (ended !== null) tell(machine, why, ended, job);
    },
    async closeAgain(machines, signal) {
      if (isClosingAgain || machines.length === 0) return;
      isClosingAgain = true;
      const pools = Map.groupBy(machines, ({ pool }) => pool);
      await Promise.all([...pools].map(([pool, some]) => reset(pool, some, signal))).finally(() => {
        isClosingAgain = false;
      });
    },
  };
}
