// DescribeInstanceStatus: how EC2's own checks find an instance. The model looks at the host: it answers, may answer
// yet, or is overdue.
import type { SimInstance } from './instance.ts';
import type { Instances } from './instances.ts';
import { type Fields, matching, pageOf, type Query } from './search.ts';

export type Health = 'ok' | 'initializing' | 'impaired' | 'not-applicable';

export function describeStatus(instances: Instances, query: Query, includeAll: boolean) {
  const health = (instance: SimInstance): Health => instances.health(instance);
  const fields: Fields<SimInstance> = {
    'availability-zone': (one) => [one.zone],
    'instance-state-name': (one) => [one.state],
    'instance-status.status': (one) => [health(one)],
    'system-status.status': (one) => [health(one)],
  };
  const { things } = instances.describe({
    ...query,
    filters: [],
    page: { maxResults: null, nextToken: null },
  });
  const some = includeAll ? things : things.filter((one) => one.state === 'running');
  const page = pageOf(matching(some, query.filters, fields), query.page);
  return {
    things: page.things.map((instance) => ({ instance, health: health(instance) })),
    nextToken: page.nextToken,
  };
}
