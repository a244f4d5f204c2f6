// One tick's decisions: observation in, plan out. This file is the order of the steps; the rules stand in their files.
// Pure: time, ids and tokens come in. The same observation gives the same plan, in whatever order it lists things.
// Trap: a step sees what the steps before it decided. Sizes come after everything that ends machines by itself.
import type { Observation } from '../domain/observation.ts';
import type { Action, ActionKind, Plan } from '../domain/plan.ts';
import { compareText, type Draft, note, openDraft } from './draft.ts';
import { explainPool } from './explain-pool.ts';
import { growPools, type Make } from './grow.ts';
import { findAddresses, followLaunches, matchInstances } from './intents.ts';
import { buryDead, checkLiveness, startProvisioning } from './liveness.ts';
import { adoptOrphans, rememberOrphans } from './orphans.ts';
import { replaceAdvised } from './replace-advised.ts';
import { shrinkPools } from './shrink.ts';
import { sizePools, updateReserves } from './size.ts';
import { terminateEnded } from './terminations.ts';
import { endWornOut, replaceOutdated } from './wear-out.ts';

/** Order of the acts: the records first, then what jobs wait for, then what ends. */
const rank: Record<ActionKind, number> = {
  match: 0,
  'forget-launch': 1,
  bury: 2,
  adopt: 3,
  launch: 4,
  resend: 5,
  provision: 6,
  drain: 7,
  retire: 8,
  terminate: 9,
  'end-orphan': 10,
};

function subject(action: Action): string {
  if ('machine' in action) return action.machine;
  if (action.kind === 'end-orphan') return action.instance;
  if (action.kind === 'terminate') return action.site;
  // Launches keep the order of their urgency.
  return action.kind === 'launch' ? '' : action.token;
}

/** While the store takes nothing no step can be stored, so none is made; the numbers are still told. */
function holdStill(draft: Draft, why: string): Plan {
  const sizings = sizePools(draft);
  for (const { pool } of sizings) note(pool, 'state-unwritable', { why });
  return {
    at: draft.now,
    actions: [],
    pools: sizings.map((sizing) => explainPool(draft, sizing)),
    memories: draft.pools.map(({ memory }) => memory),
    orphans: draft.seen.orphansSeen,
    wakeAt: draft.wakeAt,
  };
}

/**
 * Plans one tick. Every action carries its ids, token and reason; every pool carries its numbers and at least one
 * reason. `make` gives new machine ids and launch tokens (at most 64 ASCII characters), each different.
 */
export function planTick(observation: Observation, make: Make): Plan {
  const draft = openDraft(observation);
  if (typeof observation.stateTrouble === 'string') return holdStill(draft, observation.stateTrouble);
  findAddresses(draft);
  matchInstances(draft);
  followLaunches(draft);
  adoptOrphans(draft, () => make.machineId());
  rememberOrphans(draft);
  buryDead(draft);
  checkLiveness(draft);
  endWornOut(draft);
  startProvisioning(draft);
  updateReserves(draft);
  let sizings = sizePools(draft);
  if (replaceOutdated(draft, sizings)) sizings = sizePools(draft);
  if (replaceAdvised(draft, sizings)) sizings = sizePools(draft);
  growPools(draft, sizings, make);
  shrinkPools(draft, sizings);
  terminateEnded(draft);
  return {
    at: draft.now,
    actions: draft.actions.toSorted(
      (a, b) => rank[a.kind] - rank[b.kind] || compareText(subject(a), subject(b)),
    ),
    pools: sizings.map((sizing) => explainPool(draft, sizing)),
    memories: draft.pools.map(({ memory }) => memory),
    orphans: draft.looks,
    wakeAt: draft.wakeAt,
  };
}
