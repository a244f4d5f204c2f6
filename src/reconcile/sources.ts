// How old what hostler sees is, source by source: for `status` and health. Instances by site, job queues by pool.
// Must not name a source that nobody asked for.
import type { PoolQueue } from '../domain/queue.ts';
import type { EpochMs } from '../domain/units.ts';
import type { Reconciler } from './reconciler.ts';

export type SourceState = {
  source: string;
  state: 'fresh' | 'stale' | 'failed';
  at: EpochMs | null;
  why: string | null;
};

function queueSource({ pool, state, at, why }: PoolQueue): SourceState[] {
  if (state === 'off') return [];
  return [{ source: `queue ${pool}`, state, at, why: state === 'fresh' ? null : why }];
}

/** All sources of one daemon. */
export function sourcesOf({ observer, sightings }: Reconciler, queues: readonly PoolQueue[]): SourceState[] {
  const sites = observer.sites().map((site): SourceState => {
    const source = sightings.view(site.key);
    const at = source.kind === 'failed' ? null : source.at;
    const why = source.kind === 'fresh' ? null : source.why;
    return { source: `instances ${site.key}`, state: source.kind, at, why };
  });
  return [...sites, ...queues.flatMap(queueSource)];
}

/** Whether the lists of all sites are fresh: every instance of ours has its record, or soon will. */
export function seesAll({ observer, sightings }: Pick<Reconciler, 'observer' | 'sightings'>): boolean {
  return observer.sites().every(({ key }) => sightings.view(key).kind === 'fresh');
}
