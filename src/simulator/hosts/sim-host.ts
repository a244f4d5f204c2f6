// One simulated host: what an instance is after its boot, as the manager and the runner meet it. SSH with the key that its
// user data brought, scripts that change it, Docker with the authority that provisioning gave it, containers, a disk, and the
// dead-man timer. Must not know hostler: it plays what arrives.
// Trap: a host that is mute still runs its jobs; only nobody hears of it.

import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import { type PlayResult, playScript } from '../../emulator/host/play-script.ts';
import { userDataText } from '../../emulator/host-keeper.ts';
import type { SimInstance } from '../../sim/instance.ts';
import type { Seeded } from '../../sim/seeded.ts';
import type { Timeline } from '../../sim/timeline.ts';

/** What can be wrong with a host. */
export const hostTroubles = [
  'no-greeting', // SSH accepts and says nothing, from the boot on
  'cloud-init-hangs', // the first script never ends
  'docker-fails', // dockerd does not start
  'docker-dies', // dockerd ends later
  'ssh-dies', // sshd ends later
  'mute', // no packet comes through, jobs run on
  'disk-spare', // full of what nobody misses
  'disk-caches', // full of images and volumes
  'disk-full', // full of something else
] as const;
export type HostTrouble = (typeof hostTroubles)[number];

/** A container of a job, with the runner's labels. */
export type SimContainer = {
  id: string;
  jobId: number;
  running: boolean;
  ended: ((how: 'killed' | 'lost') => void) | null;
};

export type SimHost = {
  instance: SimInstance;
  address: string;
  /** False once its instance has no power any more. */
  isUp: boolean;
  troubles: Set<HostTrouble>;
  /** The SSH host key that it shows: `ssh-ed25519 …`. */
  shownKey: string;
  /** The mark of the authority whose clients Docker lets in; null = Docker does not serve. */
  serves: string | null;
  containers: Map<string, SimContainer>;
  litter: { spare: number; caches: number; fixed: number };
  /** Plays a script that came over SSH. */
  play(script: string): Promise<PlayResult>;
  /** Something goes wrong with it now. */
  afflict(trouble: HostTrouble): void;
  heal(trouble: HostTrouble): void;
  /** Kills and removes a container; `lost`: because Docker or the host went. */
  removeContainer(id: string, how: 'killed' | 'lost'): void;
  powerOff(): void;
};

/** Percent that a trouble adds to the disk. */
const FULL_PERCENT = 73;
const BASE_PERCENT = 20;
/** Its own timer looks this often (provision/steps/dead-man.ts). */
const LOOK_EVERY_MS: DurationMs = 30 * SECOND_MS;
const LONGEST_REST_MS: DurationMs = 10 * MINUTE_MS;

export type HostParts = { timeline: Timeline; random: Seeded; shutDown(instance: SimInstance): void };

/** A line of an SSH key, from randomness: the right form, no key. */
export function keyLine(random: Seeded): string {
  return `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${random.hex(43)}`;
}

type Limits = { deadMs: DurationMs; lifeMs: DurationMs };
type Brought = { hostKey: string | null; limits: Limits };

/** Of a host whose user data says nothing: hostler's defaults. */
const DEFAULT_LIMITS: Limits = { deadMs: 2 * HOUR_MS, lifeMs: 24 * HOUR_MS };
/** Hosts of one launch share their user data, so what was read of it is remembered, the last few hundred. */
const REMEMBERED = 200;
const remembered = new Map<string, Brought>();

/** The limits that a boot hook or a renewal writes. */
function limitsIn(script: string): Limits | null {
  const [, dead, life] = /echo "\$up (\d+) (\d+)"/.exec(script) ?? [];
  return dead === undefined ? null : { deadMs: Number(dead) * SECOND_MS, lifeMs: Number(life) * SECOND_MS };
}

/** What its user data brought. */
function broughtBy(userData: string | null): Brought {
  if (userData === null) return { hostKey: null, limits: DEFAULT_LIMITS };
  const known = remembered.get(userData);
  if (known !== undefined) return known;
  const text = userDataText(userData);
  const hostKey = /ed25519_public: (ssh-ed25519 \S+)/.exec(text)?.[1] ?? null;
  const brought = { hostKey, limits: limitsIn(text) ?? DEFAULT_LIMITS };
  if (remembered.size > REMEMBERED) remembered.clear();
  remembered.set(userData, brought);
  return brought;
}

/** The timer that ends a host nobody renews: only it and a hard end may, and only without a running container. */
function createDeadMan(host: SimHost, { timeline, shutDown }: HostParts, first: Limits) {
  const bornAt = timeline.now();
  let renewedAt = bornAt;
  let limits = first;
  let callOff: (() => void) | null = null;
  let usedAt: number | null = null;

  function look(): void {
    callOff = null;
    if (!host.isUp) return;
    const now = timeline.now();
    const rest = Math.min(limits.deadMs / 4, LONGEST_REST_MS);
    if ([...host.containers.values()].some(({ running }) => running)) usedAt = now;
    const silent = now - renewedAt;
    if (silent >= limits.deadMs) {
      const isOld = now - bornAt >= limits.lifeMs;
      if (isOld || usedAt === null || now - usedAt >= rest) return shutDown(host.instance);
    }
    arm();
  }

  /** Looks from shortly before its end on, as the script does. */
  function arm(): void {
    const rest = Math.min(limits.deadMs / 4, LONGEST_REST_MS);
    const quietMs = renewedAt + limits.deadMs - rest - timeline.now();
    callOff?.();
    callOff = timeline.after(Math.max(LOOK_EVERY_MS, quietMs), look);
  }

  arm();
  return {
    renew(script: string): void {
      limits = limitsIn(script) ?? limits;
      renewedAt = timeline.now();
      arm();
    },
    stop: () => callOff?.(),
  };
}

/** A host that has just booted. */
export function createSimHost(instance: SimInstance, parts: HostParts): SimHost {
  const { random } = parts;
  const brought = broughtBy(instance.userData);
  let nextKey: string | null = null;
  const host: SimHost = {
    instance,
    address: instance.address ?? '',
    isUp: true,
    troubles: new Set(),
    shownKey: brought.hostKey ?? keyLine(random),
    serves: null,
    containers: new Map(),
    litter: { spare: 0, caches: 0, fixed: BASE_PERCENT },
    async play(script) {
      const deadManLine = script.includes('# hostler-step: renew-dead-man');
      if (deadManLine) deadMan.renew(script);
      return playScript(script, {
        makeHostKey() {
          nextKey = keyLine(random);
          return nextKey;
        },
        rotateHostKey() {
          if (nextKey !== null) host.shownKey = nextKey;
          nextKey = null;
        },
        startDocker(tls) {
          if (host.troubles.has('docker-fails')) return Promise.reject(new Error('dockerd does not start'));
          host.serves = tls.ca;
          return Promise.resolve();
        },
        pull: () => undefined,
        disk: () => Math.min(99, host.litter.spare + host.litter.caches + host.litter.fixed),
      });
    },
    afflict(trouble) {
      host.troubles.add(trouble);
      if (trouble === 'docker-dies')
        for (const id of host.containers.keys()) host.removeContainer(id, 'lost');
      if (trouble === 'disk-spare') host.litter.spare = FULL_PERCENT;
      if (trouble === 'disk-caches') host.litter.caches = FULL_PERCENT;
      if (trouble === 'disk-full') host.litter.fixed = BASE_PERCENT + FULL_PERCENT;
    },
    heal: (trouble) => void host.troubles.delete(trouble),
    removeContainer(id, how) {
      const container = host.containers.get(id);
      host.containers.delete(id);
      if (container?.running === true) container.ended?.(how);
    },
    powerOff() {
      if (!host.isUp) return;
      host.isUp = false;
      host.serves = null;
      deadMan.stop();
      for (const id of host.containers.keys()) host.removeContainer(id, 'lost');
    },
  };
  const deadMan = createDeadMan(host, parts, brought.limits);
  return host;
}

/** Whether Docker there answers a client with this authority's certificate. */
export function dockerAnswers(host: SimHost, authority: string): boolean {
  return (
    host.isUp && host.serves === authority && !host.troubles.has('docker-dies') && !host.troubles.has('mute')
  );
}
