// The launch intent: the whole request with its token, stored before the call goes out, so that a crash at any line
// is answered by asking EC2 again with the same token (design §6).
import type { Offering } from './instance.ts';
import type { LaunchWay, Place } from './offering.ts';
import type { EpochMs } from './units.ts';

/** Fields of a user's launch template that options of the pool may replace. */
export type TemplateOverride = 'disk' | 'key' | 'profile' | 'metadata';

/** What a LaunchSpec comes to in its account now: looked up once, cached, refreshed on errors and every hour. */
export type ResolvedLaunch = {
  imageId: string;
  /** Where the id came from: `ami-…`, an SSM name, or the default; for logs. */
  imageFrom: string;
  rootDevice: string;
  subnetId: string | null;
  zone: string | null;
  securityGroupIds: readonly string[];
  /** Every place the pool may launch at, of all its markets, in the order of the options; one at least. */
  places: readonly Place[];
};

/**
 * Everything a launch is given, already resolved (AMI id, security group ids): plain JSON, so that it can be
 * stored and sent again unchanged. Field meanings: facts of `amazonec2-*` options, see docs/ec2.md.
 */
export type LaunchRequest = {
  /** The first of its places, for records and messages. */
  offering: Offering;
  /** How it goes out. Absent in intents of earlier versions: `run-instances`. */
  way?: LaunchWay;
  /**
   * Where its machines may come from, all of one market; a fleet chooses among them, the other ways take the first.
   * Absent: `offering` and `subnetId` alone.
   */
  places?: readonly Place[];
  /** A fleet on demand takes its places by price, not in their order: types by need have no order. */
  isByPrice?: boolean;
  /** The user's own launch template under a fleet, and which of the fields below go over what it says. */
  template?: { name: string; overrides: readonly TemplateOverride[] };
  /** `spot-request` only: when EC2 gives up on what it could not fill. Part of the token's parameters, so kept. */
  validUntil?: EpochMs;
  imageId: string;
  subnetId: string | null;
  securityGroupIds: readonly string[];
  /** null: leave it to the subnet. */
  associatePublicIp: boolean | null;
  keyName: string | null;
  iamInstanceProfile: string | null;
  /** Spot only: USD per hour, null = up to the on-demand price. */
  maxPriceUsd: string | null;
  rootDevice: string;
  rootSizeGb: number;
  volumeType: string;
  volumeEncrypted: boolean;
  volumeKmsKey: string | null;
  monitoring: boolean;
  ebsOptimized: boolean;
  metadataTokens: 'required' | 'optional';
  metadataHopLimit: number;
  /** Base64, at most 16 KB before the encoding (EC2's limit). */
  userData: string;
  tags: Readonly<Record<string, string>>;
};

export type LaunchState = 'intended' | 'launched' | 'refused' | 'lost';

export type Launch = {
  /** ClientToken, at most 64 ASCII characters; also the `hostler:launch` tag. */
  token: string;
  pool: string;
  site: string;
  count: number;
  /** Machine ids made for it, one a wanted instance. */
  machines: readonly string[];
  request: LaunchRequest;
  /** Bootstrap host key that the user data brings: `ssh-ed25519 BASE64`. */
  bootstrapHostKey: string;
  state: LaunchState;
  at: EpochMs;
  /** Calls sent with this token so far. */
  sends: number;
  /** Why there, in words for `explain`; absent in intents of earlier versions. */
  why?: string;
  /** Spot requests that EC2 opened for it; absent: none, or not known yet. While they are open it stays `intended`. */
  requests?: readonly string[];
  /** EC2's status of a request that is open still, such as `capacity-not-available`. */
  requestStatus?: string;
};
