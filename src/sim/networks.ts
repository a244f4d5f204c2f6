// VPCs and subnets of one region. A default VPC with a subnet a zone is there from the start. Unless the world is
// strict, any well-formed `vpc-…` or `subnet-…` exists from its first mention on: a config's ids simply work.
// Trap: where such a subnet lies is a guess until a call says so (a filter, a zone at launch): guesses bend, facts don't.
import { refuse } from './ec2-error.ts';
import { checkIds } from './search.ts';
import { hexOf } from './seeded.ts';

export type Vpc = { order: number; id: string; cidr: string; isDefault: boolean; tags: Map<string, string> };

export type Subnet = {
  order: number;
  id: string;
  vpcId: string;
  zone: string;
  cidr: string;
  defaultForZone: boolean;
  /** True where vpcId or zone is a guess. */
  guessed: { vpc: boolean; zone: boolean };
  /** Addresses in use. */
  used: number;
  tags: Map<string, string>;
};

/** A /20, less the five addresses that EC2 keeps. */
export const SUBNET_ADDRESSES = 4091;

const sure = { vpc: false, zone: false } as const;

export type Networks = ReturnType<typeof createNetworks>;

/** The networks of a region with zones a, b, c. */
export function createNetworks(region: string, strict: boolean) {
  const zones = ['a', 'b', 'c'].map((letter) => `${region}${letter}`);
  const firstZone = `${region}a`;
  const vpcs = new Map<string, Vpc>();
  const subnets = new Map<string, Subnet>();
  let order = 0;

  const addSubnet = (
    id: string,
    vpcId: string,
    place: Pick<Subnet, 'zone' | 'defaultForZone' | 'guessed'>,
  ): Subnet => {
    const cidr = `172.31.${((subnets.size * 16) % 256).toString()}.0/20`;
    const subnet = { order: order++, id, vpcId, cidr, used: 0, tags: new Map<string, string>(), ...place };
    subnets.set(id, subnet);
    return subnet;
  };

  const addVpc = (id: string, isDefault: boolean): Vpc => {
    const vpc = { order: order++, id, cidr: '172.31.0.0/16', isDefault, tags: new Map<string, string>() };
    vpcs.set(id, vpc);
    for (const zone of zones) {
      const subnetId = `subnet-${hexOf(`${id}/${zone}`, 17)}`;
      addSubnet(subnetId, id, { zone, defaultForZone: isDefault, guessed: sure });
    }
    return vpc;
  };
  const home = addVpc(`vpc-${hexOf(region, 17)}`, true);

  const vpc = (id: string): Vpc => {
    checkIds('vpc', [id], 'InvalidVpcID.Malformed');
    const known = vpcs.get(id);
    if (known !== undefined) return known;
    return strict ? refuse('InvalidVpcID.NotFound', `The vpc ID '${id}' does not exist`) : addVpc(id, false);
  };

  /** The last VPC that was made by mention: most likely the home of a subnet that nothing else places. */
  const likelyVpc = (): string => [...vpcs.values()].at(-1)?.id ?? home.id;

  /** The subnet of that id; `hint` says what the call knows of where it lies. */
  const subnet = (
    id: string,
    hint: { vpcId?: string | undefined; zone?: string | undefined } = {},
  ): Subnet => {
    checkIds('subnet', [id], 'InvalidSubnetID.Malformed');
    let found = subnets.get(id);
    if (found === undefined) {
      if (strict) refuse('InvalidSubnetID.NotFound', `The subnet ID '${id}' does not exist`);
      const guessed = { vpc: true, zone: true };
      found = addSubnet(id, hint.vpcId ?? likelyVpc(), {
        zone: hint.zone ?? firstZone,
        defaultForZone: false,
        guessed,
      });
    }
    if (found.guessed.vpc && hint.vpcId !== undefined) {
      found.vpcId = vpc(hint.vpcId).id;
      found.guessed = { ...found.guessed, vpc: false };
    }
    if (found.guessed.zone && hint.zone !== undefined && zones.includes(hint.zone)) {
      found.zone = hint.zone;
      found.guessed = { ...found.guessed, zone: false };
    }
    return found;
  };

  return {
    region,
    strict,
    addVpc: (id: string): Vpc => vpcs.get(id) ?? addVpc(id, false),
    addSubnet: (id: string, vpcId: string, zone: string): Subnet =>
      subnets.get(id) ?? addSubnet(id, vpcId, { zone, defaultForZone: false, guessed: sure }),
    zones: zones as readonly string[],
    defaultVpc: home,
    vpc,
    subnet,
    vpcs: (): Vpc[] => [...vpcs.values()],
    subnets: (): Subnet[] => [...subnets.values()],

    /** A zone by its name; with an own endpoint docker-machine sends the bare letter, which is taken too. */
    zone(name: string): string {
      const full = /^[a-z]$/.test(name) ? `${region}${name}` : name;
      return zones.includes(full)
        ? full
        : refuse('InvalidParameterValue', `Invalid availability zone: [${name.slice(0, 40)}]`);
    },

    /** Subnets that a launch without one may use, by zone in order. */
    defaultSubnets: (): Subnet[] => [...subnets.values()].filter((one) => one.defaultForZone),
  };
}

/** Says where a subnet lies, as its owner knows it; makes it and its VPC where they do not exist. */
export function placeSubnet(networks: Networks, id: string, where: { vpcId: string; zone: string }): Subnet {
  const { vpcId, zone } = where;
  checkIds('subnet', [id], 'InvalidSubnetID.Malformed');
  checkIds('vpc', [vpcId], 'InvalidVpcID.Malformed');
  if (!networks.zones.includes(zone)) {
    refuse('InvalidParameterValue', `Invalid availability zone: [${zone.slice(0, 40)}]`);
  }
  networks.addVpc(vpcId);
  return Object.assign(networks.addSubnet(id, vpcId, zone), { vpcId, zone, guessed: sure });
}
