// The doors that are being served: one connection a lease name, with when it asked and when it last heard from us. All
// times are monotonic.
import type { LeaseEvent } from '../contract/api.ts';
import type { DurationMs } from '../domain/units.ts';

/** The way to one door. `closed` is called once, when the door or its process is gone. */
export type LeaseConnection = {
  send(event: LeaseEvent): void;
  end(): void;
  onClosed(closed: () => void): void;
};

type Served = { connection: LeaseConnection; pid: number; askedAt: DurationMs; heardAt: DurationMs };

export type DoorConnections = {
  /** `pid`: the door's process. */
  add(name: string, connection: LeaseConnection, door: { pid: number; now: DurationMs }): void;
  has(name: string): boolean;
  /** True when the door that is served for NAME is that process. */
  isFrom(name: string, pid: number): boolean;
  is(name: string, connection: LeaseConnection): boolean;
  askedAt(name: string): DurationMs | null;
  heardAt(name: string): DurationMs | null;
  send(name: string, event: LeaseEvent, now: DurationMs): void;
  /** Forgets the door; says the last word and hangs up unless the door is gone. */
  finish(name: string, lastWord: LeaseEvent | null): void;
  forget(name: string): void;
};

/** No doors yet. */
export function createDoorConnections(): DoorConnections {
  const served = new Map<string, Served>();
  return {
    add: (name, connection, { pid, now }) =>
      void served.set(name, { connection, pid, askedAt: now, heardAt: now }),
    has: (name) => served.has(name),
    isFrom: (name, pid) => served.get(name)?.pid === pid,
    is: (name, connection) => served.get(name)?.connection === connection,
    askedAt: (name) => served.get(name)?.askedAt ?? null,
    heardAt: (name) => served.get(name)?.heardAt ?? null,
    send(name, event, now) {
      const door = served.get(name);
      if (door === undefined) return;
      door.heardAt = now;
      door.connection.send(event);
    },
    finish(name, lastWord) {
      const door = served.get(name);
      served.delete(name);
      if (door === undefined) return;
      if (lastWord !== null) door.connection.send(lastWord);
      door.connection.end();
    },
    forget: (name) => void served.delete(name),
  };
}
