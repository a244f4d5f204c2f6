// Spot requests as EC2 writes them in XML, as domain words; used on the main thread and in the worker alike, so it stays
// free of SDK imports.
// Trap: a missing list is an unreadable answer, never an empty one: "no requests" would free a full account.
import type { SpotRequest, SpotRequestState } from '../../domain/spot-request.ts';
import { childOf, parseXml, textOf, type XmlElement } from './parse-xml.ts';
import { readTags, readTime } from './read-instances.ts';

/** One answer: its requests, and where the next page begins. */
export type SpotRequestPage = { requests: SpotRequest[]; nextToken: string | null };

const states: Readonly<Record<string, SpotRequestState>> = {
  open: 'open',
  active: 'active',
  closed: 'closed',
  cancelled: 'cancelled',
  failed: 'failed',
  disabled: 'disabled',
};

/** Reads a DescribeSpotInstanceRequests answer. Throws a plain Error when it is not whole or not that. */
export function readSpotRequestPage(xml: string): SpotRequestPage {
  const root = parseXml(xml);
  if (root.name !== 'DescribeSpotInstanceRequestsResponse')
    throw new Error(`<${root.name.slice(0, 60)}> is not a list of spot requests`);
  const set = childOf(root, 'spotInstanceRequestSet');
  if (set === undefined) throw new Error('the answer has no spotInstanceRequestSet');
  return { requests: set.children.map(readRequest), nextToken: textOf(root, 'nextToken') };
}

function readRequest(item: XmlElement): SpotRequest {
  const id = textOf(item, 'spotInstanceRequestId');
  if (id === null || !/^sir-[\w-]{1,64}$/.test(id)) throw new Error('a spot request has no id');
  const status = childOf(item, 'status');
  return {
    id,
    // A state that EC2 adds one day counts as open: it may still bring a machine.
    state: states[textOf(item, 'state') ?? ''] ?? 'open',
    status: (status === undefined ? null : textOf(status, 'code')) ?? '',
    statusAt: status === undefined ? 0 : readTime(textOf(status, 'updateTime')),
    instance: textOf(item, 'instanceId'),
    type: textOf(childOf(item, 'launchSpecification') ?? item, 'instanceType') ?? '',
    zone: textOf(item, 'launchedAvailabilityZone'),
    createdAt: readTime(textOf(item, 'createTime')),
    validUntil: readTime(textOf(item, 'validUntil')) || null,
    tags: readTags(childOf(item, 'tagSet')),
  };
}
