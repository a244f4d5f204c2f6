// Group names → ids in the pool's VPC. A group that is missing is made, and ports that no group opens are opened, unless
// `amazonec2-security-group-readonly` says no. What hostler opens for itself is open to the manager's own addresses only.
// Trap: a rule from someone else for the same port counts as open, whatever its source: hostler never widens it.
import type { IpPermission, SecurityGroup } from '@aws-sdk/client-ec2';
import type { LaunchSpec } from '../../domain/config.ts';
import { outcomeOf, refusal } from '../../domain/outcome.ts';
import type { DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HostPorts } from '../../ports/cloud.ts';
import type { Log } from '../../ports/log.ts';
import { unreadableAnswer } from './errors.ts';
import type { SiteCalls } from './site-calls.ts';

type Deps = {
  calls: SiteCalls;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  /** IPv4 addresses of this manager, without prefix length. */
  managerAddresses: readonly string[];
  hostPorts: HostPorts;
};

type Rule = { port: number; protocol: string; cidrs: readonly string[] };

/** Marks groups made by hostler: their rules must name this manager, others' rules are left as they are. */
const DESCRIPTION = 'Made by hostler: SSH and Docker from its manager';

/** A new group can be unknown to the next call for some seconds (eventual consistency): tries, and ms between them. */
const RULE_TRIES = 5;
const RULE_PAUSE_MS: DurationMs = 1_000;

/** Ids in the order of the options. Throws `cloud-refused`; a missing group under read-only is `invalid`. */
export async function resolveSecurityGroups(
  spec: LaunchSpec,
  vpcId: string | null,
  deps: Deps,
): Promise<string[]> {
  const names = spec.securityGroups.filter((name) => !isGroupId(name));
  if (names.length === 0) return [...spec.securityGroups];
  const known = await describeGroups(names, vpcId, deps);
  const missing = names.filter((name) => !known.some((group) => group.GroupName === name));
  if (missing.length > 0 && spec.securityGroupReadonly) {
    throw refusal('DescribeSecurityGroups', {
      kind: 'invalid',
      scope: 'pool',
      code: 'InvalidGroup.NotFound',
      message: `${vpcId ?? 'the default VPC'} has no security group named ${missing.join(', ')}, and amazonec2-security-group-readonly forbids to make it`,
    });
  }
  const made: SecurityGroup[] = [];
  for (const name of missing) made.push(await createGroup(name, vpcId, deps));
  const groups = [...known, ...made];
  const hasForeignIds = names.length < spec.securityGroups.length;
  // Rules of groups given by id are not read, so nothing can be said about what is missing beside them.
  if (!spec.securityGroupReadonly && (made.length > 0 || !hasForeignIds)) {
    await openPorts(spec, groups, made, deps);
  }
  return spec.securityGroups.map((name) => {
    const id = isGroupId(name) ? name : groups.find((group) => group.GroupName === name)?.GroupId;
    if (id === undefined)
      throw refusal(
        'DescribeSecurityGroups',
        unreadableAnswer('DescribeSecurityGroups', 'with a group without id'),
      );
    return id;
  });
}

function isGroupId(name: string): boolean {
  return /^sg-[0-9a-f]+$/.test(name);
}

async function describeGroups(
  names: readonly string[],
  vpcId: string | null,
  deps: Deps,
): Promise<SecurityGroup[]> {
  const { DescribeSecurityGroupsCommand } = await import('@aws-sdk/client-ec2');
  const command = new DescribeSecurityGroupsCommand({
    Filters: [
      { Name: 'group-name', Values: [...names] },
      ...(vpcId === null ? [] : [{ Name: 'vpc-id', Values: [vpcId] }]),
    ],
  });
  const order = { action: 'DescribeSecurityGroups', signal: deps.signal };
  const answer = await deps.calls.call(order, (clients, signal) =>
    clients.describe.send(command, { abortSignal: signal }),
  );
  if (answer.SecurityGroups === undefined)
    throw refusal(order.action, unreadableAnswer(order.action, 'without a group list'));
  return answer.SecurityGroups;
}

async function createGroup(name: string, vpcId: string | null, deps: Deps): Promise<SecurityGroup> {
  const { CreateSecurityGroupCommand } = await import('@aws-sdk/client-ec2');
  const command = new CreateSecurityGroupCommand({
    GroupName: name,
    Description: DESCRIPTION,
    ...(vpcId !== null && { VpcId: vpcId }),
  });
  const order = { action: 'CreateSecurityGroup', signal: deps.signal };
  try {
    const answer = await deps.calls.call(order, (clients, signal) =>
      clients.describe.send(command, { abortSignal: signal }),
    );
    if (answer.GroupId === undefined)
      throw refusal(order.action, unreadableAnswer(order.action, 'without a group id'));
    deps.log.info('security group made', { group: name, id: answer.GroupId, vpc: vpcId });
    return { GroupId: answer.GroupId, GroupName: name, Description: DESCRIPTION, IpPermissions: [] };
  } catch (error) {
    // Another pool, or another manager, made it in between.
    if (outcomeOf(error)?.code !== 'InvalidGroup.Duplicate') throw error;
    const found = (await describeGroups([name], vpcId, deps)).find((group) => group.GroupName === name);
    if (found === undefined) throw error;
    return found;
  }
}

async function openPorts(
  spec: LaunchSpec,
  groups: readonly SecurityGroup[],
  made: readonly SecurityGroup[],
  deps: Deps,
): Promise<void> {
  const managerCidrs = deps.managerAddresses.map((one) => `${one}/32`);
  const wanted: Rule[] = [
    ...[deps.hostPorts.ssh, deps.hostPorts.docker].map((port) => ({
      port,
      protocol: 'tcp',
      cidrs: managerCidrs,
    })),
    ...spec.openPorts.map(readOpenPort),
  ];
  const missing = wanted.filter((rule) => rule.cidrs.length > 0 && !isOpen(rule, groups));
  const target = made[0] ?? groups[0];
  if (missing.length === 0 || target === undefined) return;
  try {
    await authorize(target, missing, deps);
  } catch (error) {
    // Groups that the user made may be looked after elsewhere; a host that cannot be reached says so by itself.
    if (made.length > 0 || outcomeOf(error)?.kind !== 'denied') throw error;
    deps.log.warn('EC2 does not allow to open ports in the security group; open them by hand', {
      group: target.GroupName,
      ports: missing.map((rule) => `${rule.port}/${rule.protocol}`).join(' '),
      for: managerCidrs.join(' '),
    });
    return;
  }
  deps.log.info('security group opened', {
    group: target.GroupName,
    rules: missing.map((rule) => `${rule.port}/${rule.protocol} from ${rule.cidrs.join(',')}`).join('; '),
  });
  if (!spec.privateAddressOnly && !spec.usePrivateAddress) {
    deps.log.warn(
      'hosts are reached by their public address, but only private addresses of this manager were let in; add its public address to the group, or set amazonec2-use-private-address',
      { group: target.GroupName },
    );
  }
}

async function authorize(target: SecurityGroup, rules: readonly Rule[], deps: Deps): Promise<void> {
  const { AuthorizeSecurityGroupIngressCommand } = await import('@aws-sdk/client-ec2');
  const command = () =>
    new AuthorizeSecurityGroupIngressCommand({
      GroupId: target.GroupId,
      IpPermissions: rules.map((rule) => ({
        IpProtocol: rule.protocol,
        FromPort: rule.port,
        ToPort: rule.port,
        IpRanges: rule.cidrs.map((cidr) => ({ CidrIp: cidr, Description: 'hostler' })),
      })),
    });
  const order = { action: 'AuthorizeSecurityGroupIngress', signal: deps.signal };
  for (let attempt = 1; ; attempt += 1) {
    try {
      await deps.calls.call(order, (clients, signal) =>
        clients.describe.send(command(), { abortSignal: signal }),
      );
      return;
    } catch (error) {
      const code = outcomeOf(error)?.code;
      // One rule that is there already refuses the whole call, so the others go one by one.
      if (code === 'InvalidPermission.Duplicate') {
        if (rules.length === 1 && rules[0]?.cidrs.length === 1) return;
        for (const rule of rules)
          for (const cidr of rule.cidrs) await authorize(target, [{ ...rule, cidrs: [cidr] }], deps);
        return;
      }
      if (code !== 'InvalidGroup.NotFound' || attempt >= RULE_TRIES) throw error;
      await deps.clock.sleep(RULE_PAUSE_MS, deps.signal);
    }
  }
}

/** `8080` or `8080/udp`, from everywhere, as docker-machine does it. */
function readOpenPort(text: string): Rule {
  const [port = '', protocol = 'tcp'] = text.split('/');
  return { port: Number(port), protocol, cidrs: ['0.0.0.0/0'] };
}

function isOpen(rule: Rule, groups: readonly SecurityGroup[]): boolean {
  return groups.some((group) =>
    (group.IpPermissions ?? []).some(
      (permission) =>
        coversPort(permission, rule) &&
        (group.Description !== DESCRIPTION || coversSources(permission, rule.cidrs)),
    ),
  );
}

function coversPort(permission: IpPermission, rule: Rule): boolean {
  if (permission.IpProtocol === '-1') return true;
  return (
    permission.IpProtocol === rule.protocol &&
    (permission.FromPort ?? 0) <= rule.port &&
    rule.port <= (permission.ToPort ?? 65_535)
  );
}

function coversSources(permission: IpPermission, cidrs: readonly string[]): boolean {
  const open = (permission.IpRanges ?? []).map((range) => range.CidrIp);
  return cidrs.every((cidr) => open.includes(cidr) || open.includes('0.0.0.0/0'));
}
