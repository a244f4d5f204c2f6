// Parts of a launch that all ways share: disk, profile, interface, tags, in EC2's words. Field by field as docs/ec2.md.
// Pure. Trap: the same request must give the same input for ever, or EC2 answers IdempotentParameterMismatch: nothing in
// here may depend on time, environment or order of maps.
import type { ResourceType, Tag, TagSpecification, VolumeType } from '@aws-sdk/client-ec2';
import type { LaunchRequest } from '../../domain/launch.ts';
import type { Place } from '../../domain/offering.ts';

/** Where the request may launch, the first first. */
export function placesOf(request: LaunchRequest): readonly [Place, ...Place[]] {
  const [first, ...rest] = request.places ?? [];
  if (first !== undefined) return [first, ...rest];
  return [{ ...request.offering, subnetId: request.subnetId, vcpus: null }];
}

/** The root disk: encrypted unless told otherwise, gone with its instance. */
export function diskOf(request: LaunchRequest) {
  return {
    DeviceName: request.rootDevice,
    Ebs: {
      DeleteOnTermination: true,
      VolumeSize: request.rootSizeGb,
      VolumeType: request.volumeType as VolumeType,
      // Absent, not false: EC2 refuses `false` for an image whose snapshot is encrypted.
      ...(request.volumeEncrypted && { Encrypted: true }),
      ...(request.volumeKmsKey !== null && { Encrypted: true, KmsKeyId: request.volumeKmsKey }),
    },
  };
}

/** null: none. */
export function profileOf({ iamInstanceProfile: named }: LaunchRequest) {
  if (named === null) return null;
  return named.startsWith('arn:') ? { Arn: named } : { Name: named };
}

/** The one interface; without a subnet where the launch names it elsewhere. */
export function interfaceOf(request: LaunchRequest, subnetId: string | null) {
  return {
    DeviceIndex: 0,
    DeleteOnTermination: true,
    Groups: [...request.securityGroupIds],
    ...(subnetId !== null && { SubnetId: subnetId }),
    ...(request.associatePublicIp !== null && { AssociatePublicIpAddress: request.associatePublicIp }),
  };
}

export function metadataOf(request: LaunchRequest) {
  return {
    HttpEndpoint: 'enabled' as const,
    HttpTokens: request.metadataTokens,
    HttpPutResponseHopLimit: request.metadataHopLimit,
  };
}

/** Sorted by key. */
export function tagList(tags: Readonly<Record<string, string>>): Tag[] {
  return Object.entries(tags)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([Key, Value]) => ({ Key, Value }));
}

export function tagSpecifications(
  tags: Readonly<Record<string, string>>,
  resources: readonly ResourceType[],
): TagSpecification[] {
  const list = tagList(tags);
  return resources.map((ResourceType) => ({ ResourceType, Tags: list }));
}
