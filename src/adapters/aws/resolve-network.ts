// Which subnet, zone and VPC a pool's instances go to: as the options say, checked against EC2, or chosen as
// docker-machine would (a default subnet of the VPC and zone), with the most free addresses first.
import type { Filter, Subnet } from '@aws-sdk/client-ec2';
import type { LaunchSpec } from '../../domain/config.ts';
import type { HostlerError } from '../../domain/error.ts';
import { refusal } from '../../domain/outcome.ts';
import { unreadableAnswer } from './errors.ts';
import type { SiteCalls } from './site-calls.ts';

export type ResolvedNetwork = { subnetId: string; zone: string | null; vpcId: string | null };

type Deps = { calls: SiteCalls; signal: AbortSignal };

/** The subnets to choose from, the first first, all of one VPC. Throws `cloud-refused`; see `resolveNetwork`. */
export async function resolveNetworks(
  spec: LaunchSpec,
  deps: Deps,
): Promise<readonly [ResolvedNetwork, ...ResolvedNetwork[]]> {
  const ids = spec.subnetIds;
  if (ids.length < 2) return [await resolveNetwork(spec, deps)];
  const found = await describeSubnets({ SubnetIds: [...ids] }, deps);
  const [first, ...rest] = ids.map((id) => {
    const subnet = found.find((one) => one.SubnetId === id);
    if (subnet === undefined) throw noSuchSubnet(id);
    return checkSubnet(spec, subnet);
  });
  if (first === undefined) return [await resolveNetwork(spec, deps)];
  const stray = rest.find(({ vpcId }) => vpcId !== first.vpcId);
  if (stray === undefined) return [first, ...rest];
  throw wrong(
    'Hostler.SubnetElsewhere',
    `subnet ${stray.subnetId} is in ${stray.vpcId ?? 'another VPC'}, ${first.subnetId} in ${first.vpcId ?? 'another'}: the subnets of a pool share one VPC`,
  );
}

/** Throws `cloud-refused`; what contradicts itself or does not exist is `invalid`. */
async function resolveNetwork(spec: LaunchSpec, deps: Deps): Promise<ResolvedNetwork> {
  if (spec.subnetId !== null) return checkSubnet(spec, await oneSubnet(spec.subnetId, spec, deps));
  const vpcId = spec.vpcId ?? (await defaultVpc(spec, deps));
  const filters = [
    { Name: 'vpc-id', Values: [vpcId] },
    ...(spec.zone === null ? [] : [{ Name: 'availability-zone', Values: [spec.zone] }]),
  ];
  const chosen = (await describeSubnets({ Filters: filters }, deps)).toSorted(bySuitability)[0];
  if (chosen === undefined) {
    const place = spec.zone === null ? vpcId : `${vpcId} in zone ${spec.zone}`;
    throw wrong(
      'Hostler.NoSubnet',
      `there is no subnet of ${place}; set amazonec2-subnet-id or amazonec2-zone`,
    );
  }
  return networkOf(chosen);
}

function checkSubnet(spec: LaunchSpec, subnet: Subnet): ResolvedNetwork {
  const network = networkOf(subnet);
  if (spec.vpcId !== null && network.vpcId !== null && spec.vpcId !== network.vpcId) {
    throw wrong(
      'Hostler.SubnetElsewhere',
      `amazonec2-subnet-id ${network.subnetId} is in ${network.vpcId}, not in amazonec2-vpc-id ${spec.vpcId}`,
    );
  }
  if (spec.zone !== null && network.zone !== null && spec.zone !== network.zone) {
    throw wrong(
      'Hostler.SubnetElsewhere',
      `amazonec2-subnet-id ${network.subnetId} is in zone ${network.zone}, not in amazonec2-zone ${spec.zone}`,
    );
  }
  return { ...network, zone: network.zone ?? spec.zone, vpcId: network.vpcId ?? spec.vpcId };
}

/** Asks with what the pool says of its place; when that finds nothing, without, so that the message can name the truth. */
async function oneSubnet(id: string, spec: LaunchSpec, deps: Deps): Promise<Subnet> {
  const place = [
    ...(spec.vpcId === null ? [] : [{ Name: 'vpc-id', Values: [spec.vpcId] }]),
    ...(spec.zone === null ? [] : [{ Name: 'availability-zone', Values: [spec.zone] }]),
  ];
  const ask = async (filters: typeof place): Promise<Subnet | undefined> => {
    const asked = { SubnetIds: [id], ...(filters.length === 0 ? {} : { Filters: filters }) };
    return (await describeSubnets(asked, deps)).find((subnet) => subnet.SubnetId === id);
  };
  const found = (await ask(place)) ?? (place.length === 0 ? undefined : await ask([]));
  if (found === undefined) throw noSuchSubnet(id);
  return found;
}

function noSuchSubnet(id: string): HostlerError {
  return wrong(
    'InvalidSubnetID.NotFound',
    `the subnet ${id} does not exist in this region (amazonec2-subnet-id)`,
  );
}

async function defaultVpc(spec: LaunchSpec, deps: Deps): Promise<string> {
  const { DescribeVpcsCommand } = await import('@aws-sdk/client-ec2');
  const command = new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['true'] }] });
  const answer = await deps.calls.call({ action: 'DescribeVpcs', signal: deps.signal }, (clients, signal) =>
    clients.describe.send(command, { abortSignal: signal }),
  );
  if (answer.Vpcs === undefined)
    throw refusal('DescribeVpcs', unreadableAnswer('DescribeVpcs', 'without a list'));
  const id = answer.Vpcs.find((vpc) => vpc.VpcId !== undefined)?.VpcId;
  if (id !== undefined) return id;
  throw wrong(
    'Hostler.NoDefaultVpc',
    `${spec.site.region} has no default VPC; set amazonec2-vpc-id and amazonec2-subnet-id`,
  );
}

async function describeSubnets(
  query: { SubnetIds: string[] } | { Filters: Filter[] },
  deps: Deps,
): Promise<Subnet[]> {
  const { DescribeSubnetsCommand } = await import('@aws-sdk/client-ec2');
  const answer = await deps.calls.call(
    { action: 'DescribeSubnets', signal: deps.signal },
    (clients, signal) => clients.describe.send(new DescribeSubnetsCommand(query), { abortSignal: signal }),
  );
  if (answer.Subnets === undefined)
    throw refusal('DescribeSubnets', unreadableAnswer('DescribeSubnets', 'without a subnet list'));
  return answer.Subnets;
}

function networkOf(subnet: Subnet): ResolvedNetwork {
  if (subnet.SubnetId === undefined)
    throw refusal('DescribeSubnets', unreadableAnswer('DescribeSubnets', 'with a subnet without id'));
  return { subnetId: subnet.SubnetId, zone: subnet.AvailabilityZone ?? null, vpcId: subnet.VpcId ?? null };
}

/** The zone's default subnet first, then room, then the id, so that equal answers choose the same subnet. */
function bySuitability(a: Subnet, b: Subnet): number {
  return (
    Number(b.DefaultForAz ?? false) - Number(a.DefaultForAz ?? false) ||
    (b.AvailableIpAddressCount ?? 0) - (a.AvailableIpAddressCount ?? 0) ||
    ((a.SubnetId ?? '') < (b.SubnetId ?? '') ? -1 : 1)
  );
}

function wrong(code: string, message: string): HostlerError {
  return refusal('DescribeSubnets', { kind: 'invalid', scope: 'pool', code, message });
}
