// `docker-machine create` of the door: asks the daemon for a lease, waits, writes the folder, commits, renames. The same steps
// in the same order as the real one, so that a kill between any two of them leaves the same things behind.
// Trap: the connection that asked stays open until the process ends; its close is how the daemon learns of a death.
import type { LeaseEvent, LeaseRequest } from '../../contract/api.ts';
import { formatHealth, HEALTH, MARK, parseHealth } from '../../contract/store-layout.ts';
import { HostlerError } from '../../domain/error.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import type { LeaseConnection } from '../../service/door-connections.ts';
import type { UseCases } from '../../service/use-cases.ts';
import type { Timeline } from '../../sim/timeline.ts';
import { type DoorProcess, DoorRefused } from './door-process.ts';
import type { MachineFolder, StoreFolder } from './store-folder.ts';

/** How long an absent daemon is waited for, and a create in all (doors/docker-machine/create.cjs). */
const CREATE_WAIT_MS: DurationMs = 10 * MINUTE_MS;
const LONGEST_WAIT_MS: DurationMs = 55 * MINUTE_MS;
/** A message over the socket, a folder of seven small files. */
const SOCKET_MS: DurationMs = 2;
const WRITE_MS: DurationMs = 5;

export type DaemonSocket = {
  /** The daemon that listens now, or null. `onEnd`: its connections break. */
  open(): { useCases: UseCases; onEnd(told: () => void): void; isAlive(): boolean } | null;
};

export type CreateParts = { timeline: Timeline; folder: StoreFolder; socket: DaemonSocket };

type Grant = Extract<LeaseEvent, { event: 'granted' }>;
type Answer = { grant: Grant } | { away: true };

/** Codes that mean: the same request again in a moment, at the next daemon. */
const passing: ReadonlySet<string> = new Set(['daemon-away', 'daemon-stopping']);

/** Asks once and listens until the daemon grants, refuses or is gone. */
function ask(
  parts: CreateParts,
  door: DoorProcess,
  request: LeaseRequest,
  heard: () => void,
): Promise<Answer> {
  const { timeline, socket } = parts;
  const daemon = socket.open();
  if (daemon === null) return Promise.resolve({ away: true });
  return new Promise((resolve, reject) => {
    let isOpen = true;
    const closers: (() => void)[] = [];
    const close = () => {
      if (!isOpen) return;
      isOpen = false;
      timeline.after(SOCKET_MS, () => {
        if (daemon.isAlive()) for (const tell of closers.splice(0)) tell();
      });
    };
    const arrive = (event: LeaseEvent) => {
      if (!door.isAlive()) return;
      heard();
      if (event.event === 'granted') resolve({ grant: event });
      else if (event.event === 'failed' && passing.has(event.code)) resolve({ away: true });
      else if (event.event === 'failed') reject(new DoorRefused(event.code));
    };
    const connection: LeaseConnection = {
      send(event) {
        if (isOpen) timeline.after(SOCKET_MS, () => arrive(event));
      },
      end() {
        timeline.after(SOCKET_MS, () => {
          isOpen = false;
          if (door.isAlive()) resolve({ away: true });
        });
      },
      onClosed: (closed) => void closers.push(closed),
    };
    door.onEnd(close);
    daemon.onEnd(() => {
      isOpen = false;
      if (door.isAlive()) timeline.after(SOCKET_MS, () => resolve({ away: true }));
    });
    try {
      daemon.useCases.assertOpen();
      daemon.useCases.openLease(request, connection).catch((error: unknown) => {
        if (daemon.isAlive()) timeline.after(SOCKET_MS, () => reject(refusalOf(error)));
      });
    } catch (error) {
      resolve(error instanceof HostlerError && passing.has(error.code) ? { away: true } : { away: true });
    }
  });
}

function refusalOf(error: unknown): DoorRefused {
  return new DoorRefused(error instanceof HostlerError ? error.code : 'internal');
}

/** The folder that a grant's files make. */
function folderOf({ files, url, machine }: Grant, madeAt: number): MachineFolder {
  const [markedUrl = url] = (files[MARK] ?? '').split('\n');
  return {
    url: markedUrl,
    machine,
    ca: files['ca.pem'] ?? '',
    health: parseHealth(files[HEALTH] ?? formatHealth({ kind: 'ok', until: 0 })),
    madeAt,
  };
}

/** Waits for an absent daemon as long as it is useful. */
function createPatience(timeline: Timeline, door: DoorProcess) {
  const begun = timeline.now();
  let since = begun;
  let delay = 50;
  return {
    heard() {
      since = timeline.now();
      delay = 50;
    },
    async wait() {
      const now = timeline.now();
      if (now - since > CREATE_WAIT_MS || now - begun > LONGEST_WAIT_MS) throw new DoorRefused('daemon-away');
      delay = Math.min(delay * 2, SECOND_MS);
      await door.pause(delay);
    },
  };
}

/** Tells the daemon that the folder is written: `ours`, or `again` when it forgot the lease. */
async function commit(
  { socket }: CreateParts,
  door: DoorProcess,
  name: string,
  wait: () => Promise<void>,
): Promise<'ours' | 'again'> {
  for (;;) {
    const daemon = socket.open();
    if (daemon !== null) {
      let said: 'ours' | 'again' | 'away' | 'gone' | 'failed' = 'ours';
      try {
        daemon.useCases.assertOpen();
        daemon.useCases.commitLease(name);
      } catch (error) {
        const code = error instanceof HostlerError ? error.code : 'internal';
        if (!daemon.isAlive() || passing.has(code)) said = 'away';
        else if (code === 'not-found') said = 'again';
        else said = code === 'lease-gone' ? 'gone' : 'failed';
      }
      const isHeard = daemon.isAlive();
      await door.pause(SOCKET_MS);
      if (said === 'again') return 'again';
      if (said === 'gone' || said === 'failed') throw new DoorRefused(said);
      if (said === 'ours' && isHeard && daemon.isAlive()) return 'ours';
    }
    await wait();
  }
}

/** The whole of it; true = the folder stands. Throws DoorRefused with the half-made folder removed. */
export async function createLease(
  parts: CreateParts,
  door: DoorProcess,
  request: LeaseRequest,
): Promise<boolean> {
  const { folder, timeline } = parts;
  const { name } = request;
  const standing = folder.machines.get(name);
  if (standing?.health?.kind === 'gone') folder.machines.delete(name);
  else if (standing !== undefined) throw new DoorRefused('it exists already');
  const patience = createPatience(timeline, door);
  let isWritten = false;
  try {
    for (;;) {
      const answer = await ask(parts, door, request, patience.heard);
      door.point();
      if ('away' in answer) {
        await patience.wait();
        continue;
      }
      await door.pause(WRITE_MS);
      folder.halfMade.set(name, folderOf(answer.grant, timeline.now()));
      isWritten = true;
      if ((await commit(parts, door, name, patience.wait)) === 'again') continue;
      door.point();
      const made = folder.halfMade.get(name);
      if (made === undefined) throw new DoorRefused('its half-made folder was removed');
      folder.halfMade.delete(name);
      folder.machines.set(name, made);
      folder.changed();
      await door.pause(SOCKET_MS);
      return true;
    }
  } catch (error) {
    if (error instanceof DoorRefused && isWritten) folder.halfMade.delete(name);
    throw error;
  }
}
