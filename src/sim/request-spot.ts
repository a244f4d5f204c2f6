// RequestSpotInstances: the old way to spot machines, as docker-machine goes it. The answer is a request, not a machine:
// EC2 looks at it a moment later, and again whenever room or price changes, until it is served, cancelled or too old.
// Trap: nobody who asked need be there any more when a machine comes of it, and that machine carries no tags.
import { Ec2Error, refuse } from './ec2-error.ts';
import { type OrderParts, orderFor, priceAbove, roomFor } from './launch-order.ts';
import type { Timing } from './lives.ts';
import type { Quotas } from './quotas.ts';
import type { RunRequest } from './run-request.ts';
import { checkOpenRoom, type SpotRequest, type SpotRequests } from './spot-requests.ts';
import type { Starter } from './start-instances.ts';
import { checkTags, type Tag, tagMap } from './tags.ts';
import type { Timeline } from './timeline.ts';

export type SpotOrder = {
  /** One machine; its `spot` holds the price alone. */
  wish: RunRequest;
  count: number;
  kind: string | null;
  interruption: string | null;
  validFrom: number | null;
  validUntil: number | null;
  token: string | null;
  tags: readonly { resource: string; tags: readonly Tag[] }[];
};

export type SpotParts = OrderParts & {
  timeline: Timeline;
  timing: Timing;
  spotRequests: SpotRequests;
  quotas: Quotas;
  start: Starter;
};

export type SpotMarket = {
  /** RequestSpotInstances. Throws EC2's errors. */
  request(order: SpotOrder): readonly SpotRequest[];
  /** Something may have become possible: look at the open requests soon. */
  wake(): void;
};

/** A one-time request without an end of its own is given up after seven days. */
const VALID_MS = 7 * 86_400_000;

function checkTimes({ validFrom, validUntil }: SpotOrder, now: number): void {
  if (validFrom !== null && validFrom <= now) {
    refuse('InvalidParameterValue', 'ValidFrom must lie in the future.');
  }
  if (validUntil !== null && validUntil <= Math.max(now, validFrom ?? now)) {
    refuse('InvalidParameterValue', 'ValidUntil must lie in the future, and after ValidFrom.');
  }
}

/** Checks what only this call asks; the machine itself is checked with the launch order. */
function kindOf(order: SpotOrder): Pick<SpotRequest, 'kind' | 'interruption'> {
  const kind = order.kind ?? 'one-time';
  const interruption = order.interruption ?? 'terminate';
  if (kind !== 'one-time' && kind !== 'persistent') {
    return refuse('InvalidParameterValue', `Invalid value '${kind.slice(0, 40)}' for Type.`);
  }
  if (!['terminate', 'stop', 'hibernate'].includes(interruption)) {
    refuse('InvalidParameterValue', `Invalid value '${interruption.slice(0, 40)}' for the interruption.`);
  }
  if (kind === 'one-time' && interruption !== 'terminate') {
    refuse(
      'InvalidParameterCombination',
      `The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to '${interruption}'.`,
    );
  }
  return { kind, interruption };
}

function requestTags(order: SpotOrder): readonly Tag[] {
  const foreign = order.tags.find(({ resource }) => resource !== 'spot-instances-request');
  if (foreign !== undefined) {
    refuse(
      'InvalidParameterValue',
      `'${foreign.resource.slice(0, 60)}' is not a valid taggable resource type for this operation.`,
    );
  }
  const tags = order.tags.flatMap((some) => some.tags);
  checkTags(tags);
  return tags;
}

/** One look at an open request; returns whether it may be worth another without a change. */
function look(parts: SpotParts, request: SpotRequest): boolean {
  const { spotRequests, timeline } = parts;
  if (request.state !== 'open') return false;
  if (request.validFrom !== null && timeline.now() < request.validFrom) {
    spotRequests.hold(request, 'not-scheduled-yet');
    return false;
  }
  try {
    const order = orderFor(parts, request.wish);
    const room = roomFor(parts, order);
    if (priceAbove(parts, order) !== null) spotRequests.hold(request, 'price-too-low');
    else if (room.machines < 1) spotRequests.hold(request, 'capacity-not-available');
    else if (room.addresses < 1) spotRequests.hold(request, 'constraint-not-fulfillable');
    else {
      const [machine] = parts.start(order, 1, () => request.id) ?? [];
      if (machine === undefined) {
        spotRequests.hold(request, 'constraint-not-fulfillable');
        return true;
      }
      spotRequests.fulfil(request, machine);
    }
  } catch (error) {
    if (!(error instanceof Ec2Error)) throw error;
    spotRequests.fail(request);
  }
  return false;
}

/** The spot market of one region, with its memory of tokens. */
export function createSpotMarket(parts: SpotParts): SpotMarket {
  const { timeline, timing, spotRequests } = parts;
  const tokens = new Map<string, { asked: string; requests: readonly SpotRequest[] }>();
  let due = false;

  const wake = (): void => {
    if (due || spotRequests.open().length === 0) return;
    due = true;
    timeline.after(timing.evaluateMs, () => {
      due = false;
      // All of them, oldest first: one that is served takes the room of the next.
      const again = spotRequests.open().map((request) => look(parts, request));
      if (again.includes(true)) wake();
    });
  };

  parts.capacity.onRoom(wake);
  parts.prices.onChange(wake);

  const before = ({ token }: SpotOrder, asked: string): readonly SpotRequest[] | null => {
    const known = token === null ? undefined : tokens.get(token);
    if (known === undefined) return null;
    if (known.asked === asked) return known.requests;
    return refuse(
      'IdempotentParameterMismatch',
      `The client token '${token}' was used with other parameters before.`,
    );
  };

  return {
    wake,
    request(order) {
      const { wish, count, token } = order;
      if (!(Number.isInteger(count) && count >= 1)) {
        refuse('InvalidParameterValue', `Invalid value '${count}' for InstanceCount.`);
      }
      const now = timeline.now();
      const kind = kindOf(order);
      const tags = requestTags(order);
      const { type } = orderFor(parts, wish);
      const asked = JSON.stringify(order);
      const known = before(order, asked);
      if (known !== null) return known;
      checkTimes(order, now);
      checkOpenRoom(spotRequests, count);
      parts.quotas.check(type, 'spot', count);
      const requests = Array.from({ length: count }, () =>
        spotRequests.add({
          ...kind,
          wish,
          type: type.name,
          maxPrice: wish.spot?.maxPrice ?? String(type.hourlyUsd),
          validFrom: order.validFrom,
          validUntil: order.validUntil ?? (kind.kind === 'one-time' ? now + VALID_MS : null),
          tags: tagMap(tags),
        }),
      );
      if (order.validFrom !== null) timeline.after(order.validFrom - now, wake);
      if (token !== null) tokens.set(token, { asked, requests });
      wake();
      return requests;
    },
  };
}
