// The planner's shell as one thing: what EC2 shows, the loop, the executors, the explainer, the cleaner of hosts.
// They wake each other through the loop's nudge; everything else comes in.
import type { EpochMs } from '../domain/units.ts';
import { type Actor, createActor } from './act.ts';
import type { ActDeps } from './act-deps.ts';
import { createExplainer, type Explainer } from './explain.ts';
import { createHostCleaner, type HostCleaner } from './host-cleaner.ts';
import { createLoop, type Loop } from './loop.ts';
import { createObserver, type Observer } from './observe.ts';
import { createResolver } from './resolver.ts';
import { createSightings, type Sightings } from './sightings.ts';

export type Reconciler = {
  loop: Loop;
  sightings: Sightings;
  observer: Observer;
  explainer: Explainer;
  cleaner: HostCleaner;
  actor: Actor;
  nudge(): void;
};

/** Builds the shell; nothing runs before the loop does. */
export function createReconciler(
  deps: Omit<ActDeps, 'sightings' | 'resolver' | 'site' | 'nudge'>,
): Reconciler {
  const { store, config, cloud, clock, metrics, journal, stop } = deps;
  const nudge = () => loop.nudge();
  const owner = () => config.get().settings.owner;
  const sightings = createSightings({ cloud, clock, owner, changed: nudge }, stop);
  const resolver = createResolver({ cloud, clock, changed: nudge }, stop);
  const observer = createObserver({ ...deps, sightings, resolver });
  const explainer = createExplainer({ metrics, journal });
  const cleaner = createHostCleaner({ ...deps, nudge }, stop);
  const actor = createActor({ ...deps, sightings, resolver, nudge, site: (key) => observer.site(key) });
  const dropGone = (before: EpochMs) => store.dropGone(before);
  const loop = createLoop({ ...deps, observer, actor, explainer, dropGone });
  return { loop, sightings, observer, explainer, cleaner, actor, nudge };
}
