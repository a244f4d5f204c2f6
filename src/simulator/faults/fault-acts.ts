// What each fault does to the stage at its moment. True when it hit something.
// Must only do what the world could do: no fault reaches into hostler's memory.
import type { Config } from '../../domain/config.ts';
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import type { Seeded } from '../../sim/seeded.ts';
import type { HostTrouble, SimHost } from '../hosts/sim-host.ts';
import type { Stage } from '../run/stage.ts';
import type { FaultName } from './fault-names.ts';
import type { FaultPlan } from './fault-plan.ts';
import { advise, calmMarket, movePrices, type Places, reclaim, shrinkQuota } from './spot-acts.ts';

/** What lasts for a while, for the hooks of the stage to ask. */
export type Spells = { deafUntil: number; unreadableUntil: number; crashIn: number | null };

export type ActParts = {
  stage: Stage;
  plan: FaultPlan;
  spells: Spells;
  /** Types and zones that the pools use. */
  places: Places;
  /** The configuration with the next token. */
  nextToken(): Config;
};

/** A stop that takes longer than the longest jobs is ended by force. */
const SUPERVISOR_MS: DurationMs = 40 * MINUTE_MS;

type Act = (parts: ActParts, random: Seeded) => boolean;

function between(random: Seeded, from: DurationMs, to: DurationMs): DurationMs {
  return from + (to - from) * random.float();
}

function oneOf<T>(random: Seeded, list: readonly T[]): T | undefined {
  return list[Math.floor(random.float() * list.length)];
}

/** A host that has power; one with a job more often than not. */
function anyHost({ stage }: ActParts, random: Seeded): SimHost | undefined {
  const hosts = [...stage.park.all()].filter(({ troubles }) => troubles.size === 0);
  const busy = hosts.filter(({ instance }) => stage.jobHosts.jobsOn(instance.id).length > 0);
  return oneOf(random, busy.length > 0 && random.float() < 0.5 ? busy : hosts);
}

/** Goes wrong with one host, for a while or for good. */
function afflictFor(parts: ActParts, random: Seeded, trouble: HostTrouble): boolean {
  const host = anyHost(parts, random);
  if (host === undefined) return false;
  host.afflict(trouble);
  if (random.float() < 0.5)
    parts.stage.timeline.after(between(random, 20 * SECOND_MS, 10 * MINUTE_MS), () => host.heal(trouble));
  return true;
}

function drought({ stage }: ActParts, forMs: DurationMs, places: Places): boolean {
  const { capacity } = stage.world;
  for (const place of places) capacity.set({ ...place, market: null }, 0);
  stage.timeline.after(forMs, () => {
    for (const place of places) capacity.set({ ...place, market: null }, null);
  });
  return places.length > 0;
}

/** One zone of those that the pools use: no host of it answers, no machine comes. */
function outage(parts: ActParts, random: Seeded): boolean {
  const { stage, places } = parts;
  const forMs = between(random, MINUTE_MS, 12 * MINUTE_MS);
  const zone = oneOf(random, places)?.zone;
  const hosts = [...stage.park.all()].filter(
    ({ troubles, instance }) => !troubles.has('mute') && instance.zone === zone,
  );
  for (const host of hosts) host.afflict('mute');
  stage.timeline.after(forMs, () => {
    for (const host of hosts) host.heal('mute');
  });
  const inZone = places.filter((place) => place.zone === zone);
  return drought(parts, forMs, inZone) && hosts.length > 0;
}

function vanish(parts: ActParts, random: Seeded): boolean {
  const host = anyHost(parts, random);
  if (host === undefined) return false;
  parts.stage.world.region(host.instance.zone.slice(0, -1)).unaskedEnds.hostOff(host.instance);
  return true;
}

/** Ends the daemon, does something to its disk, starts it again. */
function endDaemon({ stage }: ActParts, random: Seeded, work: () => void): boolean {
  if (!stage.daemon.isUp()) return false;
  stage.daemon.crash(null);
  work();
  stage.timeline.after(between(random, SECOND_MS, 90 * SECOND_MS), () => stage.daemon.start());
  return true;
}

/** Stops the runner and starts it again a while later. */
function stopRunner(
  parts: ActParts,
  random: Seeded,
  how: { signal: 'TERM' | 'QUIT' | 'KILL'; group: boolean },
): boolean {
  const { stage } = parts;
  if (!stage.runner.alive()) return false;
  const again = () =>
    stage.timeline.after(between(random, 2 * SECOND_MS, MINUTE_MS), () => stage.runner.start());
  let isOver = false;
  void stage.runner.stop(how.signal, how.group ? 'group' : 'process').then(() => {
    isOver = true;
    stage.jobHosts.runnerEnded();
    again();
  });
  // A job that waits without end would keep it for ever (facts F); its supervisor does not.
  stage.timeline.after(SUPERVISOR_MS, () => {
    if (!isOver) void stage.runner.stop('KILL', 'process');
  });
  return true;
}

const acts: Partial<Record<FaultName, Act>> = {
  'capacity-drought': (parts, random) => {
    const forMs = between(random, 2 * MINUTE_MS, 30 * MINUTE_MS);
    const isWhole = random.float() < 0.5;
    return drought(
      parts,
      forMs,
      parts.places.filter(() => isWhole || random.float() < 0.7),
    );
  },
  'zone-outage': outage,
  'spot-reclaim': ({ stage }, random) => reclaim(stage, random),
  'spot-advice': ({ stage }, random) => advise(stage, random),
  'spot-prices': ({ stage, places }, random) => movePrices(stage, random, places),
  'spot-quota': ({ stage }, random) => shrinkQuota(stage, random),
  'host-vanishes': vanish,
  'host-silent': (parts, random) => afflictFor(parts, random, 'mute'),
  'docker-dies': (parts, random) => {
    const host = anyHost(parts, random);
    host?.afflict('docker-dies');
    return host !== undefined;
  },
  'host-fills-up': (parts, random) => {
    const host = anyHost(parts, random);
    host?.afflict(oneOf(random, ['disk-spare', 'disk-caches', 'disk-full'] as const) ?? 'disk-full');
    return host !== undefined;
  },
  'gitlab-away': ({ stage }, random) => {
    stage.gitlab.weather.awayUntil(stage.timeline.now() + between(random, MINUTE_MS, 15 * MINUTE_MS));
    return true;
  },
  'gitlab-slow': ({ stage }, random) => {
    const until = stage.timeline.now() + between(random, MINUTE_MS, 15 * MINUTE_MS);
    stage.gitlab.weather.slowUntil(until, between(random, SECOND_MS, 20 * SECOND_MS));
    return true;
  },
  'gitlab-throttled': ({ stage }, random) => {
    const until = stage.timeline.now() + between(random, MINUTE_MS, 15 * MINUTE_MS);
    stage.gitlab.weather.throttledUntil(until, between(random, 0.3, 0.95));
    return true;
  },
  'clock-jump': ({ stage }, random) => {
    stage.wall.aheadMs += between(random, -2 * HOUR_MS, 2 * HOUR_MS);
    return true;
  },
  'disk-full': ({ stage }, random) => {
    const { disk } = stage.daemon;
    if (disk.isFull) return false;
    disk.isFull = true;
    stage.timeline.after(between(random, 10 * SECOND_MS, 10 * MINUTE_MS), () => {
      disk.isFull = false;
    });
    return true;
  },
  crash: (parts, random) => endDaemon(parts, random, () => undefined),
  'crash-at-write': ({ spells, stage }, random) => {
    if (spells.crashIn !== null || !stage.daemon.isUp()) return false;
    spells.crashIn = Math.floor(random.float() * 60);
    return true;
  },
  restart: ({ stage }) => {
    if (!stage.daemon.isUp()) return false;
    stage.daemon.restart();
    return true;
  },
  'power-loss': (parts, random) =>
    endDaemon(parts, random, () => {
      const { disk } = parts.stage.daemon;
      disk.crash();
      disk.losePower(random.float());
    }),
  'database-lost': (parts, random) => endDaemon(parts, random, () => parts.stage.daemon.disk.erase()),
  'mail-deaf': ({ stage, spells }, random) => {
    spells.deafUntil = stage.timeline.now() + between(random, MINUTE_MS, 30 * MINUTE_MS);
    return true;
  },
  'store-unreadable': ({ stage, spells }, random) => {
    spells.unreadableUntil = stage.timeline.now() + between(random, 10 * SECOND_MS, 5 * MINUTE_MS);
    return true;
  },
  'runner-dies': (parts, random) =>
    stopRunner(parts, random, { signal: 'KILL', group: random.float() < 0.5 }),
  'runner-restarts': (parts, random) =>
    stopRunner(parts, random, {
      signal: random.float() < 0.5 ? 'TERM' : 'QUIT',
      group: random.float() < 0.5,
    }),
  'runner-drains': (parts, random) => {
    if (!parts.stage.runner.alive()) return false;
    parts.stage.drainRunner();
    // It reads its file within three seconds.
    parts.stage.timeline.after(4 * SECOND_MS, () =>
      stopRunner(parts, random, { signal: 'QUIT', group: false }),
    );
    return true;
  },
  'token-change': (parts) => {
    parts.stage.change(parts.nextToken());
    return true;
  },
};

/** Does it now; true when it hit something. */
export function actFault(parts: ActParts, name: FaultName): boolean {
  return acts[name]?.(parts, parts.plan.random(name)) ?? false;
}

/** What lasted is over: the world is well again, and daemon and runner stand. */
export function calm(stage: Stage, spells: Spells, places: ActParts['places']): void {
  Object.assign(spells, { deafUntil: 0, unreadableUntil: 0, crashIn: null });
  for (const host of stage.park.all()) host.heal('mute');
  for (const place of places) stage.world.capacity.set({ ...place, market: null }, null);
  calmMarket(stage, places);
  stage.daemon.disk.isFull = false;
  stage.gitlab.weather.awayUntil(0);
  stage.gitlab.weather.slowUntil(0, 0);
  stage.gitlab.weather.throttledUntil(0, 0);
  stage.daemon.start();
  stage.runner.start();
}
