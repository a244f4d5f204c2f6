// From the world's things to EC2's XML elements. Element names are EC2's wire names.
import type { Image } from '../sim/images.ts';
import { type InstanceState, type SimInstance, stateCodes } from '../sim/instance.ts';
import type { Health } from '../sim/instance-status.ts';
import type { InstanceType } from '../sim/instance-types.ts';
import { SUBNET_ADDRESSES, type Subnet, type Vpc } from '../sim/networks.ts';
import type { Rule, SecurityGroup } from '../sim/security-groups.ts';
import type { XmlValue } from './xml.ts';

/** The account that everything belongs to. */
export const ACCOUNT = '123456789012';

export const timeXml = (at: number): string => new Date(at).toISOString();

export const tagSet = (tags: ReadonlyMap<string, string>): XmlValue =>
  [...tags].map(([key, value]) => ({ key, value }));

const groupSet = (groups: readonly { id: string; name: string }[]): XmlValue =>
  groups.map(({ id, name }) => ({ groupId: id, groupName: name }));

const dashed = (address: string): string => `ip-${address.replaceAll('.', '-')}`;

export const stateXml = (state: InstanceState): XmlValue => ({ code: stateCodes[state], name: state });

function networkXml(instance: SimInstance): Record<string, XmlValue> {
  const { address, publicAddress } = instance;
  if (address === null) return { privateDnsName: '', dnsName: '', networkInterfaceSet: [] };
  const groups = groupSet(instance.groups);
  return {
    privateDnsName: `${dashed(address)}.ec2.internal`,
    dnsName: publicAddress === null ? '' : `ec2-${publicAddress.replaceAll('.', '-')}.compute.amazonaws.com`,
    subnetId: instance.subnetId,
    vpcId: instance.vpcId,
    privateIpAddress: address,
    ipAddress: publicAddress,
    sourceDestCheck: true,
    groupSet: groups,
    networkInterfaceSet: [
      {
        networkInterfaceId: instance.volume.id.replace(/^vol-/, 'eni-'),
        subnetId: instance.subnetId,
        vpcId: instance.vpcId,
        ownerId: ACCOUNT,
        status: 'in-use',
        privateIpAddress: address,
        groupSet: groups,
        attachment: { deviceIndex: 0, status: 'attached', deleteOnTermination: true },
        association: publicAddress === null ? null : { publicIp: publicAddress, ipOwnerId: 'amazon' },
      },
    ],
  };
}

/** EC2's StateTransitionReason. */
const endWords = (code: string, at: number): string =>
  code.startsWith('Client.User')
    ? `User initiated (${timeXml(at).slice(0, 19).replace('T', ' ')} GMT)`
    : code;

export function instanceXml(instance: SimInstance): Record<string, XmlValue> {
  const { stateReason: why } = instance;
  return {
    instanceId: instance.id,
    imageId: instance.imageId,
    instanceState: stateXml(instance.state),
    reason: why === null ? '' : endWords(why.code, why.at),
    stateReason: why === null ? null : { code: why.code, message: why.message },
    keyName: instance.keyName,
    amiLaunchIndex: instance.launchIndex,
    instanceType: instance.type,
    launchTime: timeXml(instance.startedAt),
    placement: { availabilityZone: instance.zone, groupName: '', tenancy: 'default' },
    monitoring: { state: instance.monitoring ? 'enabled' : 'disabled' },
    architecture: instance.architecture,
    rootDeviceType: 'ebs',
    rootDeviceName: instance.rootDevice,
    blockDeviceMapping:
      instance.placed && instance.state !== 'pending'
        ? [{ deviceName: instance.rootDevice, ebs: { volumeId: instance.volume.id, status: 'attached' } }]
        : [],
    virtualizationType: 'hvm',
    instanceLifecycle: instance.market === 'spot' ? 'spot' : null,
    spotInstanceRequestId: instance.spotRequest,
    clientToken: instance.token ?? '',
    tagSet: tagSet(instance.tags),
    hypervisor: 'xen',
    iamInstanceProfile:
      instance.profile === null
        ? null
        : { arn: `arn:aws:iam::${ACCOUNT}:instance-profile/${instance.profile}`, id: 'AIPAEMULATED' },
    ebsOptimized: instance.ebsOptimized,
    enaSupport: true,
    metadataOptions: {
      state: 'applied',
      httpTokens: instance.metadata.tokens,
      httpPutResponseHopLimit: instance.metadata.hopLimit,
      httpEndpoint: 'enabled',
    },
    ...networkXml(instance),
  };
}

/** One item of DescribeInstanceStatus; EC2's two checks always agree here. */
export function statusXml({ instance, health }: { instance: SimInstance; health: Health }): XmlValue {
  const reachability = { ok: 'passed', impaired: 'failed' } as const;
  const details =
    health === 'not-applicable'
      ? []
      : [{ name: 'reachability', status: health === 'initializing' ? health : reachability[health] }];
  return {
    instanceId: instance.id,
    availabilityZone: instance.zone,
    instanceState: stateXml(instance.state),
    instanceStatus: { status: health, details },
    systemStatus: { status: health, details },
  };
}

/** Instances as reservations: those of one launch that follow each other share an item. */
export function reservationsXml(instances: readonly SimInstance[]): XmlValue {
  const reservations: { reservationId: string; instances: SimInstance[] }[] = [];
  for (const instance of instances) {
    const last = reservations.at(-1);
    if (last?.reservationId === instance.reservation) last.instances.push(instance);
    else reservations.push({ reservationId: instance.reservation, instances: [instance] });
  }
  return reservations.map(({ reservationId, instances: some }) => ({
    reservationId,
    ownerId: ACCOUNT,
    groupSet: [],
    instancesSet: some.map(instanceXml),
  }));
}

export const subnetXml = (subnet: Subnet): XmlValue => ({
  subnetId: subnet.id,
  subnetArn: `arn:aws:ec2:${subnet.zone.slice(0, -1)}:${ACCOUNT}:subnet/${subnet.id}`,
  state: 'available',
  vpcId: subnet.vpcId,
  cidrBlock: subnet.cidr,
  availableIpAddressCount: SUBNET_ADDRESSES - subnet.used,
  availabilityZone: subnet.zone,
  defaultForAz: subnet.defaultForZone,
  mapPublicIpOnLaunch: subnet.defaultForZone,
  ownerId: ACCOUNT,
  tagSet: tagSet(subnet.tags),
});

export const vpcXml = (vpc: Vpc): XmlValue => ({
  vpcId: vpc.id,
  ownerId: ACCOUNT,
  state: 'available',
  cidrBlock: vpc.cidr,
  isDefault: vpc.isDefault,
  instanceTenancy: 'default',
  tagSet: tagSet(vpc.tags),
});

export const ruleXml = (rule: Rule): XmlValue => ({
  ipProtocol: rule.protocol,
  fromPort: rule.fromPort,
  toPort: rule.toPort,
  groups: rule.source.startsWith('sg-') ? [{ groupId: rule.source, userId: ACCOUNT }] : [],
  ipRanges: /^[\d.]+\/\d+$/.test(rule.source) ? [{ cidrIp: rule.source, description: rule.description }] : [],
  ipv6Ranges: rule.source.includes(':') ? [{ cidrIpv6: rule.source, description: rule.description }] : [],
});

export const groupXml = (group: SecurityGroup): XmlValue => ({
  ownerId: ACCOUNT,
  groupId: group.id,
  groupName: group.name,
  groupDescription: group.description,
  vpcId: group.vpcId,
  ipPermissions: group.rules.map(ruleXml),
  ipPermissionsEgress: [
    ruleXml({ protocol: '-1', fromPort: null, toPort: null, source: '0.0.0.0/0', description: null }),
  ],
  tagSet: tagSet(group.tags),
});

export const imageXml = (image: Image): XmlValue => ({
  imageId: image.id,
  imageLocation: `${image.owner}/${image.name}`,
  imageState: 'available',
  imageOwnerId: image.owner,
  isPublic: true,
  creationDate: timeXml(image.createdAt),
  architecture: image.architecture,
  imageType: 'machine',
  name: image.name,
  rootDeviceType: 'ebs',
  rootDeviceName: image.rootDevice,
  blockDeviceMapping: [
    {
      deviceName: image.rootDevice,
      ebs: {
        snapshotId: image.snapshot,
        volumeSize: image.rootSizeGb,
        volumeType: 'gp3',
        deleteOnTermination: true,
      },
    },
  ],
  virtualizationType: 'hvm',
  hypervisor: 'xen',
  enaSupport: true,
  tagSet: tagSet(image.tags),
});

export const typeXml = (type: InstanceType): XmlValue => ({
  instanceType: type.name,
  currentGeneration: type.isCurrent,
  supportedUsageClasses: ['on-demand', 'spot'],
  bareMetal: type.isMetal,
  hypervisor: type.isNitro ? 'nitro' : 'xen',
  processorInfo: { supportedArchitectures: [type.architecture] },
  vCpuInfo: { defaultVCpus: type.vcpus },
  memoryInfo: { sizeInMiB: type.memoryMib },
  burstablePerformanceSupported: type.isBurstable,
  gpuInfo: type.gpus === 0 ? null : { gpus: [{ count: type.gpus }] },
});
