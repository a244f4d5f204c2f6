// Calls about spot requests: asked for, listed, cancelled.

import { refuse } from '../sim/ec2-error.ts';
import type { SpotOrder } from '../sim/request-spot.ts';
import { cancelSpotRequests, describeSpotRequests, type SpotRequest } from '../sim/spot-requests.ts';
import { type Ec2Action, type Fields, paged } from './ec2-action.ts';
import { tagSet, timeXml } from './ec2-answers.ts';
import { readDescribe, readRun, readTags } from './ec2-requests.ts';
import type { QueryParams } from './query-params.ts';

/** Words for the status codes that may stand for long. */
const messages: Readonly<Record<string, string>> = {
  'pending-evaluation': 'The request waits to be looked at.',
  'not-scheduled-yet': 'The request is for a later time.',
  'price-too-low': 'The maximum price lies below the spot price.',
  'capacity-not-available': 'There is no spot capacity for this request.',
  'constraint-not-fulfillable': 'The subnet has no free address for this request.',
  'bad-parameters': 'The request cannot be served as it was written.',
  fulfilled: 'The request is fulfilled.',
};

const timeOrNone = (at: number | null): string | null => (at === null ? null : timeXml(at));

function requestXml(request: SpotRequest): Fields {
  const { wish, status } = request;
  return {
    spotInstanceRequestId: request.id,
    spotPrice: request.maxPrice,
    type: request.kind,
    state: request.state,
    status: { code: status, updateTime: timeXml(request.updatedAt), message: messages[status] ?? status },
    fault:
      request.state === 'failed' ? { code: 'InvalidSpotRequest', message: messages['bad-parameters'] } : null,
    instanceId: request.instanceId,
    launchedAvailabilityZone: request.zone,
    createTime: timeXml(request.createdAt),
    validFrom: timeOrNone(request.validFrom),
    validUntil: timeOrNone(request.validUntil),
    productDescription: 'Linux/UNIX',
    instanceInterruptionBehavior: request.interruption,
    launchSpecification: {
      imageId: wish.imageId,
      instanceType: request.type,
      keyName: wish.keyName,
      subnetId: wish.card?.subnetId ?? wish.subnetId,
      placement: wish.zone === null ? null : { availabilityZone: wish.zone },
      monitoring: { enabled: wish.monitoring },
      ebsOptimized: wish.ebsOptimized,
    },
    tagSet: tagSet(request.tags),
  };
}

/** Times come as ISO 8601, to the second or finer. */
function timeOf(params: QueryParams, name: string): number | null {
  const text = params.text(name);
  if (text === null) return null;
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) {
    refuse('InvalidParameterValue', `Invalid value '${text.slice(0, 40)}' for ${name}.`);
  }
  return at;
}

function readOrder(params: QueryParams): SpotOrder {
  const specification =
    params.struct('LaunchSpecification') ??
    refuse('MissingParameter', 'The request must contain the parameter LaunchSpecification');
  if (params.text('LaunchGroup') !== null || params.text('AvailabilityZoneGroup') !== null) {
    refuse('UnsupportedOperation', 'The emulator serves no launch groups and no zone groups.');
  }
  return {
    // The launch specification has the fields of a launch; count, price and kind stand beside it.
    wish: {
      ...readRun(specification),
      minCount: 1,
      maxCount: 1,
      spot: {
        // docker-machine sends an empty price for "no bound".
        maxPrice: params.text('SpotPrice') || null,
        requestType: 'one-time',
        interruption: 'terminate',
        validUntil: null,
        blockMinutes: params.number('BlockDurationMinutes'),
      },
    },
    count: params.number('InstanceCount') ?? 1,
    kind: params.text('Type'),
    interruption: params.text('InstanceInterruptionBehavior'),
    validFrom: timeOf(params, 'ValidFrom'),
    validUntil: timeOf(params, 'ValidUntil'),
    token: params.text('ClientToken') || null,
    tags: params.structs('TagSpecification').map((one) => ({
      resource: one.text('ResourceType') ?? '',
      tags: readTags(one),
    })),
  };
}

export const spotActions: Readonly<Record<string, Ec2Action>> = {
  RequestSpotInstances: (region, params) => ({
    spotInstanceRequestSet: region.spotMarket.request(readOrder(params)).map(requestXml),
  }),
  DescribeSpotInstanceRequests: (region, params) =>
    paged(
      'spotInstanceRequestSet',
      describeSpotRequests(region.spotRequests, readDescribe(params, 'SpotInstanceRequestId')),
      requestXml,
    ),
  CancelSpotInstanceRequests: (region, params) => ({
    spotInstanceRequestSet: cancelSpotRequests(region.spotRequests, params.list('SpotInstanceRequestId')).map(
      ({ id, state }) => ({ spotInstanceRequestId: id, state }),
    ),
  }),
};
