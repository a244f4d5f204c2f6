// What EC2 shows of an instance, in hostler's words, and what can be asked for.
import type { EpochMs } from './units.ts';

/** Spot or on-demand. */
export type Market = 'spot' | 'on-demand';

/** What one launch call asks for: type, zone (null: EC2 chooses), market. */
export type Offering = { type: string; zone: string | null; market: Market };

/** A stable text for maps and messages, e.g. `m5.large:eu-central-1a:spot`. */
export function offeringKey(offering: Offering): string {
  return `${offering.type}:${offering.zone ?? 'any'}:${offering.market}`;
}

export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';

/** One instance as a listing or a launch answer shows it. Tags are the truth about whose it is. */
export type Instance = {
  id: string;
  state: InstanceState;
  /** EC2's StateReason code for an instance that ended by itself, e.g. `Server.SpotInstanceTermination`. */
  stateReason: string | null;
  type: string;
  zone: string | null;
  market: Market;
  imageId: string | null;
  privateAddress: string | null;
  publicAddress: string | null;
  launchedAt: EpochMs;
  tags: Readonly<Record<string, string>>;
};

/** Tags that every launch carries on instance, volume, interface and spot request (design §7). */
export const TAG = {
  owner: 'hostler:owner',
  manager: 'hostler:manager',
  pool: 'hostler:pool',
  launch: 'hostler:launch',
  spec: 'hostler:spec',
} as const;
