// Machines against limits, after each call that may bring some and once a minute, since open spot requests are filled whenever
// EC2 likes. A limit that was lowered under standing machines is no breach: only growth beyond it is.
import { TAG } from '../../domain/instance.ts';
import type { SimInstance } from '../../sim/instance.ts';
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';
import { isAlive } from './check-instances.ts';

/** The pool that a machine was launched for; EC2 gives a spot request's machine no tags of its own. */
function poolOf({ world }: Stage, requests: Map<string, string>, instance: SimInstance): string | null {
  const own = instance.tags.get(TAG.pool);
  if (own !== undefined || instance.spotRequest === null) return own ?? null;
  if (requests.size === 0)
    for (const { id, tags } of world.spotRequests()) requests.set(id, tags.get(TAG.pool) ?? '');
  return requests.get(instance.spotRequest) ?? null;
}

/** Looks at all pools. */
export function createLimitCheck(book: BreachBook): (stage: Stage) => void {
  const before = new Map<string, ReadonlySet<string>>();
  return (stage) => {
    const requests = new Map<string, string>();
    const alive = Map.groupBy(stage.world.instances().filter(isAlive), (one) => poolOf(stage, requests, one));
    for (const { id, limit } of stage.config().pools) {
      const now = new Set((alive.get(id) ?? []).map((instance) => instance.id));
      const known = before.get(id) ?? new Set();
      before.set(id, now);
      if (limit > 0 && now.size > limit && [...now].some((one) => !known.has(one)))
        book.add('above-limit', `${id} has ${now.size} machines, its limit is ${limit}`);
    }
  };
}
