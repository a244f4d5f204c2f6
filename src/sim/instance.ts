// What one instance is, and what filters may ask of it. How it lives is in lives.ts.
import type { Market } from './run-request.ts';
import type { Fields } from './search.ts';

export type InstanceState = 'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';

export type SimInstance = {
  /** Place in the region's order of launches. */
  order: number;
  id: string;
  reservation: string;
  launchIndex: number;
  state: InstanceState;
  /** Why it left `running`, and when. */
  stateReason: { code: string; message: string; at: number } | null;
  type: string;
  architecture: 'x86_64' | 'arm64';
  zone: string;
  market: Market;
  imageId: string;
  rootDevice: string;
  subnetId: string;
  vpcId: string;
  groups: readonly { id: string; name: string }[];
  address: string | null;
  /** Whether it gets a public address once it runs. */
  wantsPublic: boolean;
  publicAddress: string | null;
  keyName: string | null;
  /** Its key pair's public key as a line of authorized_keys; null where only the name is known. */
  publicKey: string | null;
  profile: string | null;
  /** Base64 as sent. */
  userData: string | null;
  token: string | null;
  spotRequest: string | null;
  shutdown: 'terminate' | 'stop';
  /** Cannot be terminated by a call. */
  protected: boolean;
  monitoring: boolean;
  ebsOptimized: boolean;
  metadata: { tokens: string; hopLimit: number };
  volume: { id: string; encrypted: boolean; tags: Map<string, string> };
  tags: Map<string, string>;
  launchedAt: number;
  /** Its last start: EC2's LaunchTime. */
  startedAt: number;
  /** When EC2 takes it back, from the notice on; null = nobody knows of it. */
  reclaimAt: number | null;
  /** When its end was asked for. */
  endingAt: number | null;
  terminatedAt: number | null;
  hostUp: boolean;
  /** Takes up capacity: all but stopped and terminated ones. */
  placed: boolean;
};

export const instanceFields: Fields<SimInstance> = {
  'instance-id': (one) => [one.id],
  'instance-state-name': (one) => [one.state],
  'instance-state-code': (one) => [String(stateCodes[one.state])],
  'instance-type': (one) => [one.type],
  'instance-lifecycle': (one) => [one.market === 'spot' ? 'spot' : null],
  'availability-zone': (one) => [one.zone],
  'client-token': (one) => [one.token],
  'image-id': (one) => [one.imageId],
  'key-name': (one) => [one.keyName],
  'reservation-id': (one) => [one.reservation],
  'spot-instance-request-id': (one) => [one.spotRequest],
  'subnet-id': (one) => [one.subnetId],
  'vpc-id': (one) => [one.vpcId],
  'instance.group-id': (one) => one.groups.map((group) => group.id),
  'instance.group-name': (one) => one.groups.map((group) => group.name),
  'private-ip-address': (one) => [one.address],
  'ip-address': (one) => [one.publicAddress],
  'state-reason-code': (one) => [one.stateReason?.code ?? null],
  architecture: (one) => [one.architecture],
};

/** EC2's numbers of the states. */
export const stateCodes = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
} as const;
