// The life of an instance: pending → running → shutting-down → terminated → forgotten. Its host answers later than
// EC2 says "running"; a terminated one stays listed for a while.
// Trap: several reasons may end an instance at once; the first one counts, the others find it ending.
import type { SimInstance } from './instance.ts';
import type { Timeline } from './timeline.ts';

/** All in milliseconds, counted from the launch (unseen, pending, boot) or from the end asked for (ending, shown). */
export type Timing = {
  /** Describe does not know the instance yet. */
  unseenMs: number;
  pendingMs: number;
  /** Until the host answers; not before it is running. */
  bootMs: number;
  /** shutting-down → terminated. */
  endingMs: number;
  /** How long a terminated instance stays listed. EC2: about an hour. */
  shownMs: number;
};

/** What befalls it on purpose (faults.ts). */
export type Fate = { neverBoots: boolean; stateReason: string | null };

/** Told of hosts that begin and cease to answer, and of instances that are gone. */
export type LifeEvents = {
  hostUp(instance: SimInstance): void;
  hostDown(instance: SimInstance): void;
  /** Terminated: address, capacity and spot request are free. */
  ended(instance: SimInstance): void;
};

export type Lives = {
  begin(instance: SimInstance, fate: Fate): void;
  /** Ends it for a reason with EC2's code; nothing if it is ending already. */
  end(instance: SimInstance, reason: { code: string; message: string }): void;
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

  const terminated = (instance: SimInstance): void => {
    instance.state = 'terminated';
    instance.terminatedAt = timeline.now();
    events.ended(instance);
    Object.assign(instance, { address: null, publicAddress: null });
    timeline.after(timing.shownMs, () => forget(instance));
  };

  const end: Lives['end'] = (instance, reason) => {
    if (instance.endingAt !== null) return;
    for (const off of timers.get(instance.id) ?? []) off();
    timers.delete(instance.id);
    instance.endingAt = timeline.now();
    instance.stateReason = reason;
    if (instance.hostUp) {
      instance.hostUp = false;
      events.hostDown(instance);
    }
    if (instance.state === 'pending' && reason.code.startsWith('Server.')) {
      // EC2 could not start it: there is nothing to shut down.
      terminated(instance);
      return;
    }
    instance.state = 'shutting-down';
    timeline.after(timing.endingMs, () => terminated(instance));
  };

  return {
    end,
    begin(instance, fate) {
      later(instance, timing.pendingMs, () => {
        if (fate.stateReason !== null) {
          end(instance, { code: fate.stateReason, message: `${fate.stateReason}: ended while pending` });
          return;
        }
        instance.state = 'running';
        if (instance.wantsPublic) instance.publicAddress = instance.address;
      });
      if (fate.neverBoots) return;
      later(instance, Math.max(timing.bootMs, timing.pendingMs), () => {
        timers.delete(instance.id);
        instance.hostUp = true;
        events.hostUp(instance);
      });
    },
  };
}
