// Spot requests as RunInstances leaves them: active with the instance, closed when it ends. Open requests that are
// filled late come with RequestSpotInstances, which this world does not serve yet.
import { refuse } from './ec2-error.ts';
import { type Fields, matching, pageOf, type Query } from './search.ts';

export type SpotRequest = {
  order: number;
  id: string;
  state: 'active' | 'closed';
  /** EC2's status code, e.g. `fulfilled`, `instance-terminated-by-user`. */
  status: string;
  instanceId: string;
  type: string;
  zone: string;
  maxPrice: string;
  createdAt: number;
  updatedAt: number;
  tags: Map<string, string>;
};

const fields: Fields<SpotRequest> = {
  'spot-instance-request-id': (request) => [request.id],
  'instance-id': (request) => [request.instanceId],
  state: (request) => [request.state],
  'status-code': (request) => [request.status],
  'launch.instance-type': (request) => [request.type],
  'launched-availability-zone': (request) => [request.zone],
  type: () => ['one-time'],
};

export type SpotRequests = ReturnType<typeof createSpotRequests>;

export function createSpotRequests() {
  const requests = new Map<string, SpotRequest>();
  return {
    open(request: Omit<SpotRequest, 'order' | 'state' | 'status' | 'updatedAt'>): void {
      const order = requests.size;
      const updatedAt = request.createdAt;
      requests.set(request.id, { ...request, order, state: 'active', status: 'fulfilled', updatedAt });
    },

    close(id: string, status: string, at: number): void {
      const request = requests.get(id);
      if (request !== undefined) Object.assign(request, { state: 'closed', status, updatedAt: at });
    },

    find: (id: string): SpotRequest | null => requests.get(id) ?? null,

    describe(query: Query) {
      const named = query.ids.map(
        (id) =>
          requests.get(id) ??
          refuse(
            'InvalidSpotInstanceRequestID.NotFound',
            `The spot instance request ID '${id}' does not exist`,
          ),
      );
      const some = query.ids.length > 0 ? named : [...requests.values()];
      return pageOf(matching(some, query.filters, fields), query.page);
    },
  };
}
