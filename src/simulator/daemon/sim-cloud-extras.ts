// The rarer calls of the Cloud port in the world: spot requests, tags on instances, prices, leftovers.
import { outcomeOfError } from '../../adapters/aws/errors.ts';
import type { CloudSite } from '../../domain/config.ts';
import { offeringKey, TAG } from '../../domain/instance.ts';
import type { SpotRequest } from '../../domain/spot-request.ts';
import type { Cloud, RemovalAnswer } from '../../ports/cloud.ts';
import type { SpotRequest as SimSpotRequest } from '../../sim/spot-requests.ts';
import type { SimSite } from './sim-cloud.ts';

const texts = new WeakMap<SimSpotRequest, Readonly<Record<string, string>>>();

/** A request's tags as text, read once: hostler looks at all requests every few seconds. */
function tagTexts(request: SimSpotRequest): Readonly<Record<string, string>> {
  const known = texts.get(request);
  if (known !== undefined) return known;
  const tags = Object.fromEntries(request.tags);
  texts.set(request, tags);
  return tags;
}

type Extras = Pick<
  Cloud,
  'listSpotRequests' | 'cancelSpotRequests' | 'tagInstances' | 'prices' | 'listLeftovers' | 'removeLeftovers'
>;

/** The calls over the sites that `at` gives. */
export function createCloudExtras(at: (site: CloudSite) => SimSite): Extras {
  return {
    listSpotRequests: (site, owner, signal) =>
      at(site).call({ action: 'DescribeSpotInstanceRequests', signal }, ({ spotRequests }): SpotRequest[] =>
        spotRequests
          .listed()
          .filter(({ tags }) => tags.get(TAG.owner) === owner)
          .map((request) => ({
            id: request.id,
            state: request.state,
            status: request.status,
            statusAt: request.updatedAt,
            instance: request.instanceId,
            type: request.type,
            zone: request.zone,
            createdAt: request.createdAt,
            validUntil: request.validUntil,
            tags: tagTexts(request),
          })),
      ),
    async cancelSpotRequests(site, ids, signal) {
      const cancelled = at(site).call(
        { action: 'CancelSpotInstanceRequests', signal },
        ({ spotRequests }) => {
          for (const id of ids) {
            const found = spotRequests.find(id);
            if (found !== null) spotRequests.cancel(found);
          }
        },
      );
      const outcome = await cancelled.then(
        () => null,
        (error: unknown) => outcomeOfError(error),
      );
      return ids.map(
        (id): RemovalAnswer => (outcome === null ? { id, kind: 'done' } : { id, kind: 'failed', outcome }),
      );
    },
    tagInstances: (site, instances, tags, signal) =>
      at(site).call({ action: 'CreateTags', signal }, (region) =>
        region.createTags(
          instances,
          Object.entries(tags).map(([key, value]) => ({ key, value })),
        ),
      ),
    prices: (_site, { offerings }) =>
      Promise.resolve(new Map(offerings.map((one) => [offeringKey(one), null]))),
    listLeftovers: () => Promise.resolve([]),
    removeLeftovers: (_site, leftovers) =>
      Promise.resolve(leftovers.map(({ id }): RemovalAnswer => ({ id, kind: 'done' }))),
  };
}
