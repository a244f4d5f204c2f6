// Brings records and instances together: a requested machine whose instance EC2 shows, and an instance of this manager
// that has no record any more.
import { type Instance, TAG } from '../../domain/instance.ts';
import type { Action } from '../../domain/plan.ts';
import { adoptedMachine } from '../../planner/orphans.ts';
import type { ActDeps } from '../act-deps.ts';
import { withInstance } from './settle-launch.ts';

/**
 * A listing shows the instance of a machine, or its address at last. It says nothing about the rest of the launch: lists
 * lag, so the others of a batch may show later.
 */
export function matchMachine(deps: ActDeps, id: string, instance: Instance): void {
  const machine = deps.store.machine(id);
  if (machine === null || machine.phase === 'gone') return;
  if (machine.instance !== null && machine.instance !== instance.id) return;
  deps.store.putMachine(withInstance(deps, machine, instance));
}

/** An instance of ours without a record becomes a machine again; provisioning finds out what it is worth. */
export function adoptInstance(deps: ActDeps, action: Extract<Action, { kind: 'adopt' }>): void {
  const { instance, machine: id } = action;
  const pool = deps.config.pool(action.pool);
  if (pool === null) return;
  const launch = deps.store.launch(instance.tags[TAG.launch] ?? '');
  const machine = adoptedMachine(instance, { id, pool, now: deps.clock.now() });
  // A bootstrap key that is still known lets a host in that nobody has dressed yet.
  const hostKeys = launch === null ? [] : [launch.bootstrapHostKey];
  deps.store.putMachine({ ...machine, site: action.site, hostKeys });
  deps.journal({
    code: 'adopted',
    pool: action.pool,
    machine: action.machine,
    detail: { instance: instance.id },
  });
}
