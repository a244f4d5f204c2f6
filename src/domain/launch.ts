// The launch intent: the whole request with its token, stored before the call goes out, so that a crash at any line
// is answered by asking EC2 again with the same token (design §6).
import type { Offering } from './instance.ts';
import type { EpochMs } from './units.ts';

/** What a LaunchSpec comes to in its account now: looked up once, cached, refreshed on errors and every hour. */
export type ResolvedLaunch = {
  imageId: string;
  /** Where the id came from: `ami-…`, an SSM name, or the default; for logs. */
  imageFrom: string;
  rootDevice: string;
  subnetId: string | null;
  zone: string | null;
  securityGroupIds: readonly string[];
};

/**
 * Everything RunInstances is given, already resolved (AMI id, security group ids): plain JSON, so that it can be
 * stored and sent again unchanged. Field meanings: facts of `amazonec2-*` options, see docs/ec2.md.
 */
export type LaunchRequest = {
  offering: Offering;
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
};
