// Faults that ride on something: on a call, a boot, a door, a point of the daemon's course. Each asks the plan when its chance
// comes.
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { CallTrouble } from '../daemon/sim-wire.ts';
import type { HostTrouble } from '../hosts/sim-host.ts';
import type { StageHooks } from '../run/stage.ts';
import type { Spells } from './fault-acts.ts';
import type { FaultPlan } from './fault-plan.ts';

const BOOT_TROUBLES: readonly HostTrouble[] = [
  'no-greeting',
  'cloud-init-hangs',
  'docker-fails',
  'ssh-dies',
  'mute',
];
const CALL_TROUBLES = [
  ['ec2-failed', 'failed'],
  ['ec2-throttled', 'throttled'],
  ['ec2-lost-answer', 'lost-answer'],
  ['ec2-duplicated', 'duplicated'],
  ['ec2-slow', 'slow'],
] as const;

/** A create lives as long as a boot; the other calls some milliseconds. */
const CREATE_REACH_MS: DurationMs = 60 * SECOND_MS;
const CALL_REACH_MS: DurationMs = 40;
/** Most kills come early: that is where the steps are. */
const EARLY = 3;

type Hooks = Pick<StageHooks, 'trouble' | 'fate' | 'doorKilledAfter' | 'falls' | 'isDeaf' | 'isUnreadable'>;

/** The hooks of one run. */
export function faultHooks(plan: FaultPlan, spells: Spells, now: () => number): Hooks {
  return {
    trouble: (): CallTrouble => CALL_TROUBLES.find(([name]) => plan.hits(name))?.[1] ?? null,
    fate() {
      if (!plan.hits('host-hangs')) return null;
      return BOOT_TROUBLES[Math.floor(plan.random('host-hangs').float() * BOOT_TROUBLES.length)] ?? null;
    },
    doorKilledAfter(verb) {
      if (!plan.hits('door-killed')) return null;
      const reach = verb === 'create' ? CREATE_REACH_MS : CALL_REACH_MS;
      return plan.random('door-killed').float() ** EARLY * reach;
    },
    falls() {
      if (spells.crashIn === null) return false;
      spells.crashIn -= 1;
      if (spells.crashIn >= 0) return false;
      spells.crashIn = null;
      return true;
    },
    isDeaf: () => now() < spells.deafUntil,
    isUnreadable: () => now() < spells.unreadableUntil,
  };
}
