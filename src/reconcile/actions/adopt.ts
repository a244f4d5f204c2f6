// Brings records and instances together: a requested machine whose instance EC2 shows, and an instance of this manager
// that has no record any more.
import { type Instance, TAG } from '../../domain/instance.ts';
import type { Action } from '../../domain/plan.ts';
import type { ActDeps } from '../act-deps.ts';
import { addressOf, withInstance } from './settle-launch.ts';

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
  const { store, clock } = deps;
  const { instance } = action;
  const token = instance.tags[TAG.launch] ?? '';
  const launch = store.launch(token);
  store.putMachine({
    id: action.machine,
    pool: action.pool,
    phase: 'booting',
    since: clock.now(),
    launch: token,
    spec: instance.tags[TAG.spec] ?? '',
    site: action.site,
    offering: { type: instance.type, zone: instance.zone, market: instance.market },
    instance: instance.id,
    imageId: instance.imageId,
    address: addressOf(deps.config.pool(action.pool), instance),
    createdAt: instance.launchedAt,
    readyAt: null,
    idleSince: null,
    builds: 0,
    lease: null,
    cleaning: false,
    hostKeys: launch === null ? [] : [launch.bootstrapHostKey],
    failedPings: 0,
    endAskedAt: null,
    endAccepted: false,
    ending: null,
    failure: null,
  });
  deps.journal({
    code: 'adopted',
    pool: action.pool,
    machine: action.machine,
    detail: { instance: instance.id },
  });
}
