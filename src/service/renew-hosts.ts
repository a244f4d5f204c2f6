// Winds up the dead-man timers of the hosts that stand: one short SSH visit each, spread over time, few at once. When the
// last one was is kept in memory only: after a start every host is visited at once, as nobody knows how long it waited.
// Must not: shorten a job's life. A host that cannot be renewed is only marked, so that no further job gets it.
// Trap: such a host ends itself while it stands idle, so it must leave the pool well before, at half its time.
import { X509Certificate } from 'node:crypto';
import { messageOf } from '../domain/error.ts';
import type { Machine } from '../domain/machine.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import { createDueLine, type Due } from './due-line.ts';
import type { Journal } from './journal.ts';

/** Renewals are at most this far apart, however long dead_man is: a change of its length reaches all hosts by then. */
export const RENEW_EVERY_MS: DurationMs = 30 * MINUTE_MS;
/** Visits at once: each is some 5 ms of main-thread time for the handshake and 0.1 s of waiting. */
const MAX_AT_ONCE = 4;
/** With 4 visits of 0.1 s at once some 16 a second: 10,000 hosts in ten minutes after a start, 6 a second in quiet times. */
const BUSY_ROUND_MS: DurationMs = 250;
/** With nobody waiting, who is due is looked up this often: a third of the shortest time to a first renewal. */
const QUIET_ROUND_MS: DurationMs = 4 * SECOND_MS;
/** An SSH login and a few files; a host under full load may take some seconds. */
const VISIT_LIMIT_MS: DurationMs = 20 * SECOND_MS;
/** Pause after a failed visit, doubled each time up to a quarter of the renewal's own period. */
const RETRY_MS: DurationMs = 10 * SECOND_MS;
/** Failed visits in a row that are told: one or two are a busy host or a lost packet. */
const TOLD_AFTER = 3;
/** A certificate is never read again by dockerd, so a host goes out of use this long before its own ends: half a day for its last job. */
const CERTIFICATE_MARGIN_MS: DurationMs = 12 * HOUR_MS;

type Visit = (machine: Machine, signal: AbortSignal) => Promise<unknown>;

type RenewDeps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  random: Random;
  journal: Journal;
  visit: Visit;
  nudge(): void;
};

export type Renewals = {
  run(signal: AbortSignal): Promise<void>;
  /** Another visit renewed it just now. */
  renewed(machine: string): void;
};

/** Monotonic times. `renewedAt`: the last success, or, before one, since when this process has known the host. */
type Round = { renewedAt: DurationMs; nextAt: DurationMs; failures: number; told: boolean };

/** How often a host of this pool is renewed, ms: four times within dead_man. */
export function renewEvery(deadManMs: DurationMs): DurationMs {
  return Math.min(deadManMs / 4, RENEW_EVERY_MS);
}

const standing: ReadonlySet<string> = new Set(['ready', 'leased', 'draining']);

/** Takes a machine out of use: it is retired when nobody holds it, else it ends with its lease. */
function takeOutOfUse(deps: RenewDeps, id: string, code: ReasonCode, text: string): void {
  const machine = deps.store.machine(id);
  if (machine === null || !standing.has(machine.phase) || machine.ending !== null) return;
  deps.store.putMachine({ ...machine, ending: code });
  deps.journal({ code, pool: machine.pool, machine: id, lease: machine.lease, level: 'warn', text });
  deps.nudge();
}

/** max_machine_life may have been raised after the certificate was made. */
function checkCertificate(deps: RenewDeps, id: string): void {
  const tls = deps.store.machineTls(id);
  if (tls === null) return;
  const until = new X509Certificate(tls.cert).validToDate.getTime();
  if (until - deps.clock.now() >= CERTIFICATE_MARGIN_MS) return;
  takeOutOfUse(deps, id, 'max-life', `its certificate ends ${new Date(until).toISOString()}`);
}

/** When each host was renewed and is to be renewed next. */
function createRounds(deps: RenewDeps) {
  const { store, config, clock, random, journal } = deps;
  const startedAt = clock.now();
  const rounds = new Map<string, Round>();

  /** Spread by up to a quarter, so that hosts of one burst drift apart. */
  const spread = (everyMs: DurationMs) => everyMs * (0.75 + random.float() / 4);
  const deadManOf = (machine: Machine) => config.pool(machine.pool)?.deadManMs ?? null;

  function roundOf(machine: Machine, everyMs: DurationMs): Round {
    const known = rounds.get(machine.id);
    if (known !== undefined) return known;
    const now = clock.monotonic();
    const { readyAt } = machine;
    // Provisioning renewed what became ready under this process; an adopted host was taken as it stood.
    const isNew = readyAt !== null && readyAt >= startedAt && machine.hostKeys.length > 0;
    const renewedAt = isNew ? now - Math.max(0, clock.now() - readyAt) : now;
    const round = { renewedAt, nextAt: isNew ? renewedAt + spread(everyMs) : now, failures: 0, told: false };
    rounds.set(machine.id, round);
    return round;
  }

  function renewed(id: string): void {
    const machine = store.machine(id);
    if (machine === null) return;
    if (rounds.get(id)?.told === true) journal({ code: 'renewed', pool: machine.pool, machine: id });
    const renewedAt = clock.monotonic();
    const nextAt = renewedAt + spread(renewEvery(deadManOf(machine) ?? RENEW_EVERY_MS));
    rounds.set(id, { renewedAt, nextAt, failures: 0, told: false });
  }

  function failed(machine: Machine, deadManMs: DurationMs, why: string): void {
    const round = rounds.get(machine.id);
    if (round === undefined) return;
    const now = clock.monotonic();
    const failures = round.failures + 1;
    const pause = Math.min(RETRY_MS * 2 ** (failures - 1), renewEvery(deadManMs) / 4);
    const told = round.told || failures === TOLD_AFTER;
    rounds.set(machine.id, { ...round, failures, nextAt: now + pause, told });
    if (told && !round.told) {
      const text = `its dead-man timer was not renewed: ${why}`;
      journal({ code: 'renew-failed', pool: machine.pool, machine: machine.id, level: 'warn', text });
    }
    if (now - round.renewedAt < deadManMs / 2) return;
    takeOutOfUse(deps, machine.id, 'not-renewed', `not renewed for half of dead_man: ${why}`);
  }

  return {
    roundOf,
    renewed,
    failed,
    deadManOf,
    isDue: (id: string) => (rounds.get(id)?.nextAt ?? 0) <= clock.monotonic(),
    forgetUnless(stands: (id: string) => boolean): void {
      for (const id of rounds.keys()) if (!stands(id)) rounds.delete(id);
    },
  };
}

/** The renewals of one daemon. */
export function createRenewals(deps: RenewDeps): Renewals {
  const { store, clock } = deps;
  const rounds = createRounds(deps);
  const { deadManOf } = rounds;
  const underWay = new Set<string>();

  async function renew(machine: Machine, deadManMs: DurationMs, signal: AbortSignal): Promise<void> {
    try {
      await deps.visit(machine, clock.timeout(VISIT_LIMIT_MS, signal));
    } catch (error) {
      if (!signal.aborted) rounds.failed(machine, deadManMs, messageOf(error));
      return;
    }
    if (signal.aborted) return;
    rounds.renewed(machine.id);
    checkCertificate(deps, machine.id);
  }

  /** Machines whose time has come. Forgets those that no longer stand. */
  function seekDue(): Due<string>[] {
    const now = clock.monotonic();
    const due: Due<string>[] = [];
    rounds.forgetUnless((id) => standing.has(store.machine(id)?.phase ?? ''));
    for (const machine of store.machines()) {
      const deadManMs = standing.has(machine.phase) ? deadManOf(machine) : null;
      if (deadManMs === null || underWay.has(machine.id)) continue;
      const { nextAt } = rounds.roundOf(machine, renewEvery(deadManMs));
      if (nextAt <= now) due.push({ who: machine.id, at: nextAt });
    }
    return due;
  }
  const line = createDueLine(clock, QUIET_ROUND_MS, seekDue);

  /** Starts the visits of one round; false: nobody is due. In a line some seconds old another visit may have renewed a host. */
  function startDue(signal: AbortSignal): boolean {
    const taken = line.take(MAX_AT_ONCE - underWay.size);
    for (const id of taken) {
      const machine = store.machine(id);
      const deadManMs = machine !== null && standing.has(machine.phase) ? deadManOf(machine) : null;
      if (machine === null || deadManMs === null || underWay.has(id) || !rounds.isDue(id)) continue;
      underWay.add(id);
      void renew(machine, deadManMs, signal).finally(() => underWay.delete(id));
    }
    return taken.length > 0 || line.left() > 0;
  }

  return {
    renewed: rounds.renewed,
    async run(signal) {
      while (!signal.aborted) {
        const isBusy = startDue(signal);
        await clock.sleep(isBusy ? BUSY_ROUND_MS : QUIET_ROUND_MS, signal);
      }
    },
  };
}
