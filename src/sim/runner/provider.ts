// The docker+machine provider of one section: what a poll does and picks, what a job gets, what becomes of a machine
// afterwards. It repeats the runner; it must not mend it.
import type { Fleet } from './fleet.ts';
import type { Line } from './line.ts';
import type { RunnerMachine } from './machine.ts';
import type { MachineCalls } from './machine-calls.ts';
import type { MachineNames } from './machine-names.ts';
import { createMachineSearch, type Made, PreparationFailed, type Waiting } from './machine-search.ts';
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

export type Provider = {
  /** What a poll does before it asks for a job. */
  acquire(idle: IdleNow): Promise<Acquired>;
  /** A machine with its address. Throws PreparationFailed. */
  use(held: RunnerMachine | null, waiting: Waiting): Promise<Host>;
  /** The job is done with it. */
  release(machine: RunnerMachine): void;
  /** The poll got no job for it. */
  putBack(machine: RunnerMachine): void;
  /** When time alone would first change what a poll does that did nothing at `since`; null: not at all. */
  nextChangeAt(idle: IdleNow, since: number): number | null;
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

type Offer = (machine: RunnerMachine) => void;

/** Makes a machine; `wanted`: whether a job waits for this very one. */
function createMaker(parts: ProviderParts, offer: Offer): (wanted: () => boolean) => Promise<Made | null> {
  const { section, fleet, calls, line, removal, now } = parts;

  const make = async (machine: RunnerMachine, wanted: () => boolean): Promise<Made | null> => {
    let made = false;
    await line.grow(section.maxGrowthRate, async () => {
      made = await calls.create(machine.name, section.token);
    });
    machine.usedAt = now();
    if (!made) {
      removal.begin(machine);
      return null;
    }
    const mine = wanted() && parts.ownFirst();
    if (mine) machine.state = 'acquired';
    else offer(machine);
    return { machine, mine };
  };

  return (wanted) => {
    // In the books before anything is awaited: the next claim counts on it.
    const work = make(fleet.add(parts.names.next(now()), now()), wanted);
    parts.creating(work);
    return work;
  };
}

export function createProvider(parts: ProviderParts): Provider {
  const { section, fleet, calls, line, process, removal, now } = parts;
  const list = (): readonly RunnerMachine[] => fleet.list(parts.names, now());
  const newestIdle = (machines: readonly RunnerMachine[]): RunnerMachine | undefined =>
    machines.findLast(({ state }) => state === 'idle');

  const offer: Offer = (machine) => {
    machine.state = 'idle';
    line.announce();
    parts.changed();
  };
  const create = createMaker(parts, offer);
  const search = createMachineSearch({ list, create, line, calls, removal, process });

  const release = (machine: RunnerMachine): void => {
    // No call ever for machines of a token that the file does not know any more.
    if (machine.state === 'removing' || !parts.current()) return;
    if (machine.state === 'used') machine.usedAt = now();
    if (isUsedUp(section, machine)) {
      removal.begin(machine);
      parts.changed();
    } else offer(machine);
  };

  return {
    release,
    putBack(machine) {
      machine.state = 'idle';
      // Nothing new to the polls after this one, unless somebody waits and may have missed the word.
      if (line.waiting() === 0) return;
      line.announce();
      parts.changed();
    },
    async acquire(idle) {
      const gone = removals(section, idle, list(), now());
      for (const machine of gone) removal.begin(machine);
      const creates = idleCreates(section, idle, countMachines(list()));
      for (let count = 0; count < creates; count += 1) void create(() => false);
      const newest = newestIdle(list());
      const asks = newest !== undefined && calls.reachableUntil(newest.name) === null;
      const machine = await search.findFree(true);
      const may = machine !== null || mayClaimWithout(section, idle, countMachines(list()));
      return { may, machine, did: gone.length > 0 || creates > 0 || asks };
    },
    async use(held, waiting) {
      // Dead or not, the one in hand stays picked until the job is over; then it is idle again.
      const good = held?.state === 'acquired' && (await calls.config(held.name, false));
      const machine = good ? held : await search.findOrMake(waiting);
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
    nextChangeAt(idle, since) {
      const machines = list();
      const newest = newestIdle(machines);
      const removedAt = nextRemovalAt(idle, machines, since);
      if (newest === undefined) return removedAt;
      const askedAt = calls.reachableUntil(newest.name) ?? since;
      return removedAt === null ? askedAt : Math.min(askedAt, removedAt);
    },
  };
}
