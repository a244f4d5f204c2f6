// Instances as EC2 writes them in XML, as domain words. The one reader for launch answers and listings, used on the
// main thread and in the worker alike; it must stay free of SDK imports.
// Trap: a missing list is an unreadable answer, never an empty one: "no instances" would look like a dead fleet.
import { isIP } from 'node:net';
import type { Instance, InstanceState } from '../../domain/instance.ts';
import { childOf, parseXml, textOf, type XmlElement } from './parse-xml.ts';

/** One answer: its instances, and where the next page begins. */
export type InstancePage = { instances: Instance[]; nextToken: string | null };

/** EC2 allows 50 tags on a resource; `aws:` ones come on top. More than this is not an instance. */
const MAX_TAGS_READ = 128;

const states: Readonly<Record<string, InstanceState>> = {
  pending: 'pending',
  running: 'running',
  'shutting-down': 'shutting-down',
  terminated: 'terminated',
  stopping: 'stopping',
  stopped: 'stopped',
};

/** Reads a DescribeInstances or RunInstances answer. Throws a plain Error when it is not whole or not that answer. */
export function readInstancePage(xml: string): InstancePage {
  const instances: Instance[] = [];
  const root = parseXml(xml, {
    place: 'DescribeInstancesResponse/reservationSet/item',
    take: (reservation) => instances.push(...readSet(reservation, 'a reservation')),
  });
  if (root.name === 'RunInstancesResponse') return { instances: readSet(root, root.name), nextToken: null };
  if (root.name !== 'DescribeInstancesResponse')
    throw new Error(`<${root.name.slice(0, 60)}> is not an instance list`);
  const reservations = childOf(root, 'reservationSet');
  if (reservations === undefined) throw new Error('the answer has no reservationSet');
  // What is not an item cannot be told from a list that changed its form.
  if (reservations.children.length > 0)
    instances.push(...reservations.children.flatMap((each) => readSet(each, 'a reservation')));
  return { instances, nextToken: textOf(root, 'nextToken') };
}

function readSet(owner: XmlElement, where: string): Instance[] {
  const set = childOf(owner, 'instancesSet');
  if (set === undefined) throw new Error(`${where} has no instancesSet`);
  return set.children.map(readInstance);
}

function readInstance(item: XmlElement): Instance {
  const id = textOf(item, 'instanceId');
  if (id === null || !/^i-[\w-]{1,64}$/.test(id)) throw new Error('an instance has no id');
  const state = textOf(childOf(item, 'instanceState') ?? item, 'name');
  if (state === null) throw new Error(`instance ${id} has no state`);
  const reason = childOf(item, 'stateReason');
  return {
    id,
    // A state that EC2 adds one day counts as alive: a host is never given up for a word we do not know.
    state: states[state] ?? 'running',
    stateReason: reason === undefined ? null : textOf(reason, 'code'),
    type: textOf(item, 'instanceType') ?? '',
    zone: textOf(childOf(item, 'placement') ?? item, 'availabilityZone'),
    market: textOf(item, 'instanceLifecycle') === 'spot' ? 'spot' : 'on-demand',
    imageId: textOf(item, 'imageId'),
    privateAddress: address(textOf(item, 'privateIpAddress')),
    publicAddress: address(textOf(item, 'ipAddress')),
    launchedAt: readTime(textOf(item, 'launchTime')),
    tags: readTags(childOf(item, 'tagSet')),
  };
}

/** A `tagSet` as a record; absent = none. */
export function readTags(set: XmlElement | undefined): Record<string, string> {
  const items = set?.children ?? [];
  if (items.length > MAX_TAGS_READ) throw new Error(`something has ${items.length} tags`);
  return Object.fromEntries(
    items.map((item) => [childOf(item, 'key')?.text ?? '', childOf(item, 'value')?.text ?? '']),
  );
}

function address(text: string | null): string | null {
  return text !== null && isIP(text) !== 0 ? text : null;
}

/** Epoch ms; 0 when EC2 gave no readable time. */
export function readTime(text: string | null): number {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? 0 : ms;
}
