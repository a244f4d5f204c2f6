// The two calls that a simulated day makes by the thousand, without their XML: listings of instances and of spot requests. The
// world is asked exactly as the emulator asks it; only writing and reading the answer is left out.
// Must answer what the adapter would read from the emulator's words; test/contract holds both to the same cases.
import type { FleetAnswers } from '../../adapters/aws/fleet-answers.ts';
import type { Instance } from '../../domain/instance.ts';
import type { SpotRequest } from '../../domain/spot-request.ts';
import { Ec2Error } from '../../sim/ec2-error.ts';
import type { SimInstance } from '../../sim/instance.ts';
import type { Query } from '../../sim/search.ts';
import { describeSpotRequests, type SpotRequest as SimSpotRequest } from '../../sim/spot-requests.ts';
import { wireOf } from './sim-sdk.ts';

type Tagged = { tags: ReadonlyMap<string, string> };

const texts = new WeakMap<Tagged, Readonly<Record<string, string>>>();

/** Tags are set at the launch and seldom after: read once, again when their number changed. */
function tagsOf(thing: Tagged): Readonly<Record<string, string>> {
  const known = texts.get(thing);
  if (known !== undefined && Object.keys(known).length === thing.tags.size) return known;
  const tags = Object.fromEntries(thing.tags);
  texts.set(thing, tags);
  return tags;
}

/** The wire tells times to the millisecond; virtual time is finer. */
const wireTime = Math.floor;

function instanceOf(instance: SimInstance): Instance {
  return {
    id: instance.id,
    state: instance.state,
    stateReason: instance.stateReason?.code ?? null,
    type: instance.type,
    zone: instance.zone,
    market: instance.market,
    imageId: instance.imageId,
    privateAddress: instance.address,
    publicAddress: instance.publicAddress,
    launchedAt: wireTime(instance.startedAt),
    tags: tagsOf(instance),
  };
}

function requestOf(request: SimSpotRequest): SpotRequest {
  return {
    id: request.id,
    state: request.state,
    status: request.status,
    statusAt: wireTime(request.updatedAt),
    instance: request.instanceId,
    type: request.type,
    zone: request.zone,
    createdAt: wireTime(request.createdAt),
    validUntil: request.validUntil === null ? null : wireTime(request.validUntil),
    tags: tagsOf(request),
  };
}

/** EC2's error as the SDK throws it. */
function asThrown(error: unknown): unknown {
  if (!(error instanceof Ec2Error)) return error;
  const { code, message, status } = error;
  return Object.assign(new Error(message), {
    name: code,
    $fault: status >= 500 ? 'server' : 'client',
    $metadata: { httpStatusCode: status },
  });
}

type Input = Pick<Parameters<FleetAnswers['describe']>[1], 'Filters' | 'MaxResults' | 'NextToken'>;

const queryOf = ({ Filters = [], MaxResults, NextToken }: Input): Query => ({
  ids: [],
  filters: Filters.map(({ Name, Values }) => ({ name: Name ?? '', values: Values ?? [] })),
  page: { maxResults: MaxResults ?? null, nextToken: NextToken ?? null },
});

/** `usual` answers what is asked seldom. */
export function createSimAnswers(usual: FleetAnswers): FleetAnswers {
  return {
    ...usual,
    async describe(client, input, signal) {
      const asked = wireOf(client).ask({ action: 'DescribeInstances', signal }, (region) => {
        const { things, nextToken } = region.instances.describe(queryOf(input));
        return { instances: things.map(instanceOf), nextToken };
      });
      return asked.catch((error: unknown) => Promise.reject(asThrown(error) as Error));
    },
    async describeRequests(client, input, signal) {
      const asked = wireOf(client).ask({ action: 'DescribeSpotInstanceRequests', signal }, (region) => {
        const { things, nextToken } = describeSpotRequests(region.spotRequests, queryOf(input));
        return { requests: things.map(requestOf), nextToken };
      });
      return asked.catch((error: unknown) => Promise.reject(asThrown(error) as Error));
    },
  };
}
