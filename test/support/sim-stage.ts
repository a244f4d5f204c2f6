// A small watched stage for scripted stories: one pool by a few words, time that runs until something is seen.
import { MINUTE_MS, SECOND_MS } from '../../src/domain/units.ts';
import { prepareSimKeys } from '../../src/simulator/daemon/sim-keys.ts';
import { configOf } from '../../src/simulator/run/config-of.ts';
import { driven, type RunnerWay } from '../../src/simulator/run/runner-file.ts';
import type { StageHooks } from '../../src/simulator/run/stage.ts';
import { createWatchedStage, type WatchedStage } from '../../src/simulator/run/watched-stage.ts';
import { drive } from '../../src/simulator/time/drive.ts';

export const SIM_START = Date.UTC(2026, 10, 23, 6);

export type SimWish = {
  idleCount?: number;
  idleTimeS?: number;
  maxBuilds?: number;
  limit?: number;
  token?: string;
  way?: RunnerWay;
  /** Spot machines by requests of their own, instead of machines on demand. */
  bySpotRequest?: boolean;
  hooks?: Partial<
    Pick<StageHooks, 'trouble' | 'fate' | 'falls' | 'doorKilledAfter' | 'isDeaf' | 'isUnreadable' | 'onStart'>
  >;
};

/** A runner's file with one section. */
export function simFile({
  idleCount = 0,
  idleTimeS = 300,
  maxBuilds = 10,
  limit = 10,
  token = 'glrt-story00000000000',
  bySpotRequest = false,
}: SimWish): string {
  return `
concurrent = 50
[[runners]]
  name = "story"
  url = "https://gitlab.example.com"
  token = "${token}"
  executor = "docker+machine"
  limit = ${limit}
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = ${idleCount}
    IdleTime = ${idleTimeS}
    MaxBuilds = ${maxBuilds}
    MachineDriver = "amazonec2"
    MachineName = "ci-%s"
    MachineOptions = ["amazonec2-region=eu-central-1", "amazonec2-zone=a", "amazonec2-use-private-address=true"${bySpotRequest ? ', "amazonec2-request-spot-instance=true", "amazonec2-spot-price="' : ''}]
${bySpotRequest ? '  [runners.hostler]\n    launch = "spot-request"\n' : ''}`;
}

export async function simConfig(wish: SimWish) {
  const config = await configOf(simFile(wish));
  return { ...config, pools: config.pools.map((pool) => driven(pool, wish.way ?? 'on-demand')) };
}

export type SimStory = WatchedStage & {
  /** Runs until it is so, at most that many minutes; throws in words when it never is. */
  until(what: string, isSo: () => boolean, minutes?: number): Promise<void>;
  minutes(count: number): Promise<void>;
  /** Instances that EC2 runs for us. */
  alive(): string[];
};

/** A stage with daemon and runner started. */
export async function simStory(wish: SimWish = {}): Promise<SimStory> {
  const watched = createWatchedStage({
    startAt: SIM_START,
    seed: 1,
    config: await simConfig(wish),
    way: wish.way ?? 'on-demand',
    bootMs: 40 * SECOND_MS,
    pem: await prepareSimKeys(SIM_START),
    odds: { missedWord: 0, ownCreateFirst: 0 },
    ...(wish.hooks === undefined ? {} : { hooks: wish.hooks }),
  });
  const { stage } = watched;
  stage.daemon.start();
  stage.runner.start();
  const minutes = (count: number) => watched.live(watched.now() + count * MINUTE_MS);
  return {
    ...watched,
    minutes,
    alive: () => stage.world.instances().flatMap(({ id, endingAt }) => (endingAt === null ? [id] : [])),
    async until(what, isSo, most = 30) {
      const end = watched.now() + most * MINUTE_MS;
      while (watched.now() < end && !isSo()) await drive(stage.timeline, watched.now() + SECOND_MS);
      if (!isSo()) throw new Error(`not within ${most} simulated minutes: ${what}`);
    },
  };
}
