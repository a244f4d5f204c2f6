// From query parameters to the world's own requests. Names are EC2's wire names.

import { refuse } from '../sim/ec2-error.ts';
import type { TagPattern } from '../sim/resource-tags.ts';
import type { RunRequest, SpotWish, VolumeWish } from '../sim/run-request.ts';
import type { Query } from '../sim/search.ts';
import type { Rule } from '../sim/security-groups.ts';
import type { Tag } from '../sim/tags.ts';
import type { QueryParams } from './query-params.ts';

export const readTags = (params: QueryParams, name = 'Tag'): Tag[] =>
  params.structs(name).map((tag) => ({ key: tag.text('Key') ?? '', value: tag.text('Value') ?? '' }));

/** Tags to take away; a value that is not given stands for any. */
export const readTagPatterns = (params: QueryParams): TagPattern[] =>
  params.structs('Tag').map((tag) => ({ key: tag.text('Key') ?? '', value: tag.text('Value') }));

/** docker-machine sends what it has no value for as an empty text; EC2 takes that as not given. */
const given = (params: QueryParams | null, name: string): string | null => params?.text(name) || null;

/** Ids, filters and page of a Describe call. */
export function readDescribe(params: QueryParams, idName: string): Query {
  return {
    ids: params.list(idName),
    filters: params.structs('Filter').map((filter) => ({
      name: filter.text('Name') ?? '',
      values: filter.list('Value'),
    })),
    page: { maxResults: params.number('MaxResults'), nextToken: params.text('NextToken') },
  };
}

/** Whether a call counts as filtered or paged for EC2's limits. */
export const isNarrowed = (params: QueryParams): boolean =>
  params.text('MaxResults') !== null || params.struct('Filter') !== null;

const readVolume = (mapping: QueryParams): VolumeWish => {
  const ebs = mapping.struct('Ebs');
  return {
    device: mapping.text('DeviceName') ?? '',
    sizeGb: ebs?.number('VolumeSize') ?? null,
    type: ebs?.text('VolumeType') ?? null,
    encrypted: ebs?.flagOrNone('Encrypted') ?? null,
    deleteOnTermination: ebs?.flagOrNone('DeleteOnTermination') ?? null,
  };
};

function readSpot(params: QueryParams): SpotWish | null {
  const market = params.struct('InstanceMarketOptions');
  const type = market?.text('MarketType') ?? null;
  if (market === null || type === null) return null;
  if (type !== 'spot')
    refuse('InvalidParameterValue', `Invalid value '${type.slice(0, 40)}' for MarketType.`);
  const options = market.struct('SpotOptions');
  return {
    maxPrice: given(options, 'MaxPrice'),
    requestType: options?.text('SpotInstanceType') ?? null,
    interruption: options?.text('InstanceInterruptionBehavior') ?? null,
    validUntil: options?.text('ValidUntil') ?? null,
    blockMinutes: options?.number('BlockDurationMinutes') ?? null,
  };
}

function readCard(params: QueryParams): RunRequest['card'] {
  const [card, ...more] = params.structs('NetworkInterface');
  if (card === undefined) return null;
  if (more.length > 0)
    refuse('UnsupportedOperation', 'The emulator serves one network interface an instance.');
  return {
    subnetId: given(card, 'SubnetId'),
    groupIds: card.list('SecurityGroupId'),
    publicAddress: card.flagOrNone('AssociatePublicIpAddress'),
  };
}

export function readRun(params: QueryParams): RunRequest {
  const metadata = params.struct('MetadataOptions');
  const placement = params.struct('Placement');
  const profile = params.struct('IamInstanceProfile');
  return {
    imageId: params.text('ImageId'),
    type: params.text('InstanceType'),
    minCount: params.number('MinCount'),
    maxCount: params.number('MaxCount'),
    token: params.text('ClientToken'),
    dryRun: params.flag('DryRun'),
    zone: given(placement, 'AvailabilityZone'),
    subnetId: given(params, 'SubnetId'),
    groupIds: params.list('SecurityGroupId'),
    groupNames: params.list('SecurityGroup'),
    card: readCard(params),
    keyName: given(params, 'KeyName'),
    userData: given(params, 'UserData'),
    profile: given(profile, 'Name') ?? given(profile, 'Arn'),
    shutdown: params.text('InstanceInitiatedShutdownBehavior'),
    monitoring: params.struct('Monitoring')?.flag('Enabled') ?? false,
    ebsOptimized: params.flag('EbsOptimized'),
    metadata: {
      tokens: given(metadata, 'HttpTokens'),
      hopLimit: metadata?.number('HttpPutResponseHopLimit') ?? null,
    },
    volumes: params.structs('BlockDeviceMapping').map(readVolume),
    spot: readSpot(params),
    tags: params.structs('TagSpecification').map((specification) => ({
      resource: specification.text('ResourceType') ?? '',
      tags: readTags(specification),
    })),
  };
}

/** The form before permissions came in lists: one range and one span of ports beside the group's name. */
const readFlatRule = (params: QueryParams): Rule[] => {
  const source = params.text('CidrIp');
  if (source === null) return [];
  const span = { fromPort: params.number('FromPort'), toPort: params.number('ToPort') };
  return [{ protocol: params.text('IpProtocol') ?? '-1', ...span, source, description: null }];
};

/** Inbound rules, one for each source that a permission names. */
export function readRules(params: QueryParams): Rule[] {
  const listed = params.structs('IpPermissions').flatMap((permission) => {
    const ports = {
      protocol: permission.text('IpProtocol') ?? '-1',
      fromPort: permission.number('FromPort'),
      toPort: permission.number('ToPort'),
    };
    const ranges = [
      ...permission.structs('IpRanges').map((range) => [range.text('CidrIp'), range.text('Description')]),
      ...permission.structs('Ipv6Ranges').map((range) => [range.text('CidrIpv6'), range.text('Description')]),
      ...permission.structs('Groups').map((group) => [group.text('GroupId'), group.text('Description')]),
    ];
    return ranges.map(([source, description]) => ({
      ...ports,
      source: source ?? refuse('InvalidParameterValue', 'A permission names no source.'),
      description: description ?? null,
    }));
  });
  return [...listed, ...readFlatRule(params)];
}
