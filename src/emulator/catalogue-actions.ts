// Calls about what EC2 has on offer: types, where they are offered, what spot machines cost. And volumes, which are
// listed and deleted alike.

import { refuse } from '../sim/ec2-error.ts';
import { type InstanceType, instanceType, listedTypes } from '../sim/instance-types.ts';
import { describeOfferings } from '../sim/offerings.ts';
import { matching, pageOf, type Fields as Reads } from '../sim/search.ts';
import type { Volume } from '../sim/volumes.ts';
import { type Ec2Action, type Fields, paged, required } from './ec2-action.ts';
import { tagSet, timeXml, typeXml } from './ec2-answers.ts';
import { readDescribe } from './ec2-requests.ts';

type Listed<T> = T & { order: number; tags: ReadonlyMap<string, string> };

const noTags = new Map<string, string>();

const listed = <T>(things: readonly T[]): Listed<T>[] =>
  things.map((thing, order) => ({ ...thing, order, tags: noTags }));

const typeReads: Reads<Listed<InstanceType>> = {
  'instance-type': (type) => [type.name],
  'processor-info.supported-architecture': (type) => [type.architecture],
  'current-generation': (type) => [String(type.isCurrent)],
  hypervisor: (type) => [type.isNitro ? 'nitro' : 'xen'],
  'bare-metal': (type) => [String(type.isMetal)],
  'burstable-performance-supported': (type) => [String(type.isBurstable)],
  'vcpu-info.default-vcpus': (type) => [String(type.vcpus)],
  'memory-info.size-in-mib': (type) => [String(type.memoryMib)],
  'supported-usage-class': () => ['on-demand', 'spot'],
};

function typeOf(name: string): InstanceType {
  return (
    instanceType(name) ??
    refuse(
      'InvalidInstanceType',
      `The following supplied instance types do not exist: [${name.slice(0, 60)}]`,
    )
  );
}

const instanceTypes: Ec2Action = (_region, params) => {
  const names = params.list('InstanceType');
  const query = readDescribe(params, 'InstanceType');
  if (names.length > 100) refuse('InvalidParameterValue', 'At most 100 instance types may be named.');
  if (names.length > 0 && query.page.maxResults !== null) {
    refuse('InvalidParameterCombination', 'MaxResults cannot be used with a list of instance types.');
  }
  const types = listed((names.length > 0 ? names : listedTypes).map(typeOf));
  return paged('instanceTypeSet', pageOf(matching(types, query.filters, typeReads), query.page), typeXml);
};

const offerings: Ec2Action = (region, params) => {
  const by = params.text('LocationType') ?? 'region';
  const query = readDescribe(params, 'NoSuchList');
  const named = query.filters.filter(({ name }) => name === 'instance-type').flatMap(({ values }) => values);
  const types = [...new Set([...listedTypes, ...named.filter((name) => instanceType(name) !== null)])];
  const page = describeOfferings(
    region.offerings,
    { region: region.name, zones: region.networks.zones, types },
    { ...query, by },
  );
  return paged('instanceTypeOfferingSet', page, ({ type, location }) => ({
    instanceType: type,
    locationType: by,
    location,
  }));
};

type SpotPrice = { type: string; zone: string; product: string; usd: number };

const priceReads: Reads<Listed<SpotPrice>> = {
  'instance-type': (price) => [price.type],
  'availability-zone': (price) => [price.zone],
  'product-description': (price) => [price.product],
};

/** The prices in force only: the model keeps no history. */
const spotPriceHistory: Ec2Action = (region, params) => {
  const names = params.list('InstanceType');
  const products = params.list('ProductDescription');
  const zone = params.text('AvailabilityZone');
  const query = readDescribe(params, 'NoSuchList');
  const zones = region.networks.zones.filter((one) => zone === null || one === zone);
  const prices = (names.length > 0 ? names : listedTypes).flatMap((name) => {
    const type = typeOf(name);
    return zones
      .filter((one) => region.offerings.has(name, one))
      .flatMap((one) =>
        (products.length > 0 ? products : ['Linux/UNIX']).map((product) => ({
          type: name,
          zone: one,
          product,
          usd: region.prices.of(type, one),
        })),
      );
  });
  const page = pageOf(matching(listed(prices), query.filters, priceReads), query.page);
  return paged('spotPriceHistorySet', page, (price) => ({
    instanceType: price.type,
    productDescription: price.product,
    spotPrice: price.usd.toFixed(6),
    timestamp: timeXml(region.now()),
    availabilityZone: price.zone,
  }));
};

const volumeXml = (volume: Volume): Fields => ({
  volumeId: volume.id,
  size: volume.sizeGb,
  volumeType: volume.type,
  encrypted: volume.encrypted,
  availabilityZone: volume.zone,
  status: volume.state,
  createTime: timeXml(volume.createdAt),
  attachmentSet:
    volume.instanceId === null
      ? []
      : [
          {
            volumeId: volume.id,
            instanceId: volume.instanceId,
            device: volume.device,
            status: 'attached',
            deleteOnTermination: volume.deleteOnTermination,
          },
        ],
  tagSet: tagSet(volume.tags),
});

export const catalogueActions: Readonly<Record<string, Ec2Action>> = {
  DescribeInstanceTypes: instanceTypes,
  DescribeInstanceTypeOfferings: offerings,
  DescribeSpotPriceHistory: spotPriceHistory,
  DescribeVolumes: (region, params) =>
    paged('volumeSet', region.volumes.describe(readDescribe(params, 'VolumeId')), volumeXml),
  DeleteVolume: (region, params) => {
    region.volumes.remove(required(params, 'VolumeId'));
    return { return: true };
  },
};
