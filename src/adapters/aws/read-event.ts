// One message of a queue that EventBridge fills, as a notice. Parsed with limits: whoever may write to the queue may
// send anything.
// Trap: a message that is no event about an instance is not an error; it is counted and taken off the queue.
import { z } from 'zod';
import type { Notice } from '../../domain/notice.ts';
import { NOTICE_MS } from '../../domain/spot-request.ts';

/** Characters; an event of EC2's has some 600, one of AWS Health some thousand. SQS itself takes 1 MiB. */
const MAX_BODY = 64 * 1024;

/** Instances that one health event may name. */
const MAX_ENTITIES = 100;

const instanceId = z.string().regex(/^i-[0-9a-f]{8,17}$/);

const envelope = z.object({
  'detail-type': z.string().max(200),
  time: z.iso.datetime({ offset: true }).optional(),
  detail: z.record(z.string(), z.unknown()),
});

const interruption = z.object({
  'instance-id': instanceId,
  'instance-action': z.string().max(40).optional(),
});
const rebalance = z.object({ 'instance-id': instanceId });
const stateChange = z.object({ 'instance-id': instanceId, state: z.string().regex(/^[a-z-]{1,40}$/) });
const health = z.object({
  service: z.literal('EC2'),
  eventTypeCode: z.string().max(200),
  affectedEntities: z.array(z.object({ entityValue: z.string().max(200) })).max(MAX_ENTITIES),
});

/** What an event's detail says, by EventBridge's name of the event. */
const readers: Readonly<Record<string, (detail: unknown, at: number) => Notice[]>> = {
  'EC2 Spot Instance Interruption Warning': (detail, at) => {
    const found = interruption.parse(detail);
    const deadline = at === 0 ? null : at + NOTICE_MS;
    const code = found['instance-action'] ?? 'terminate';
    return [{ instance: found['instance-id'], kind: 'interruption', at, deadline, source: 'queue', code }];
  },
  'EC2 Instance Rebalance Recommendation': (detail, at) => [
    {
      instance: rebalance.parse(detail)['instance-id'],
      kind: 'rebalance',
      at,
      deadline: null,
      source: 'queue',
      code: 'rebalance',
    },
  ],
  'EC2 Instance State-change Notification': (detail, at) => {
    const { 'instance-id': instance, state } = stateChange.parse(detail);
    return [{ instance, kind: 'state', at, deadline: null, source: 'queue', code: state }];
  },
  // EC2 announces repairs and retirements of its hosts days ahead: as good as advice to move on.
  'AWS Health Event': (detail, at) => {
    const { eventTypeCode: code, affectedEntities } = health.parse(detail);
    return affectedEntities
      .map(({ entityValue }) => entityValue)
      .filter((value) => instanceId.safeParse(value).success)
      .map((instance) => ({ instance, kind: 'rebalance', at, deadline: null, source: 'queue', code }));
  },
};

/** The notices of one message; none when it is not about an instance of EC2, or not readable. Never throws. */
export function readEvent(body: string): Notice[] {
  if (body.length > MAX_BODY) return [];
  try {
    const { 'detail-type': type, time, detail } = envelope.parse(JSON.parse(body));
    const read = Object.hasOwn(readers, type) ? readers[type] : undefined;
    return read?.(detail, time === undefined ? 0 : Date.parse(time)) ?? [];
  } catch {
    return [];
  }
}
