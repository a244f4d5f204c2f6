// The docker+machine provider of one section: what a poll picks, how a job gets a machine, what becomes of it afterwards.
// Trap: a machine and the job it was made for are not bound. Whoever looks first takes the newest free one; a job that
// looks in vain waits for the next word without a new create, as the runner's does.
import type { Fleet } from './fleet.ts';
import type { Line } from './line.ts';
import type { RunnerMachine } from './machine.ts';
import type { MachineCalls } from './machine-calls.ts';
import type { MachineNames } from './machine-names.ts';
import type { RunnerProcess } from './process.ts';
import type { Removal } from './removal.ts';
import type { IdleNow, SectionSettings } from './runner-settings.ts';
import { countMachines, idleCreates, isUsedUp, mayClaimWithout, nextRemovalAt, removals } from './scaling.ts';

export type Acquired = {
  /** Whether the runner may ask GitLab for a job. */
  may: boolean;
  /** In hand for that job. */
  machine: RunnerMachine | null;
  /** It made, removed or asked something: the next poll may find more to do. */
  did: boolean;
};

export type Host = { machine: RunnerMachine; url: string };

/** Told how a job's wait goes on: whether its own create runs, whether it stands in line. */
export type Waiting = { making(yes: boolean): void; inLine(yes: boolean): void };

export type Provider = {
  /** What a poll does before it asks for a job. */
  acquire(idle: IdleNow): Promise<Acquired>;
  /** A machine with its address. Throws when this preparation has failed. */
  use(held: RunnerMachine | null, waiting: Waiting): Promise<Host>;
  /** The job is done with it. */
  release(machine: RunnerMachine): void;
  /** The poll got no job for it. */
  putBack(machine: RunnerMachine): void;
  /** When time alone would next change what a poll does; null: not at all. */
  nextChangeAt(idle: IdleNow): number | null;
};

export type ProviderParts = {
  section: SectionSettings;
  names: MachineNames;
  line: Line;
  fleet: Fleet;
  calls: MachineCalls;
  removal: Removal;
  process: RunnerProcess;
  now(): number;
  /** Whether the runner's file still names this section's token. */
  current(): boolean;
  /** Whether a job hears of its own create before anybody is told. */
  ownFirst(): boolean;
  /** Something changed that a poll may act on. */
  changed(): void;
  /** A create is under way. */
  creating(work: Promise<unknown>): void;
};

/** Creates inside one preparation, and the pause after each that failed. */
const TRIES = 3;
const RETRY_MS = 1_000;

/** A preparation that has failed; the runner tries again or gives the job up. */
export class PreparationFailed extends Error {}

export function createProvider(parts: ProviderParts): Provider {
  const { section, fleet, calls, line, process, removal, now } = parts;
  const list = (): readonly RunnerMachine[] => fleet.list(parts.names, now());

  const offer = (machine: RunnerMachine): void => {
    machine.state = 'idle';
    line.announce();
    parts.changed();
  };

  /** Null: it failed. `mine`: handed to the job that asked for it before anybody heard of it; else idle and told. */
  const make = async (
    machine: RunnerMachine,
    own: boolean,
  ): Promise<{ machine: RunnerMachine; mine: boolean } | null> => {
    let made = false;
    await line.grow(section.maxGrowthRate, async () => {
      made = await calls.create(machine.name, section.token);
    });
    machine.usedAt = now();
    if (!made) {
      removal.begin(machine);
      return null;
    }
    const mine = own && parts.ownFirst();
    if (mine) machine.state = 'acquired';
    else offer(machine);
    return { machine, mine };
  };
  const create = (own: boolean): ReturnType<typeof make> => {
    const work = make(fleet.add(parts.names.next(now()), now()), own);
    parts.creating(work);
    return work;
  };

  /** Newest first; one that does not answer is removed. */
  const findFree = async (cached: boolean): Promise<RunnerMachine | null> => {
    for (const machine of list().toReversed()) {
      if (machine.state !== 'idle') continue;
      machine.state = 'acquired';
      if (await calls.config(machine.name, cached)) return machine;
      removal.begin(machine);
    }
    return null;
  };

  /** A create of its own beside a place in the line: whichever brings a machine first. */
  const makeOne = async (waiting: Waiting): Promise<RunnerMachine> => {
    let outcome: Awaited<ReturnType<typeof create>> | undefined;
    let known = false;
    waiting.making(true);
    const own = create(true).then((made) => {
      outcome = made;
      waiting.making(false);
    });
    for (;;) {
      const place = line.wait();
      waiting.inLine(true);
      await (outcome === undefined ? Promise.race([own, place.called]) : place.called);
      waiting.inLine(false);
      if (place.heard()) {
        const found = await findFree(false);
        if (found !== null) return found;
      }
      place.leave();
      if (outcome === undefined || known) continue;
      known = true;
      if (outcome === null) throw new PreparationFailed('create failed');
      if (outcome.mine) return outcome.machine;
    }
  };

  const findOrMake = async (waiting: Waiting): Promise<RunnerMachine> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const idle = list().some(({ state }) => state === 'idle');
        return (idle ? await findFree(false) : null) ?? (await makeOne(waiting));
      } catch (error) {
        // The pause comes after the last try, too.
        await process.sleep(RETRY_MS);
        if (attempt === TRIES) throw error;
      }
    }
  };

  const release = (machine: RunnerMachine): void => {
    if (machine.state === 'removing') return;
    // No call ever for machines of a token that the file does not know any more.
    if (!parts.current()) return;
    if (machine.state === 'used') machine.usedAt = now();
    if (isUsedUp(section, machine)) {
      removal.begin(machine);
      parts.changed();
    } else offer(machine);
  };

  return {
    release,
    putBack(machine) {
      // Nothing new to a poll that comes after this one, unless somebody waits and may have missed the word.
      machine.state = 'idle';
      if (line.waiting() === 0) return;
      line.announce();
      parts.changed();
    },
    async acquire(idle) {
      const gone = removals(section, idle, list(), now());
      for (const machine of gone) removal.begin(machine);
      const creates = idleCreates(section, idle, countMachines(list()));
      for (let count = 0; count < creates; count += 1) void create(false);
      const newest = list().findLast(({ state }) => state === 'idle');
      const cached = newest === undefined || calls.reachableUntil(newest.name) !== null;
      const machine = await findFree(true);
      const may = machine !== null || mayClaimWithout(section, idle, countMachines(list()));
      return { may, machine, did: gone.length > 0 || creates > 0 || !cached };
    },
    async use(held, waiting) {
      // Dead or not, the one in hand stays picked until the job is over; then it is idle again.
      const good = held?.state === 'acquired' && (await calls.config(held.name, false));
      const machine = good ? held : await findOrMake(waiting);
      const url = (await calls.config(machine.name, false)) ? await calls.url(machine.name) : null;
      if (url === null || !(await calls.storePath(machine.name))) {
        if (machine !== held) release(machine);
        throw new PreparationFailed('no way to the Docker host');
      }
      machine.state = 'used';
      machine.usedAt = now();
      machine.builds += 1;
      return { machine, url };
    },
    nextChangeAt(idle) {
      const machines = list();
      const newest = machines.findLast(({ state }) => state === 'idle');
      const asked = newest === undefined ? null : calls.reachableUntil(newest.name);
      const removal = nextRemovalAt(idle, machines, now());
      return asked === null || removal === null ? (asked ?? removal) : Math.min(asked, removal);
    },
  };
}
