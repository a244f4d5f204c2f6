// What one instance is, and what filters may ask of it. How it lives is in lives.ts.
import type { Market } from './run-request.ts';
import type { Fields } from './search.ts';

export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'terminated';

export type SimInstance = {
  /** Place in the region's order of launches. */
  order: number;
  id: string;
  reservation: string;
  launchIndex: number;
  state: InstanceState;
  stateReason: { code: string; message: string } | null;
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
  profile: string | null;
  /** Base64 as sent. */
  userData: string | null;
  token: string | null;
  spotRequest: string | null;
  shutdown: 'terminate' | 'stop';
  monitoring: boolean;
  ebsOptimized: boolean;
  metadata: { tokens: string; hopLimit: number };
  volume: { id: string; encrypted: boolean; tags: ReadonlyMap<string, string> };
  tags: Map<string, string>;
  launchedAt: number;
  /** When its end was asked for. */
  endingAt: number | null;
  terminatedAt: number | null;
  hostUp: boolean;
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
export const stateCodes = { pending: 0, running: 16, 'shutting-down': 32, terminated: 48 } as const;
