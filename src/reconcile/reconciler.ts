// The planner's shell as one thing: what EC2 shows, the loop, the executors, the explainer, the visits to hosts that stand.
// They wake each other through the loop's nudge; everything else comes in.
import { HostlerError } from '../domain/error.ts';
import type { Machine } from '../domain/machine.ts';
import type { QueueView } from '../domain/queue.ts';
import type { EpochMs } from '../domain/units.ts';
import type { Notices } from '../ports/notices.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import { type VisitResult, visitHost } from '../provision/visit.ts';
import { createPriceBook, type PriceBook } from '../service/price-book.ts';
import { createFreeProof, type FreeProof } from '../service/prove-free.ts';
import { createRenewals, type Renewals } from '../service/renew-hosts.ts';
import type { UnknownFolders } from '../service/unknown-folders.ts';
import type { WaitingLine } from '../service/waiting-line.ts';
import { type Actor, createActor } from './act.ts';
import type { ActDeps } from './act-deps.ts';
import { createExplainer, type Explainer } from './explain.ts';
import { createHostCleaner, type HostCleaner } from './host-cleaner.ts';
import { createLoop, type Loop } from './loop.ts';
import { createObserver, type Observer } from './observe.ts';
import { createResolver } from './resolver.ts';
import { createSightings, type Sightings } from './sightings.ts';
import { createSpotWatch, type SpotWatch } from './spot-watch.ts';
import { createStrayRequests } from './stray-requests.ts';

export type Reconciler = {
  loop: Loop;
  sightings: Sightings;
  observer: Observer;
  explainer: Explainer;
  cleaner: HostCleaner;
  actor: Actor;
  proof: FreeProof;
  prices: PriceBook;
  /** What runs beside the loop, each until its signal aborts: renewals of hosts, the watch over spot. */
  watches: readonly (Renewals | SpotWatch)[];
  nudge(): void;
};

/** Absent: no queue of EC2's events is read; interruptions show in listings. */
export type SpotPorts = { notices?: Notices };

type Deps = SpotPorts &
  Omit<ActDeps, 'sightings' | 'resolver' | 'site' | 'nudge'> & {
    runnerStore: RunnerStore;
    folders: UnknownFolders;
    /** Machine stores that may hold folders of ours. */
    paths(): readonly string[];
    line: WaitingLine;
    queueView?: (now: EpochMs) => QueueView;
  };

/** One SSH visit to a machine that stands; throws when it cannot be made. */
async function visit(deps: Deps, machine: Machine, disk: boolean, signal: AbortSignal): Promise<VisitResult> {
  const spec = deps.config.pool(machine.pool);
  if (spec === null || machine.address === null)
    throw new HostlerError('host-unreachable', `${machine.id} has no address, or its pool is gone`);
  const order = { address: machine.address, spec, pins: machine.hostKeys, disk };
  return visitHost(deps, order, signal);
}

/** Builds the shell; nothing runs before the loop does. */
export function createReconciler(deps: Deps): Reconciler {
  const { store, config, cloud, clock, metrics, journal, stop } = deps;
  const nudge = () => loop.nudge();
  const owner = () => config.get().settings.owner;
  const sightings = createSightings({ cloud, clock, owner, changed: nudge }, stop);
  const strays = createStrayRequests({ ...deps, sightings });
  const resolver = createResolver({ cloud, clock, changed: nudge }, stop);
  const proof = createFreeProof(deps);
  const prices = createPriceBook({ ...deps, nudge, placesOf: (pool) => resolver.places(pool) });
  const observer = createObserver({ ...deps, sightings, resolver, prices, strays, isOpen: proof.isOpen });
  const explainer = createExplainer({ metrics, journal });
  const renewals = createRenewals({
    ...deps,
    nudge,
    visit: (one, signal) => visit(deps, one, false, signal),
  });
  const diskOf = async (machine: Machine, signal: AbortSignal) => {
    const { disk } = await visit(deps, machine, true, signal);
    renewals.renewed(machine.id);
    return disk;
  };
  const cleaner = createHostCleaner({ ...deps, nudge, diskOf }, stop);
  const acting = { ...deps, sightings, resolver, nudge, site: (key: string) => observer.site(key) };
  const actor = createActor(acting);
  const spot = createSpotWatch({ ...acting, strays, sites: () => observer.sites() });
  const dropGone = (before: EpochMs) => store.dropGone(before);
  const pools = () => deps.config.get().pools.length;
  const loop = createLoop({ ...deps, observer, actor, explainer, pools, dropGone });
  return {
    loop,
    sightings,
    observer,
    explainer,
    cleaner,
    actor,
    proof,
    prices,
    watches: [renewals, spot],
    nudge,
  };
}
