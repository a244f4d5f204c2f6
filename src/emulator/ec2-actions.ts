// The EC2 calls that the emulator serves: each reads its parameters, asks the world, and gives XML elements back.
// A new call is one entry here; limits, failures, dry runs and errors are the same for all (dispatch.ts).

import { describeSubnets, describeVpcs } from '../sim/describe-networks.ts';
import { refuse } from '../sim/ec2-error.ts';
import { instanceType, listedTypes } from '../sim/instance-types.ts';
import type { Region } from '../sim/region.ts';
import { authorizeIngress, createGroup, describeGroups } from '../sim/security-groups.ts';
import {
  ACCOUNT,
  groupXml,
  imageXml,
  instanceXml,
  reservationsXml,
  ruleXml,
  spotRequestXml,
  stateXml,
  subnetXml,
  typeXml,
  vpcXml,
} from './ec2-answers.ts';
import { readDescribe, readRules, readRun, readTags } from './ec2-requests.ts';
import type { QueryParams } from './query-params.ts';
import type { XmlValue } from './xml.ts';

type Fields = Readonly<Record<string, XmlValue>>;
export type Ec2Action = (region: Region, params: QueryParams) => Fields;

const paged = <T>(
  name: string,
  page: { things: readonly T[]; nextToken: string | null },
  xml: (thing: T) => XmlValue,
): Fields => ({ [name]: page.things.map(xml), nextToken: page.nextToken });

const tagsFor = (params: QueryParams, resource: string) =>
  params
    .structs('TagSpecification')
    .filter((specification) => specification.text('ResourceType') === resource)
    .flatMap((specification) => readTags(specification));

const required = (params: QueryParams, name: string): string =>
  params.text(name) ?? refuse('MissingParameter', `The request must contain the parameter ${name}`);

const runInstances: Ec2Action = (region, params) => {
  const instances = region.runInstances(readRun(params));
  return {
    reservationId: instances[0]?.reservation,
    ownerId: ACCOUNT,
    groupSet: [],
    instancesSet: instances.map(instanceXml),
  };
};

const describeInstances: Ec2Action = (region, params) => {
  const page = region.instances.describe(readDescribe(params, 'InstanceId'));
  return { reservationSet: reservationsXml(page.things), nextToken: page.nextToken };
};

const terminateInstances: Ec2Action = (region, params) => ({
  instancesSet: region.terminateInstances(params.list('InstanceId')).map(({ id, before, after }) => ({
    instanceId: id,
    currentState: stateXml(after),
    previousState: stateXml(before),
  })),
});

const consoleOutput: Ec2Action = (region, params) => {
  const id = required(params, 'InstanceId');
  const output = region.instances.console(id);
  return {
    instanceId: id,
    timestamp: new Date(output?.at ?? region.now()).toISOString(),
    output: output === null ? null : Buffer.from(output.text).toString('base64'),
  };
};

const accountAttributes: Ec2Action = (region, params) => {
  const values = new Map([
    ['default-vpc', region.networks.defaultVpc.id],
    ['supported-platforms', 'VPC'],
    ['max-instances', '20'],
  ]);
  const names = params.list('AttributeName');
  return {
    accountAttributeSet: (names.length > 0 ? names : [...values.keys()]).map((name) => ({
      attributeName: name,
      attributeValueSet: [
        {
          attributeValue:
            values.get(name) ?? refuse('InvalidParameterValue', `No account attribute '${name}'.`),
        },
      ],
    })),
  };
};

const instanceTypes: Ec2Action = (_region, params) => {
  const names = params.list('InstanceType');
  return {
    instanceTypeSet: (names.length > 0 ? names : listedTypes).map((name) =>
      typeXml(
        instanceType(name) ??
          refuse(
            'InvalidInstanceType',
            `The following supplied instance types do not exist: [${name.slice(0, 60)}]`,
          ),
      ),
    ),
  };
};

const createSecurityGroup: Ec2Action = (region, params) => {
  const group = createGroup(region.groups, region.networks, {
    name: params.text('GroupName') ?? '',
    description: params.text('GroupDescription') ?? '',
    vpcId: params.text('VpcId'),
    tags: tagsFor(params, 'security-group'),
  });
  return { return: true, groupId: group.id };
};

const authorize: Ec2Action = (region, params) => {
  const rules = readRules(params);
  authorizeIngress(region.groups.byId(required(params, 'GroupId')), rules);
  return { return: true, securityGroupRuleSet: rules.map(ruleXml) };
};

const actions: Readonly<Record<string, Ec2Action>> = {
  RunInstances: runInstances,
  DescribeInstances: describeInstances,
  TerminateInstances: terminateInstances,
  GetConsoleOutput: consoleOutput,
  DescribeAccountAttributes: accountAttributes,
  DescribeInstanceTypes: instanceTypes,
  CreateSecurityGroup: createSecurityGroup,
  AuthorizeSecurityGroupIngress: authorize,
  CreateTags: (region, params) => {
    region.createTags(params.list('ResourceId'), readTags(params));
    return { return: true };
  },
  DescribeSecurityGroups: (region, params) =>
    paged(
      'securityGroupInfo',
      describeGroups(region.groups, region.networks, {
        ...readDescribe(params, 'GroupId'),
        names: params.list('GroupName'),
      }),
      groupXml,
    ),
  DescribeSubnets: (region, params) =>
    paged('subnetSet', describeSubnets(region.networks, readDescribe(params, 'SubnetId')), subnetXml),
  DescribeVpcs: (region, params) =>
    paged('vpcSet', describeVpcs(region.networks, readDescribe(params, 'VpcId')), vpcXml),
  DescribeImages: (region, params) =>
    paged('imagesSet', region.images.describe(readDescribe(params, 'ImageId')), imageXml),
  DescribeSpotInstanceRequests: (region, params) =>
    paged(
      'spotInstanceRequestSet',
      region.spotRequests.describe(readDescribe(params, 'SpotInstanceRequestId')),
      spotRequestXml,
    ),
  DescribeAvailabilityZones: (region) => ({
    availabilityZoneInfo: region.networks.zones.map((zoneName) => ({
      zoneName,
      zoneState: 'available',
      regionName: region.name,
      zoneType: 'availability-zone',
      optInStatus: 'opt-in-not-required',
    })),
  }),
};

/** Served actions by EC2's names. */
export const ec2Actions: ReadonlyMap<string, Ec2Action> = new Map(Object.entries(actions));
