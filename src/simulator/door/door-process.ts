// One call of bin/docker-machine as a process: it takes time to start, can be killed anywhere, leaves soon after its parent's
// end, and ignores every other signal, as the real door does.
// Trap: what it has done to the folder stays done when it is killed; its connections break.
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { ToolCall } from '../../sim/runner/machine-tool.ts';
import type { Timeline } from '../../sim/timeline.ts';

/** A look at the parent each half second; gone within 2 s (design §4). */
const PARENT_LOOK_MS: DurationMs = SECOND_MS / 2;

export type DoorProcess = {
  isAlive(): boolean;
  /** Resolves after `ms`, never when the process has ended by then. */
  pause(ms: DurationMs): Promise<void>;
  /** A place where the process may be killed; throws then. */
  point(): void;
  /** Called once at its end, whichever way. */
  onEnd(told: () => void): void;
};

/** Thrown inside a door that has ended: nothing of it goes on. */
export class DoorEnded extends Error {}

/** A no of the door itself: its exit code is 1. */
export class DoorRefused extends Error {}

export type DoorParts = {
  timeline: Timeline;
  /** Ms after which this call is killed, or null: asked once a call. */
  killedAfter(verb: string): DurationMs | null;
};

/**
 * Runs `work` as a door process; what it answers, or `failed` when it ended otherwise. `onGiveUp`: it leaves by itself, because
 * its parent is gone.
 */
export function runDoor<T>(
  parts: DoorParts,
  order: { verb: string; startMs: DurationMs; call: ToolCall; failed: T },
  work: (door: DoorProcess) => Promise<T>,
): Promise<T> {
  const { timeline, killedAfter } = parts;
  const { verb, startMs, call, failed } = order;
  return new Promise((resolve, reject) => {
    let isAlive = true;
    const told: (() => void)[] = [];
    const end = (answer: T) => {
      if (!isAlive) return;
      isAlive = false;
      for (const off of ends) off();
      for (const tell of told.splice(0)) tell();
      resolve(answer);
    };
    const ends = [
      call.onSignal((signal) => {
        if (signal === 'KILL') end(failed);
      }),
      call.onParentGone(() => {
        // A runner's `rm` and the rest are over in milliseconds; only a create waits.
        const callOff = timeline.after(PARENT_LOOK_MS, () => end(failed));
        ends.push(callOff);
      }),
    ];
    const killMs = killedAfter(verb);
    if (killMs !== null) ends.push(timeline.after(killMs, () => end(failed)));
    const door: DoorProcess = {
      isAlive: () => isAlive,
      pause: (ms) =>
        new Promise((go) => {
          timeline.after(ms, () => {
            if (isAlive) go();
          });
        }),
      point() {
        if (!isAlive) throw new DoorEnded('this door has ended');
      },
      onEnd: (tell) => void told.push(tell),
    };
    timeline.after(startMs, () => {
      if (!isAlive) return;
      work(door).then(end, (error: unknown) => {
        if (error instanceof DoorEnded) return;
        if (error instanceof DoorRefused) end(failed);
        else reject(error);
      });
    });
  });
}
