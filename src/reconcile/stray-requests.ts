// Spot requests of ours that no launch on record waits for: after a lost database, or when an answer was lost. Until they are
// over they may bring a machine each, so they stand against limits.
// Trap: a state that is new knows none of them; nothing may be requested beside them before EC2 has shown them once.
import { TAG } from '../domain/instance.ts';
import { isOpenRequest, type SpotRequest } from '../domain/spot-request.ts';
import type { Store } from '../ports/store.ts';
import type { Sightings } from './sightings.ts';

type Deps = { store: Store; sightings: Sightings; manager: string };

export type StrayRequests = {
  /** A look at all requests of a site. */
  shown(site: string, requests: readonly SpotRequest[]): void;
  /** Requests of the site cannot be listed at all: nothing will ever be known, and nothing waits for it. */
  denied(site: string): void;
  /** False: the site's requests were never seen by this state, and one of a state before may be open still. */
  isSeen(site: string): boolean;
  /** How many there are by pool; null: not seen. */
  view(site: string): ReadonlyMap<string, number> | null;
};

const seenFact = (site: string) => `spot-requests-seen ${site}`;

/** None known yet. */
export function createStrayRequests({ store, sightings, manager }: Deps): StrayRequests {
  const denied = new Set<string>();
  const strays = new Map<string, readonly SpotRequest[]>();

  function isStray({ tags, state, instance }: SpotRequest, known: ReadonlySet<string | null>): boolean {
    if (tags[TAG.manager] !== manager) return false;
    if (store.launch(tags[TAG.launch] ?? '')?.state === 'intended') return false;
    return state === 'open' || (state === 'active' && instance !== null && !known.has(instance));
  }

  /** Instances that count already: on record, or shown by the listing. */
  function counted(site: string): Set<string | null> {
    const view = sightings.view(site);
    const shown = view.kind === 'failed' ? [] : view.value.map(({ id }) => id);
    return new Set([...store.machines().map(({ instance }) => instance), ...shown]);
  }

  // However long it takes: those that were filled meanwhile run without tags, and no other listing shows them.
  const isSeen = (site: string) => denied.has(site) || store.fact(seenFact(site)) !== null;

  return {
    isSeen,
    denied: (site) => void denied.add(site),
    shown(site, requests) {
      if (store.fact(seenFact(site)) === null) store.putFact(seenFact(site), 'yes');
      const open = requests.filter((request) => isOpenRequest(request) || request.state === 'active');
      const known = open.length === 0 ? new Set<string>() : counted(site);
      strays.set(
        site,
        open.filter((request) => isStray(request, known)),
      );
    },
    view(site) {
      if (!isSeen(site)) return null;
      const own = strays.get(site) ?? [];
      const byPool = new Map<string, number>();
      if (own.length === 0) return byPool;
      const known = counted(site);
      for (const request of own.filter((one) => isStray(one, known))) {
        const pool = request.tags[TAG.pool] ?? '';
        byPool.set(pool, (byPool.get(pool) ?? 0) + 1);
      }
      return byPool;
    },
  };
}
