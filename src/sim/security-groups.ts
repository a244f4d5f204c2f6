// Security groups of one region: found by name in a VPC or by id, created, opened. They guard nothing here; what
// counts is that the calls answer as EC2 does. Unless the world is strict, any name and any well-formed id exists.
import { refuse } from './ec2-error.ts';
import type { Networks } from './networks.ts';
import { checkIds, type Fields, matching, pageOf, plainValues, type Query } from './search.ts';
import { hexOf, type Seeded } from './seeded.ts';
import { checkTags, type Tag, tagMap } from './tags.ts';

export type Rule = {
  protocol: string;
  /** null: all ports. */
  fromPort: number | null;
  toPort: number | null;
  /** `10.0.0.0/8`, or the id of a group. */
  source: string;
  description: string | null;
};

export type SecurityGroup = {
  order: number;
  id: string;
  name: string;
  description: string;
  /** null: an id of which only the id is known. */
  vpcId: string | null;
  rules: Rule[];
  tags: Map<string, string>;
};

/** EC2's default quota of inbound rules a group. */
const RULES_AT_MOST = 60;

const fields: Fields<SecurityGroup> = {
  'group-id': (group) => [group.id],
  'group-name': (group) => [group.name],
  'vpc-id': (group) => [group.vpcId],
  description: (group) => [group.description],
};

const ruleKey = (rule: Rule): string => `${rule.protocol}/${rule.fromPort}/${rule.toPort}/${rule.source}`;

export type SecurityGroups = ReturnType<typeof createSecurityGroups>;

export function createSecurityGroups(random: Seeded, strict: boolean) {
  const groups = new Map<string, SecurityGroup>();
  let order = 0;

  const add = (group: Pick<SecurityGroup, 'id' | 'name' | 'description' | 'vpcId'>): SecurityGroup => {
    const added = { order: order++, rules: [], tags: new Map<string, string>(), ...group };
    groups.set(group.id, added);
    return added;
  };
  const inVpc = (name: string, vpcId: string): SecurityGroup | undefined =>
    [...groups.values()].find((group) => group.name === name && group.vpcId === vpcId);

  const byName = (name: string, vpcId: string): SecurityGroup => {
    const found = inVpc(name, vpcId);
    if (found !== undefined) return found;
    if (strict && name !== 'default') {
      refuse('InvalidGroup.NotFound', `The security group '${name}' does not exist in VPC '${vpcId}'`);
    }
    const description = name === 'default' ? 'default VPC security group' : `${name}, there before`;
    return add({ id: `sg-${hexOf(`${vpcId}/${name}`, 17)}`, name, description, vpcId });
  };

  const byId = (id: string): SecurityGroup => {
    checkIds('sg', [id], 'InvalidGroupId.Malformed');
    const found = groups.get(id);
    if (found !== undefined) return found;
    if (strict) refuse('InvalidGroup.NotFound', `The security group '${id}' does not exist`);
    return add({ id, name: `name-of-${id}`, description: 'there before', vpcId: null });
  };

  return {
    byName,
    byId,

    inVpc,
    all: (): SecurityGroup[] => [...groups.values()],
    strict,

    add: (name: string, description: string, vpcId: string): SecurityGroup =>
      add({ id: `sg-${random.hex(17)}`, name, description, vpcId }),
  };
}

/** DescribeSecurityGroups; `names` are looked up in the default VPC, as EC2 does. */
export function describeGroups(
  groups: SecurityGroups,
  networks: Networks,
  query: Query & { names: readonly string[] },
) {
  const home = networks.defaultVpc.id;
  const named = [
    ...query.ids.map((id) => groups.byId(id)),
    ...query.names.map((name) => groups.byName(name, home)),
  ];
  if (!groups.strict) {
    const vpcIds = plainValues(query.filters, 'vpc-id');
    for (const id of vpcIds) networks.vpc(id);
    for (const name of plainValues(query.filters, 'group-name')) {
      for (const vpcId of vpcIds.length > 0 ? vpcIds : [home]) groups.byName(name, vpcId);
    }
    for (const id of plainValues(query.filters, 'group-id')) groups.byId(id);
  }
  const some = query.ids.length + query.names.length > 0 ? named : groups.all();
  return pageOf(matching(some, query.filters, fields), query.page);
}

export type GroupWish = { name: string; description: string; vpcId: string | null; tags: readonly Tag[] };

/** CreateSecurityGroup, without rules. */
export function createGroup(groups: SecurityGroups, networks: Networks, wish: GroupWish): SecurityGroup {
  const { name, description, vpcId, tags } = wish;
  if (name === '' || name.length > 255 || name.startsWith('sg-')) {
    refuse('InvalidParameterValue', `Value (${name.slice(0, 80)}) for parameter GroupName is invalid.`);
  }
  if (description === '') {
    refuse('MissingParameter', 'The request must contain the parameter GroupDescription');
  }
  checkTags(tags);
  const vpc = vpcId === null ? networks.defaultVpc : networks.vpc(vpcId);
  if (groups.inVpc(name, vpc.id) !== undefined) {
    refuse('InvalidGroup.Duplicate', `The security group '${name}' already exists for VPC '${vpc.id}'`);
  }
  const made = groups.add(name, description, vpc.id);
  made.tags = tagMap(tags);
  return made;
}

/** AuthorizeSecurityGroupIngress: adds all rules or, with a duplicate among them, none. */
export function authorizeIngress(group: SecurityGroup, rules: readonly Rule[]): void {
  if (rules.length === 0) refuse('MissingParameter', 'The request must contain the parameter ipPermissions');
  const seen = new Set(group.rules.map(ruleKey));
  for (const rule of rules) {
    const key = ruleKey(rule);
    if (seen.has(key)) {
      const ports = `${rule.protocol}, from port: ${rule.fromPort}, to port: ${rule.toPort}`;
      refuse(
        'InvalidPermission.Duplicate',
        `the specified rule "peer: ${rule.source}, ${ports}, ALLOW" already exists`,
      );
    }
    seen.add(key);
  }
  if (seen.size > RULES_AT_MOST) {
    refuse(
      'RulesPerSecurityGroupLimitExceeded',
      'The maximum number of rules per security group has been reached.',
    );
  }
  group.rules.push(...rules);
}
