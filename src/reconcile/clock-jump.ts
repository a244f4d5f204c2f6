// The clock of this machine may be set: by hand, by NTP at last, by a suspension that the monotonic clock did not count.
// Lengths of time must stay what they were, so everything stored as a moment moves along; and for one IdleTime nothing is
// retired by policy, since nobody knows which of the two clocks was right.
// Trap: a jump while the daemon was away cannot be seen; only running lengths are protected.
import type { Config, Schedule } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, type EpochMs, MINUTE_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';

/** Wall and monotonic clock may differ by this much between ticks; more is a jump (design §5). */
const JUMP_MS: DurationMs = 5 * MINUTE_MS;
/** With an IdleTime of nothing retirements still wait for two full listings. */
const LEAST_FREEZE_MS: DurationMs = 3 * MINUTE_MS;

function longestIdle({ base, periods }: Schedule): DurationMs {
  return Math.max(base.idleTimeMs, ...periods.map(({ idleTimeMs }) => idleTimeMs));
}

export type JumpWatch = {
  /** Looks at both clocks. The jump since the last look in ms, 0 = none. */
  look(config: Config): DurationMs;
  /** Retirements are frozen until then; 0 = they never were. */
  frozenUntil(): EpochMs;
};

/** Compares both clocks from look to look. */
export function createJumpWatch(clock: Clock): JumpWatch {
  let wall = clock.now();
  let steady = clock.monotonic();
  let frozenUntil: EpochMs = 0;
  return {
    frozenUntil: () => frozenUntil,
    look({ pools }) {
      const [now, monotonic] = [clock.now(), clock.monotonic()];
      const jump = Math.round(now - wall - (monotonic - steady));
      wall = now;
      steady = monotonic;
      if (Math.abs(jump) <= JUMP_MS) return 0;
      frozenUntil =
        now + Math.max(LEAST_FREEZE_MS, ...pools.map(({ ownSchedule }) => longestIdle(ownSchedule)));
      return jump;
    },
  };
}

const moved = (at: EpochMs, by: DurationMs): EpochMs => at + by;
const movedOr = (at: EpochMs | null, by: DurationMs): EpochMs | null => (at === null ? null : at + by);

function movedMachine(machine: Machine, by: DurationMs): Machine {
  return {
    ...machine,
    since: moved(machine.since, by),
    createdAt: moved(machine.createdAt, by),
    readyAt: movedOr(machine.readyAt, by),
    idleSince: movedOr(machine.idleSince, by),
    endAskedAt: movedOr(machine.endAskedAt, by),
  };
}

function movedLease(lease: Lease, by: DurationMs): Lease {
  return {
    ...lease,
    since: moved(lease.since, by),
    grantedAt: movedOr(lease.grantedAt, by),
    heldAt: movedOr(lease.heldAt, by),
    urlAt: movedOr(lease.urlAt, by),
    configAt: movedOr(lease.configAt, by),
    containersAt: movedOr(lease.containersAt, by),
    lookedAt: movedOr(lease.lookedAt, by),
    jobs: lease.jobs.map((job) => ({ ...job, seenAt: moved(job.seenAt, by) })),
  };
}

/** Moves every stored moment by `by` ms, in one transaction. */
export function moveTimes(store: Store, by: DurationMs): void {
  store.transaction(() => {
    for (const machine of store.machines()) store.putMachine(movedMachine(machine, by));
    for (const lease of store.leases()) store.putLease(movedLease(lease, by));
    for (const launch of store.launches()) store.putLaunch({ ...launch, at: moved(launch.at, by) });
    for (const rest of store.rests())
      store.putRest({ ...rest, since: moved(rest.since, by), until: moved(rest.until, by) });
  }, 'crash');
}
