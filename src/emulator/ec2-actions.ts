// The EC2 calls that the emulator serves: each reads its parameters, asks the world, and gives XML elements back.
// A new call is one entry in one of the tables; limits, failures, dry runs and errors are the same for all (dispatch.ts).

import { describeSubnets, describeVpcs } from '../sim/describe-networks.ts';
import { refuse } from '../sim/ec2-error.ts';
import { authorizeIngress, createGroup, describeGroups } from '../sim/security-groups.ts';
import { catalogueActions } from './catalogue-actions.ts';
import { type Ec2Action, paged, required, tagsFor } from './ec2-action.ts';
import { groupXml, imageXml, ruleXml, subnetXml, vpcXml } from './ec2-answers.ts';
import { readDescribe, readRules } from './ec2-requests.ts';
import { fleetActions } from './fleet-actions.ts';
import { instanceActions } from './instance-actions.ts';
import { keyPairActions } from './key-pair-actions.ts';
import { spotActions } from './spot-actions.ts';
import { templateActions } from './template-actions.ts';

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

/** Regions by name, for callers that choose from them; here every well-formed name is one. */
const REGIONS = ['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'sa-east-1']
  .concat(['eu-central-1', 'eu-central-2', 'eu-north-1', 'eu-south-1', 'eu-west-1', 'eu-west-2', 'eu-west-3'])
  .concat(['ap-northeast-1', 'ap-northeast-2', 'ap-south-1', 'ap-southeast-1', 'ap-southeast-2']);

const regions: Ec2Action = (_region, params) => {
  const names = params.list('RegionName');
  const strange = names.filter((name) => !REGIONS.includes(name));
  if (strange.length > 0) {
    refuse('InvalidParameterValue', `Invalid region names: [${strange.join(', ').slice(0, 80)}]`);
  }
  return {
    regionInfo: (names.length > 0 ? names : REGIONS).map((regionName) => ({
      regionName,
      regionEndpoint: `ec2.${regionName}.amazonaws.com`,
      optInStatus: 'opt-in-not-required',
    })),
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
  const name = params.text('GroupName');
  const group =
    name === null
      ? region.groups.byId(required(params, 'GroupId'))
      : region.groups.byName(name, region.networks.defaultVpc.id);
  authorizeIngress(group, rules);
  return { return: true, securityGroupRuleSet: rules.map(ruleXml) };
};

const actions: Readonly<Record<string, Ec2Action>> = {
  ...instanceActions,
  ...keyPairActions,
  ...spotActions,
  ...fleetActions,
  ...templateActions,
  ...catalogueActions,
  DescribeAccountAttributes: accountAttributes,
  DescribeRegions: regions,
  CreateSecurityGroup: createSecurityGroup,
  AuthorizeSecurityGroupIngress: authorize,
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
