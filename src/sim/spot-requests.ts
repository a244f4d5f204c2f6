// Spot requests of one region and their states: open until EC2 finds a machine, active with it, then closed; cancelled
// by the user or by time; disabled while a persistent one's instance is stopped. Who gets a machine is asked elsewhere.
// Traps: cancelling ends no instance; ending the instance of a persistent request opens the request again.
import { refuse } from './ec2-error.ts';
import type { RunRequest } from './run-request.ts';
import { type Fields, matching, pageOf, type Query } from './search.ts';
import type { Seeded } from './seeded.ts';
import type { Timeline } from './timeline.ts';

export type SpotState = 'open' | 'active' | 'closed' | 'cancelled' | 'failed' | 'disabled';

export type SpotRequest = {
  order: number;
  id: string;
  state: SpotState;
  /** EC2's status code, e.g. `fulfilled`, `capacity-not-available`. */
  status: string;
  kind: 'one-time' | 'persistent';
  interruption: string;
  /** One machine as it is launched whenever the request is served. */
  wish: RunRequest;
  type: string;
  /** USD an hour as written. */
  maxPrice: string;
  /** Not looked at before; null = at once. */
  validFrom: number | null;
  /** No longer looked at from then on; null = without end. */
  validUntil: number | null;
  /** Its machine, also after that has ended. */
  instanceId: string | null;
  zone: string | null;
  createdAt: number;
  updatedAt: number;
  tags: Map<string, string>;
};

/** What a request is made of. */
export type NewSpotRequest = Pick<
  SpotRequest,
  'kind' | 'interruption' | 'wish' | 'type' | 'maxPrice' | 'validFrom' | 'validUntil' | 'tags'
>;

const fields: Fields<SpotRequest> = {
  'spot-instance-request-id': (request) => [request.id],
  'instance-id': (request) => [request.instanceId],
  state: (request) => [request.state],
  'status-code': (request) => [request.status],
  type: (request) => [request.kind],
  'spot-price': (request) => [request.maxPrice],
  'launch.instance-type': (request) => [request.type],
  'launch.image-id': (request) => [request.wish.imageId],
  'launch.key-name': (request) => [request.wish.keyName],
  'launched-availability-zone': (request) => [request.zone],
  'product-description': () => ['Linux/UNIX'],
};

/**
 * Open requests that a region bears. EC2 counts vCPUs and publishes no such number; GitLab's guide to autoscaling
 * tells of 60 open requests after which every further one is refused.
 */
export const OPEN_AT_MOST = 60;
/** A finished request stays listed for four hours (EC2's own words on DescribeSpotInstanceRequests). */
const LISTED_MS = 4 * 3_600_000;

const RUNS_ON = 'request-canceled-and-instance-running';

const isOver = ({ state, status }: SpotRequest): boolean =>
  state === 'closed' || state === 'failed' || (state === 'cancelled' && status !== RUNS_ON);

export type SpotRequests = ReturnType<typeof createSpotRequests>;

export function createSpotRequests(parts: { timeline: Timeline; random: Seeded; unseenMs: number }) {
  const { timeline, random, unseenMs } = parts;
  const requests = new Map<string, SpotRequest>();
  let order = 0;

  const change = (request: SpotRequest, state: SpotState, status: string): void => {
    if (request.state === state && request.status === status) return;
    Object.assign(request, { state, status, updatedAt: timeline.now() });
    if (isOver(request)) timeline.after(LISTED_MS, () => requests.delete(request.id));
  };

  const open = (): SpotRequest[] => [...requests.values()].filter(({ state }) => state === 'open');

  const cancel = (request: SpotRequest, unserved: string): void => {
    if (request.state === 'open') change(request, 'cancelled', unserved);
    else if (request.state === 'active' || request.state === 'disabled')
      change(request, 'cancelled', RUNS_ON);
  };

  const seen = (request: SpotRequest): boolean => timeline.now() >= request.createdAt + unseenMs;

  const known = (ids: readonly string[]): SpotRequest[] =>
    ids.map((id) => {
      const found = requests.get(id);
      if (found !== undefined && seen(found)) return found;
      return refuse(
        'InvalidSpotInstanceRequestID.NotFound',
        `The spot instance request ID '${id.slice(0, 60)}' does not exist`,
      );
    });

  return {
    /** A new request, open and not yet looked at. */
    add(wish: NewSpotRequest): SpotRequest {
      const now = timeline.now();
      const request: SpotRequest = {
        order: order++,
        id: `sir-${random.hex(8)}`,
        state: 'open',
        status: 'pending-evaluation',
        instanceId: null,
        zone: null,
        createdAt: now,
        updatedAt: now,
        ...wish,
      };
      requests.set(request.id, request);
      if (request.validUntil !== null) {
        timeline.after(request.validUntil - now, () => {
          // A one-time request that was served has done its work.
          if (request.state === 'open' || request.kind === 'persistent') cancel(request, 'schedule-expired');
        });
      }
      return request;
    },

    fulfil(request: SpotRequest, machine: { id: string; zone: string }): void {
      Object.assign(request, { instanceId: machine.id, zone: machine.zone });
      change(request, 'active', 'fulfilled');
    },

    /** Still open, for that reason. */
    hold: (request: SpotRequest, status: string): void => change(request, 'open', status),

    /** EC2 gives up on it: what it asks for cannot be. */
    fail: (request: SpotRequest): void => change(request, 'failed', 'bad-parameters'),

    /** Its instance has ended. */
    instanceEnded(id: string, status: string): void {
      const request = requests.get(id);
      if (request === undefined) return;
      if (request.state === 'cancelled') change(request, 'cancelled', status);
      else if (request.kind === 'persistent') change(request, 'open', 'pending-evaluation');
      else change(request, 'closed', status);
    },

    /** The instance of a persistent request was stopped. */
    disable(id: string): void {
      const request = requests.get(id);
      if (request?.state === 'active') change(request, 'disabled', 'instance-stopped-by-user');
    },

    /** It was started again. */
    enable(id: string): void {
      const request = requests.get(id);
      if (request?.state === 'disabled') change(request, 'active', 'fulfilled');
    },

    /** Ends it at the user's wish; its instance runs on. Nothing for one that is over. */
    cancel: (request: SpotRequest): void => cancel(request, 'canceled-before-fulfillment'),

    known,
    open,
    all: (): SpotRequest[] => [...requests.values()],
    find: (id: string): SpotRequest | null => requests.get(id) ?? null,
    /** Those that Describe knows. */
    listed: (): SpotRequest[] => [...requests.values()].filter(seen),
  };
}

/** DescribeSpotInstanceRequests. */
export function describeSpotRequests(requests: SpotRequests, query: Query) {
  const some = query.ids.length > 0 ? requests.known(query.ids) : requests.listed();
  return pageOf(matching(some, query.filters, fields), query.page);
}

/** CancelSpotInstanceRequests: all or, with an unknown id, none. */
export function cancelSpotRequests(requests: SpotRequests, ids: readonly string[]): SpotRequest[] {
  if (ids.length === 0)
    refuse('MissingParameter', 'The request must contain the parameter SpotInstanceRequestId');
  const some = requests.known(ids);
  for (const request of some) requests.cancel(request);
  return some;
}

/** Throws MaxSpotInstanceCountExceeded when `more` open requests are too many, or (0) when all places are taken. */
export function checkOpenRoom(requests: SpotRequests, more: number): void {
  if (requests.open().length + Math.max(1, more) <= OPEN_AT_MOST) return;
  refuse('MaxSpotInstanceCountExceeded', 'Max spot instance count exceeded');
}
