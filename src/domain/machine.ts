// Machine: our record of one Docker host, and the only place that says which phase may follow which.
// Trap: a machine with a lease is sacred; `canRetire` is what every terminating path must ask, inside its transaction.
import { invariant } from './assert.ts';
import type { Offering } from './instance.ts';
import type { ReasonCode } from './reason.ts';
import type { EpochMs } from './units.ts';

export const machinePhases = [
  'requested', // intent stored, launch call under way or its outcome unknown
  'booting', // EC2 answered with an instance; SSH not there yet
  'provisioning', // SSH session at work
  'ready', // Docker answers over TLS, no lease
  'leased', // a runner holds it (or its lease just ended and it is being cleaned)
  'draining', // no new lease; ends when its lease does
  'terminating', // to be terminated, or terminated and not yet seen gone
  'gone', // EC2 confirmed the end, or there never was an instance
] as const;
export type MachinePhase = (typeof machinePhases)[number];

export type Machine = {
  /** `m-` and 10 characters of base 32. */
  id: string;
  pool: string;
  phase: MachinePhase;
  /** When this phase began. */
  since: EpochMs;
  /** Idempotency token of the launch it came from; also its `hostler:launch` tag. */
  launch: string;
  /** Hash of everything in the launch that drift compares (`hostler:spec` tag). */
  spec: string;
  /** Key of the CloudSite it lives in. */
  site: string;
  offering: Offering;
  instance: string | null;
  imageId: string | null;
  /** Where hostler and the runner reach it (private or public, by the pool's options). */
  address: string | null;
  createdAt: EpochMs;
  /** When it first became ready. */
  readyAt: EpochMs | null;
  /** Start of the idle clock: first ready, then the end of its last job or lease. */
  idleSince: EpochMs | null;
  /** Distinct jobs that were seen on it. */
  builds: number;
  /** Name of the lease that holds it. */
  lease: string | null;
  /** True between the end of a lease and the end of cleaning: not to be granted yet. */
  cleaning: boolean;
  /** SSH host keys that may answer: `ssh-ed25519 BASE64`. The bootstrap key until the first contact, then the host's own. */
  hostKeys: readonly string[];
  /** Failed Docker pings in a row; 0 = healthy. */
  failedPings: number;
  /** When TerminateInstances was last sent for it; null = not yet. */
  endAskedAt: EpochMs | null;
  /** EC2 accepted the termination: it no longer counts against limits (design §5). */
  endAccepted: boolean;
  /** EC2 refused the termination (protection, permissions): it is tried again for ever, and holds no slot meanwhile. */
  endRefused?: boolean;
  /** Why it is on its way out; null while it is wanted. */
  ending: ReasonCode | null;
  /** When EC2 advised to leave its instance, in a pool that launches a replacement first: handed out last until that is ready. */
  advisedAt?: EpochMs;
  /** Last failure in words, with the console's tail for a failed boot kept as an event. */
  failure: string | null;
};

const moves: Record<MachinePhase, readonly MachinePhase[]> = {
  requested: ['booting', 'terminating', 'gone'],
  booting: ['provisioning', 'terminating', 'gone'],
  provisioning: ['ready', 'booting', 'terminating', 'gone'],
  ready: ['leased', 'draining', 'terminating', 'gone'],
  leased: ['ready', 'draining', 'terminating', 'gone'],
  draining: ['terminating', 'gone'],
  terminating: ['gone'],
  gone: [],
};

/** The machine in its next phase. Throws on a move that the table does not have: that is a bug, not an event. */
export function moveMachine(machine: Machine, to: MachinePhase, now: EpochMs): Machine {
  invariant(moves[machine.phase].includes(to), `a machine goes from ${machine.phase} to ${to}`);
  return { ...machine, phase: to, since: now };
}

/** True while nobody holds it, so that it may be ended by policy. */
export function canRetire(machine: Machine): boolean {
  return machine.lease === null && machine.phase !== 'terminating' && machine.phase !== 'gone';
}

/** On its way to become ready. */
export function isComing(machine: Machine): boolean {
  return machine.phase === 'requested' || machine.phase === 'booting' || machine.phase === 'provisioning';
}

/** May be handed to a runner now. */
export function isGrantable(machine: Machine): boolean {
  return (
    machine.phase === 'ready' &&
    machine.lease === null &&
    !machine.cleaning &&
    machine.ending === null &&
    machine.failedPings === 0
  );
}
