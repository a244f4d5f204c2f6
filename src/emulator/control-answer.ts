// What the emulator's own calls are made of.
// Must not hold any call itself: those are in control.ts and control-hosts.ts.
import type { World } from '../sim/world.ts';
import type { Dispatch } from './dispatch.ts';
import type { HostKeeper } from './host-keeper.ts';

export type ControlAnswer = { status: number; body: unknown };

export type ControlParts = { world: World; dispatch: Dispatch; afflict: HostKeeper['afflict'] };

/** A refusal in words. */
export const refused = (status: number, error: string): ControlAnswer => ({ status, body: { error } });
