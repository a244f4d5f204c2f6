// SQS queues that EventBridge fills with the world's events about instances: any queue URL is such a queue. Received
// messages are hidden for a while and come again unless they are deleted.
// Trap: a long poll must end when its caller goes away or the emulator closes; timers belong to the world's timeline.
import { createHash } from 'node:crypto';
import type { SimEvent } from '../sim/events.ts';
import { hexOf } from '../sim/seeded.ts';
import type { Timeline } from '../sim/timeline.ts';
import type { World } from '../sim/world.ts';
import { ACCOUNT } from './ec2-answers.ts';

export type QueueMessage = { id: string; receipt: string; body: string; md5: string };

type Held = { event: SimEvent; hiddenUntil: number; receipt: string };

type Queue = { read: number; held: Map<number, Held>; receipts: number };

export type EventQueues = {
  /** Waits up to `waitMs` for the first message, then gives up to `most`. */
  receive(url: string, wish: { most: number; waitMs: number; hideMs: number }): Promise<QueueMessage[]>;
  /** False for a receipt that nothing was received with. */
  remove(url: string, receipt: string): boolean;
};

/** One event as EventBridge puts it into a queue. */
function bodyOf(event: SimEvent): string {
  const details: Record<SimEvent['kind'], { type: string; detail: Record<string, string> }> = {
    interruption: {
      type: 'EC2 Spot Instance Interruption Warning',
      detail: { 'instance-id': event.instanceId, 'instance-action': 'terminate' },
    },
    rebalance: {
      type: 'EC2 Instance Rebalance Recommendation',
      detail: { 'instance-id': event.instanceId },
    },
    state: {
      type: 'EC2 Instance State-change Notification',
      detail: { 'instance-id': event.instanceId, state: event.state ?? '' },
    },
  };
  const { type, detail } = details[event.kind];
  return JSON.stringify({
    version: '0',
    id: hexOf(`event/${event.number}`, 32),
    'detail-type': type,
    source: 'aws.ec2',
    account: ACCOUNT,
    time: `${new Date(event.at).toISOString().slice(0, 19)}Z`,
    region: event.region,
    resources: [`arn:aws:ec2:${event.region}:${ACCOUNT}:instance/${event.instanceId}`],
    detail,
  });
}

export function createEventQueues(world: World, timeline: Timeline): EventQueues {
  const queues = new Map<string, Queue>();

  const queueOf = (url: string): Queue => {
    const known = queues.get(url);
    if (known !== undefined) return known;
    const made: Queue = { read: 0, held: new Map(), receipts: 0 };
    queues.set(url, made);
    return made;
  };

  const take = (queue: Queue, most: number, hideMs: number): QueueMessage[] => {
    for (const event of world.events.after(queue.read)) {
      queue.held.set(event.number, { event, hiddenUntil: 0, receipt: '' });
      queue.read = event.number;
    }
    const now = timeline.now();
    const found: QueueMessage[] = [];
    for (const held of queue.held.values()) {
      if (found.length >= most) break;
      if (held.hiddenUntil > now) continue;
      queue.receipts += 1;
      held.hiddenUntil = now + hideMs;
      held.receipt = `${held.event.number}.${queue.receipts}`;
      const body = bodyOf(held.event);
      const md5 = createHash('md5').update(body).digest('hex');
      found.push({ id: hexOf(`message/${held.event.number}`, 32), receipt: held.receipt, body, md5 });
    }
    return found;
  };

  return {
    receive: (url, { most, waitMs, hideMs }) =>
      new Promise((resolve) => {
        const queue = queueOf(url);
        const now = take(queue, most, hideMs);
        if (now.length > 0 || waitMs === 0) return resolve(now);
        const end = (): void => {
          off();
          silence();
          resolve(take(queue, most, hideMs));
        };
        const off = timeline.after(waitMs, end);
        const silence = world.events.onEvent(end);
      }),
    remove(url, receipt) {
      const number = Number(receipt.split('.')[0]);
      return queueOf(url).held.get(number)?.receipt === receipt && queueOf(url).held.delete(number);
    },
  };
}
