// One launch by the way that its request names, and its refusals in full words. Each way lives in its own file.
import { unreachable } from '../../domain/assert.ts';
import type { LaunchAnswer } from '../../ports/cloud.ts';
import { type FleetDeps, launchFleet } from './launch-fleet.ts';
import { launchInstances } from './launch-instances.ts';
import type { QuotaValues } from './quota-values.ts';
import { requestSpot } from './request-spot.ts';

type Order = Parameters<typeof launchFleet>[0];

/** Never throws. */
export async function launchMachines(
  order: Order,
  deps: FleetDeps & { quotaValues: QuotaValues },
): Promise<LaunchAnswer> {
  return await deps.quotaValues.complete(await launchByWay(order, deps), deps);
}

async function launchByWay(order: Order, deps: FleetDeps): Promise<LaunchAnswer> {
  const way = order.request.way ?? 'run-instances';
  switch (way) {
    case 'run-instances':
      return await launchInstances(order, deps);
    case 'fleet':
      return await launchFleet(order, deps);
    case 'spot-request':
      return await requestSpot(order, deps);
    default:
      return unreachable(way);
  }
}
