// What end-to-end tests wait for again and again, read over the daemon's socket.
import type { LeaseReply, MachineReply } from '../../src/contract/api.ts';
import type { EventQuery } from '../../src/contract/client.ts';
import type { LiveWorld, Ran } from './live-world.ts';
import type { MovedClock } from './moved-clock.ts';

/** Resolves when the daemon has exactly this many machines and all are ready to be handed over. */
export function awaitReady(world: LiveWorld, count: number): Promise<readonly MachineReply[]> {
  return world.until(`${count} ready machines and no other`, async () => {
    const machines = await world.client.machines();
    return machines.length === count && machines.every(({ phase }) => phase === 'ready') && machines;
  });
}

/** Resolves with the leases that a runner holds when there are this many or more. */
export function awaitHeld(world: LiveWorld, count: number): Promise<LeaseReply[]> {
  return world.until(`${count} held leases`, async () => {
    const held = (await world.client.leases()).filter(({ state }) => state === 'held' || state === 'busy');
    return held.length >= count && held;
  });
}

/** Resolves with the creates that wait, in the order of their places, when there are exactly this many. */
export function awaitWaiting(world: LiveWorld, count: number): Promise<LeaseReply[]> {
  return world.until(`${count} waiting creates`, async () => {
    const waiting = (await world.client.leases()).filter(({ place }) => place !== null);
    return waiting.length === count && waiting.toSorted((a, b) => (a.place ?? 0) - (b.place ?? 0));
  });
}

/** Resolves when EC2 has no instance any more; the daemon sees that some seconds later. */
export function awaitNoInstance(world: LiveWorld): Promise<boolean> {
  return world.until('no instance', () => world.alive().length === 0);
}

/** Codes of the history, oldest first. */
export async function codesOf(world: LiveWorld, query: EventQuery = {}): Promise<string[]> {
  return (await world.client.events({ limit: 1_000, ...query })).map(({ code }) => code);
}

/** What failed of many calls, in words; empty when all exited with 0. */
export function failures(answers: readonly (Ran | undefined)[]): string[] {
  return answers.flatMap((answer) => (answer?.code === 0 ? [] : [answer?.stderr ?? 'no answer']));
}

/** Lets the daemon's time pass to `moment`, and a little beyond, until a round with a fresh view of EC2 had nothing to do. */
export async function settleAt(world: LiveWorld, clock: MovedClock, moment: number): Promise<void> {
  clock.passTo(moment);
  await clock.hurry(() =>
    world.until('a quiet round with a fresh view', async () => {
      const { sources } = await world.client.status();
      const plan = await world.client.plan();
      const isFresh = sources.every(({ state, age_s }) => state === 'fresh' && (age_s ?? 0) < 60);
      return isFresh && Date.parse(plan.at ?? '') >= moment && plan.actions.length === 0;
    }),
  );
}
