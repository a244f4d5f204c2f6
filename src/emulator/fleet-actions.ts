// CreateFleet, instant fleets only: the wire's words to the world's wish, and what each place gave back into XML.

import type { FleetAnswer, FleetPlace } from '../sim/create-fleet.ts';
import { refuse } from '../sim/ec2-error.ts';
import type { FleetOverride, FleetWish } from '../sim/fleet-wish.ts';
import type { Market } from '../sim/run-request.ts';
import type { Ec2Action, Fields } from './ec2-action.ts';
import { readRun, readTags } from './ec2-requests.ts';
import type { QueryParams } from './query-params.ts';

/** A price or priority; EC2 takes them as decimals. */
function decimal(params: QueryParams | null, name: string): number | null {
  const text = params?.text(name) || null;
  if (text === null) return null;
  if (!/^\d{1,12}(\.\d{1,9})?$/.test(text)) {
    refuse('InvalidParameterValue', `Invalid value '${text.slice(0, 40)}' for ${name}.`);
  }
  return Number(text);
}

function readMarket(params: QueryParams | null): Market {
  const market = params?.text('DefaultTargetCapacityType') ?? 'on-demand';
  if (market === 'spot' || market === 'on-demand') return market;
  return refuse(
    'InvalidParameterValue',
    `Invalid value '${market.slice(0, 40)}' for DefaultTargetCapacityType.`,
  );
}

function readOverride(params: QueryParams): FleetOverride {
  const launch = readRun(params);
  return {
    type: launch.type,
    subnetId: launch.subnetId,
    zone: params.text('AvailabilityZone') || null,
    maxPrice: params.text('MaxPrice') || null,
    priority: decimal(params, 'Priority'),
    imageId: launch.imageId,
    keyName: launch.keyName,
    profile: launch.profile,
    volumes: launch.volumes,
    metadata: params.struct('MetadataOptions') === null ? null : launch.metadata,
  };
}

function readConfig(params: QueryParams): FleetWish['configs'][number] {
  const template = params.struct('LaunchTemplateSpecification');
  if (template === null) {
    return refuse('MissingParameter', 'The request must contain the parameter LaunchTemplateSpecification');
  }
  const version = template.text('Version');
  if (version === null) refuse('MissingParameter', 'The launch template specification must name a version');
  return {
    template: { id: template.text('LaunchTemplateId'), name: template.text('LaunchTemplateName') },
    version,
    userData: template.text('LaunchTemplateSpecificationUserData') || null,
    overrides: params.structs('Overrides').map(readOverride),
  };
}

function readFleet(params: QueryParams): FleetWish {
  const target = params.struct('TargetCapacitySpecification');
  const market = readMarket(target);
  const options = params.struct(market === 'spot' ? 'SpotOptions' : 'OnDemandOptions');
  if (options?.text('MinTargetCapacity') != null) {
    refuse('UnsupportedOperation', 'The emulator serves fleets without MinTargetCapacity.');
  }
  return {
    type: params.text('Type'),
    total: target?.number('TotalTargetCapacity') ?? null,
    market,
    strategy: options?.text('AllocationStrategy') ?? null,
    maxTotalPrice: decimal(options, 'MaxTotalPrice'),
    configs: params.structs('LaunchTemplateConfigs').map(readConfig),
    token: params.text('ClientToken'),
    tags: params.structs('TagSpecification').map((one) => ({
      resource: one.text('ResourceType') ?? '',
      tags: readTags(one),
    })),
  };
}

const placeXml = ({ template, override }: FleetPlace): Fields => ({
  launchTemplateSpecification: {
    launchTemplateId: template.template,
    launchTemplateName: template.name,
    version: String(template.number),
  },
  overrides: {
    instanceType: override.type,
    maxPrice: override.maxPrice,
    subnetId: override.subnetId,
    availabilityZone: override.zone,
    priority: override.priority,
  },
});

const answerXml = ({ id, launched, errors }: FleetAnswer): Fields => ({
  fleetId: id,
  fleetInstanceSet: launched.map(({ place, instances }) => ({
    launchTemplateAndOverrides: placeXml(place),
    lifecycle: instances[0]?.market,
    instanceIds: instances.map((instance) => instance.id),
    instanceType: instances[0]?.type,
    availabilityZone: instances[0]?.zone,
    subnetId: instances[0]?.subnetId,
  })),
  errorSet: errors.map(({ place, market, code, message }) => ({
    launchTemplateAndOverrides: placeXml(place),
    lifecycle: market,
    errorCode: code,
    errorMessage: message,
  })),
});

export const fleetActions: Readonly<Record<string, Ec2Action>> = {
  CreateFleet: (region, params) => answerXml(region.createFleet(readFleet(params))),
};
