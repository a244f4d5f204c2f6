// The life of an instance: pending → running → shutting-down → terminated → forgotten, and running → stopping →
// stopped → pending again. Its host answers later than EC2 says "running"; a terminated one stays listed for a while.
// Trap: several reasons may end an instance at once; the first one counts, the others find it ending.
import type { SimInstance } from './instance.ts';
import type { Timeline } from './timeline.ts';

/** All in milliseconds, counted from the start (unseen, pending, boot), from the end asked for (ending, shown). */
export type Timing = {
  /** Describe does not know the instance, or the spot request, yet. */
  unseenMs: number;
  pendingMs: number;
  /** Until the host answers; not before it is running. */
  bootMs: number;
  /** shutting-down → terminated, stopping → stopped. */
  endingMs: number;
  /** How long a terminated instance stays listed. EC2: about an hour. */
  shownMs: number;
  /** From a spot request, or from a change that could serve one, until EC2 has looked at it. */
  evaluateMs: number;
};

/** What befalls it on purpose (faults.ts). */
export type Fate = { neverBoots: boolean; stateReason: string | null };

/** Told of hosts that begin and cease to answer, and of instances that are gone. */
export type LifeEvents = {
  hostUp(instance: SimInstance): void;
  hostDown(instance: SimInstance): void;
  /** Stopped: its capacity is free, its private address still its own. */
  stopped(instance: SimInstance): void;
  /** Its state is another one now. */
  changed?(instance: SimInstance): void;
  /** Terminated: address, capacity and spot request are free. */
  ended(instance: SimInstance): void;
};

type Reason = { code: string; message: string };

export type Lives = {
  begin(instance: SimInstance, fate: Fate): void;
  /** Ends it for a reason with EC2's code; nothing if it is ending already. */
  end(instance: SimInstance, reason: Reason): void;
  /** Stops a running one; nothing for others. */
  stop(instance: SimInstance, reason: Reason): void;
  /** Starts a stopped one; nothing for others. */
  start(instance: SimInstance, fate: Fate): void;
};

/** `forget` is called when EC2 no longer lists an instance. */
export function createLives(
  world: { timeline: Timeline; timing: Timing; events: LifeEvents },
  forget: (instance: SimInstance) => void,
): Lives {
  const { timeline, timing, events } = world;
  const timers = new Map<string, (() => void)[]>();

  const later = (instance: SimInstance, ms: number, work: () => void): void => {
    timers.set(instance.id, [...(timers.get(instance.id) ?? []), timeline.after(ms, work)]);
  };

  /** Nothing that was to come comes; the host is silent. */
  const powerOff = (instance: SimInstance): void => {
    for (const off of timers.get(instance.id) ?? []) off();
    timers.delete(instance.id);
    if (!instance.hostUp) return;
    instance.hostUp = false;
    events.hostDown(instance);
  };

  const terminated = (instance: SimInstance): void => {
    instance.state = 'terminated';
    instance.terminatedAt = timeline.now();
    events.changed?.(instance);
    events.ended(instance);
    Object.assign(instance, { address: null, publicAddress: null });
    timeline.after(timing.shownMs, () => forget(instance));
  };

  const end: Lives['end'] = (instance, reason) => {
    if (instance.endingAt !== null) return;
    const now = timeline.now();
    instance.endingAt = now;
    instance.stateReason = { ...reason, at: now };
    powerOff(instance);
    if (instance.state === 'pending' && reason.code.startsWith('Server.')) {
      // EC2 could not start it: there is nothing to shut down.
      terminated(instance);
      return;
    }
    instance.state = 'shutting-down';
    events.changed?.(instance);
    timeline.after(timing.endingMs, () => terminated(instance));
  };

  const powerOn = (instance: SimInstance, fate: Fate): void => {
    later(instance, timing.pendingMs, () => {
      if (fate.stateReason !== null) {
        end(instance, { code: fate.stateReason, message: `${fate.stateReason}: ended while pending` });
        return;
      }
      instance.state = 'running';
      events.changed?.(instance);
      if (instance.wantsPublic) instance.publicAddress = instance.address;
    });
    if (fate.neverBoots) return;
    later(instance, Math.max(timing.bootMs, timing.pendingMs), () => {
      timers.delete(instance.id);
      instance.hostUp = true;
      events.hostUp(instance);
    });
  };

  return {
    end,
    begin: powerOn,
    stop(instance, reason) {
      if (instance.state !== 'running') return;
      instance.stateReason = { ...reason, at: timeline.now() };
      instance.state = 'stopping';
      events.changed?.(instance);
      powerOff(instance);
      later(instance, timing.endingMs, () => {
        timers.delete(instance.id);
        instance.state = 'stopped';
        events.changed?.(instance);
        instance.publicAddress = null;
        events.stopped(instance);
      });
    },
    start(instance, fate) {
      if (instance.state !== 'stopped') return;
      Object.assign(instance, { state: 'pending', stateReason: null, startedAt: timeline.now() });
      powerOn(instance, fate);
    },
  };
}
