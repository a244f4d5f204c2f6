// DescribeVpcs and DescribeSubnets. Naming a VPC or subnet here makes it exist unless the world is strict, and filters
// tell where a guessed subnet lies.
import type { Networks, Subnet, Vpc } from './networks.ts';
import { type Fields, type Filter, matching, pageOf, plainValues, type Query } from './search.ts';

const vpcFields: Fields<Vpc> = {
  'vpc-id': (vpc) => [vpc.id],
  'is-default': (vpc) => [String(vpc.isDefault)],
  isDefault: (vpc) => [String(vpc.isDefault)],
  cidr: (vpc) => [vpc.cidr],
  'cidr-block': (vpc) => [vpc.cidr],
  state: () => ['available'],
};

const subnetFields: Fields<Subnet> = {
  'subnet-id': (subnet) => [subnet.id],
  'vpc-id': (subnet) => [subnet.vpcId],
  'availability-zone': (subnet) => [subnet.zone],
  availabilityZone: (subnet) => [subnet.zone],
  'default-for-az': (subnet) => [String(subnet.defaultForZone)],
  defaultForAz: (subnet) => [String(subnet.defaultForZone)],
  'cidr-block': (subnet) => [subnet.cidr],
  state: () => ['available'],
};

export function describeVpcs(networks: Networks, query: Query) {
  const named = networks.strict ? [] : plainValues(query.filters, 'vpc-id');
  for (const id of named) networks.vpc(id);
  const some = query.ids.length > 0 ? query.ids.map((id) => networks.vpc(id)) : networks.vpcs();
  return pageOf(matching(some, query.filters, vpcFields), query.page);
}

/** With an own endpoint docker-machine asks for zone `a`, without the region. */
function fullZones(filter: Filter, region: string): Filter {
  if (filter.name !== 'availability-zone' && filter.name !== 'availabilityZone') return filter;
  const values = filter.values.map((value) => (/^[a-z]$/.test(value) ? `${region}${value}` : value));
  return { name: 'availability-zone', values };
}

export function describeSubnets(networks: Networks, query: Query) {
  const filters = query.filters.map((filter) => fullZones(filter, networks.region));
  const vpcIds = plainValues(filters, 'vpc-id');
  const zones = plainValues(filters, 'availability-zone');
  const hint = {
    vpcId: vpcIds.length === 1 ? vpcIds[0] : undefined,
    zone: zones.length === 1 ? zones[0] : undefined,
  };
  if (!networks.strict) {
    for (const id of vpcIds) networks.vpc(id);
    for (const id of plainValues(filters, 'subnet-id')) networks.subnet(id, hint);
  }
  const some = query.ids.length > 0 ? query.ids.map((id) => networks.subnet(id, hint)) : networks.subnets();
  return pageOf(matching(some, filters, subnetFields), query.page);
}
