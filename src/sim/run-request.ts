// What RunInstances is asked, and the checks that need nothing but the request itself. What the region knows (subnets,
// images, capacity, price) is asked in run-instances.ts.
import { refuse } from './ec2-error.ts';
import { type InstanceType, instanceType } from './instance-types.ts';
import { checkTags, type Tag } from './tags.ts';

export type Market = 'spot' | 'on-demand';

export type SpotWish = {
  /** USD an hour as written, null = up to the on-demand price. */
  maxPrice: string | null;
  requestType: string | null;
  interruption: string | null;
  validUntil: string | null;
  blockMinutes: number | null;
};

export type VolumeWish = {
  device: string;
  sizeGb: number | null;
  type: string | null;
  encrypted: boolean | null;
  deleteOnTermination: boolean | null;
};

export type RunRequest = {
  imageId: string | null;
  type: string | null;
  minCount: number | null;
  maxCount: number | null;
  token: string | null;
  dryRun: boolean;
  zone: string | null;
  subnetId: string | null;
  groupIds: readonly string[];
  groupNames: readonly string[];
  /** The first network interface, when the request names one. */
  card: { subnetId: string | null; groupIds: readonly string[]; publicAddress: boolean | null } | null;
  keyName: string | null;
  /** Base64 as sent. */
  userData: string | null;
  profile: string | null;
  shutdown: string | null;
  monitoring: boolean;
  ebsOptimized: boolean;
  metadata: { tokens: string | null; hopLimit: number | null };
  volumes: readonly VolumeWish[];
  /** null = on-demand. */
  spot: SpotWish | null;
  tags: readonly { resource: string; tags: readonly Tag[] }[];
};

/** EC2's bound on user data before base64. */
const USER_DATA_BYTES = 16_384;
const VOLUME_TYPES = ['standard', 'gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1'];
const RESOURCES = ['instance', 'volume', 'network-interface', 'spot-instances-request'];
/** EC2's default type when a request names none. */
const DEFAULT_TYPE = 't2.micro';

const missing = (name: string): never =>
  refuse('MissingParameter', `The request must contain the parameter ${name}`);
const invalid = (name: string, value: unknown): never =>
  refuse('InvalidParameterValue', `Invalid value '${String(value).slice(0, 80)}' for ${name}.`);

function checkCounts(request: RunRequest): void {
  const { minCount, maxCount } = request;
  if (minCount === null) return missing('MinCount');
  if (maxCount === null) return missing('MaxCount');
  if (!(Number.isInteger(minCount) && minCount >= 1))
    invalid('minCount. The value must be at least 1', minCount);
  if (!(Number.isInteger(maxCount) && maxCount >= minCount)) {
    invalid(`instanceCount. The maximum must be at least the minimum ${minCount}`, maxCount);
  }
  if (request.spot !== null && maxCount > 3000) {
    refuse('RequestResourceCountExceeded', 'A request may ask for at most 3000 Spot Instances.');
  }
}

function checkSpot(spot: SpotWish): void {
  if (spot.maxPrice !== null && !(/^\d+(\.\d+)?$/.test(spot.maxPrice) && Number(spot.maxPrice) >= 0.001)) {
    invalid('MaxPrice', spot.maxPrice);
  }
  const persistent = spot.requestType === 'persistent';
  if (spot.requestType !== null && !persistent && spot.requestType !== 'one-time') {
    invalid('SpotInstanceType', spot.requestType);
  }
  if (persistent && spot.interruption !== 'stop' && spot.interruption !== 'hibernate') {
    refuse(
      'InvalidParameterCombination',
      'A persistent Spot request needs the interruption behavior stop or hibernate.',
    );
  }
  if (!persistent && spot.interruption !== null && spot.interruption !== 'terminate') {
    refuse(
      'InvalidParameterCombination',
      `A one-time Spot request cannot ${spot.interruption.slice(0, 20)}.`,
    );
  }
  if (!persistent && spot.validUntil !== null) {
    refuse('InvalidParameterCombination', 'ValidUntil is not supported for one-time requests.');
  }
  if (spot.blockMinutes !== null) {
    refuse('InvalidParameterValue', 'Spot blocks (BlockDurationMinutes) are no longer supported.');
  }
}

function checkUserData(text: string): void {
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)) {
    refuse('InvalidUserData.Malformed', 'Invalid BASE64 encoding of user data.');
  }
  if (Buffer.from(text, 'base64').length > USER_DATA_BYTES) {
    refuse('InvalidParameterValue', `User data is limited to ${USER_DATA_BYTES} bytes`);
  }
}

function checkVolumes(volumes: readonly VolumeWish[]): void {
  const devices = new Set<string>();
  for (const volume of volumes) {
    if (volume.device === '') missing('BlockDeviceMapping.DeviceName');
    if (devices.has(volume.device)) {
      refuse('InvalidBlockDeviceMapping', `Device ${volume.device} is named more than once.`);
    }
    devices.add(volume.device);
    if (volume.type !== null && !VOLUME_TYPES.includes(volume.type)) invalid('VolumeType', volume.type);
    if (volume.sizeGb !== null && !(volume.sizeGb >= 1 && volume.sizeGb <= 65_536)) {
      invalid('VolumeSize', volume.sizeGb);
    }
  }
}

function checkMetadata({ tokens, hopLimit }: RunRequest['metadata']): void {
  if (tokens !== null && tokens !== 'required' && tokens !== 'optional') invalid('HttpTokens', tokens);
  if (hopLimit !== null && !(hopLimit >= 1 && hopLimit <= 64)) invalid('HttpPutResponseHopLimit', hopLimit);
}

function checkCards(request: RunRequest): void {
  const { card } = request;
  if (card === null) return;
  if (request.subnetId !== null) {
    refuse(
      'InvalidParameterCombination',
      'Network interfaces and an instance-level subnet ID may not be specified on the same request',
    );
  }
  if (request.groupIds.length + request.groupNames.length > 0) {
    refuse(
      'InvalidParameterCombination',
      'Network interfaces and an instance-level security groups may not be specified on the same request',
    );
  }
}

function checkRequestTags(request: RunRequest): void {
  const seen = new Set<string>();
  for (const { resource, tags } of request.tags) {
    const fits =
      RESOURCES.includes(resource) && (resource !== 'spot-instances-request' || request.spot !== null);
    if (!fits) {
      refuse(
        'InvalidParameterValue',
        `'${resource.slice(0, 60)}' is not a valid taggable resource type for this operation.`,
      );
    }
    if (seen.has(resource)) invalid('TagSpecification: resource type given twice', resource);
    seen.add(resource);
    checkTags(tags);
  }
}

/** Checks the request's own rules and returns its instance type. Throws EC2's errors. */
export function checkRun(request: RunRequest): InstanceType {
  checkCounts(request);
  if (request.imageId === null) missing('ImageId');
  const name = request.type ?? DEFAULT_TYPE;
  const type = instanceType(name) ?? invalid('InstanceType', name);
  if (request.token !== null && (request.token.length > 64 || !/^[\x20-\x7e]+$/.test(request.token))) {
    refuse('InvalidParameterValue', 'ClientToken may have at most 64 ASCII characters.');
  }
  if (request.shutdown !== null && request.shutdown !== 'terminate' && request.shutdown !== 'stop') {
    invalid('InstanceInitiatedShutdownBehavior', request.shutdown);
  }
  checkCards(request);
  checkMetadata(request.metadata);
  checkVolumes(request.volumes);
  checkRequestTags(request);
  if (request.userData !== null) checkUserData(request.userData);
  if (request.spot !== null) checkSpot(request.spot);
  return type;
}
