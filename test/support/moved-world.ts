// A live world whose daemon runs on a clock that the test moves, behind a gate: back-offs of minutes pass in milliseconds.
// Trap: certificates are made on the daemon's time and checked on real time; less than an hour may pass in all.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, openGate } from './ec2-gate.ts';
import { type LiveWorld, startWorld, type WorldOptions } from './live-world.ts';
import { createMovedClock, type MovedClock } from './moved-clock.ts';

/** A quiet daemon looks again after a few of these. */
const SECOND_MS = 1_000;
const LOOK_MS = 10;
const LOOKS_AT_MOST = 1_500;

export type MovedWorld = LiveWorld & {
  gate: Gate;
  clock: MovedClock;
  /** Lets this much time pass, and some seconds more in which the daemon looks at what is due and EC2 answers. */
  pass(ms: number): Promise<void>;
};

/** Starts emulator, gate and a daemon in this process. */
export async function startMovedWorld(
  options: Omit<WorldOptions, 'clock' | 'gate'> = {},
): Promise<MovedWorld> {
  const gate = await openGate();
  const clock = createMovedClock(Date.now());
  const world = await startWorld({ ...options, gate, clock });
  const { client } = world;

  async function soon(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
    for (let looks = 0; looks < LOOKS_AT_MOST; looks++) {
      if (await look()) return;
      await sleep(LOOK_MS);
    }
    throw new Error(`not seen after ${LOOKS_AT_MOST} looks: ${what}`);
  }

  /** Two ticks, and nothing is under way at EC2 after each. */
  async function settled(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const since = clock.now();
      await soon('a tick', async () => {
        if (Date.parse((await client.status()).last_tick ?? '') >= since) return true;
        clock.pass(SECOND_MS / 4);
        return false;
      });
      await soon('the answers of EC2', () => gate.calls().every((call) => call.status !== 0));
    }
  }

  return {
    ...world,
    gate,
    clock,
    async pass(ms) {
      clock.pass(ms);
      await settled();
    },
  };
}
