// Between hostler's words and the world's: a launch request as the world takes it, an instance as hostler reads it. The request
// goes through the adapter's own mapping, so that its mistakes would show here too.
import { runInstancesInput } from '../../adapters/aws/run-instances-input.ts';
import type { Instance } from '../../domain/instance.ts';
import type { LaunchRequest } from '../../domain/launch.ts';
import type { SimInstance } from '../../sim/instance.ts';
import type { RunRequest } from '../../sim/run-request.ts';

type Input = ReturnType<typeof runInstancesInput>;

function spotOf({ InstanceMarketOptions: market }: Input): RunRequest['spot'] {
  if (market?.MarketType !== 'spot') return null;
  const options = market.SpotOptions;
  return {
    maxPrice: options?.MaxPrice ?? null,
    requestType: options?.SpotInstanceType ?? null,
    interruption: options?.InstanceInterruptionBehavior ?? null,
    validUntil: null,
    blockMinutes: null,
  };
}

function cardOf({ NetworkInterfaces: cards }: Input): RunRequest['card'] {
  const [card] = cards ?? [];
  if (card === undefined) return null;
  return {
    subnetId: card.SubnetId ?? null,
    groupIds: card.Groups ?? [],
    publicAddress: card.AssociatePublicIpAddress ?? null,
  };
}

function volumesOf({ BlockDeviceMappings: mappings }: Input): RunRequest['volumes'] {
  return (mappings ?? []).map(({ DeviceName, Ebs }) => ({
    device: DeviceName ?? '',
    sizeGb: Ebs?.VolumeSize ?? null,
    type: Ebs?.VolumeType ?? null,
    encrypted: Ebs?.Encrypted ?? null,
    deleteOnTermination: Ebs?.DeleteOnTermination ?? null,
  }));
}

/** Where it goes and what it is made of. */
function placeOf(
  input: Input,
): Pick<RunRequest, 'zone' | 'subnetId' | 'groupIds' | 'groupNames' | 'card' | 'keyName'> {
  return {
    zone: input.Placement?.AvailabilityZone ?? null,
    subnetId: input.SubnetId ?? null,
    groupIds: input.SecurityGroupIds ?? [],
    groupNames: [],
    card: cardOf(input),
    keyName: input.KeyName ?? null,
  };
}

function habitsOf(
  input: Input,
): Pick<RunRequest, 'profile' | 'shutdown' | 'monitoring' | 'ebsOptimized' | 'metadata'> {
  const { IamInstanceProfile: profile, MetadataOptions: metadata } = input;
  return {
    profile: profile?.Arn ?? profile?.Name ?? null,
    shutdown: input.InstanceInitiatedShutdownBehavior ?? null,
    monitoring: input.Monitoring?.Enabled ?? false,
    ebsOptimized: input.EbsOptimized ?? false,
    metadata: { tokens: metadata?.HttpTokens ?? null, hopLimit: metadata?.HttpPutResponseHopLimit ?? null },
  };
}

/** RunInstances as it would arrive at EC2. */
export function runRequestOf(order: { token: string; count: number; request: LaunchRequest }): RunRequest {
  const input = runInstancesInput(order);
  return {
    ...placeOf(input),
    ...habitsOf(input),
    imageId: input.ImageId ?? null,
    type: input.InstanceType ?? null,
    minCount: input.MinCount ?? null,
    maxCount: input.MaxCount ?? null,
    token: input.ClientToken ?? null,
    dryRun: false,
    userData: input.UserData ?? null,
    volumes: volumesOf(input),
    spot: spotOf(input),
    tags: (input.TagSpecifications ?? []).map(({ ResourceType, Tags }) => ({
      resource: ResourceType ?? '',
      tags: (Tags ?? []).map(({ Key, Value }) => ({ key: Key ?? '', value: Value ?? '' })),
    })),
  };
}

const tagTexts = new WeakMap<SimInstance, Readonly<Record<string, string>>>();

/** Tags are set at the launch and seldom after: read once, again when their number changed. */
function tagsOf(instance: SimInstance): Readonly<Record<string, string>> {
  const known = tagTexts.get(instance);
  if (known !== undefined && Object.keys(known).length === instance.tags.size) return known;
  const tags = Object.fromEntries(instance.tags);
  tagTexts.set(instance, tags);
  return tags;
}

/** An instance as a listing or a launch answer shows it now. */
export function instanceOf(instance: SimInstance): Instance {
  return {
    id: instance.id,
    state: instance.state,
    stateReason: instance.stateReason?.code ?? null,
    type: instance.type,
    zone: instance.zone,
    market: instance.market,
    imageId: instance.imageId,
    privateAddress: instance.address,
    publicAddress: instance.publicAddress,
    launchedAt: instance.startedAt,
    tags: tagsOf(instance),
  };
}
