// Brings records and instances together: a requested machine whose instance EC2 shows, and an instance of this manager
// that has no record any more.
import { type Instance, TAG } from '../../domain/instance.ts';
import { moveMachine } from '../../domain/machine.ts';
import type { Action } from '../../domain/plan.ts';
import type { ActDeps } from '../act-deps.ts';
import { addressOf, settleLaunched } from './launch.ts';

/** EC2 shows the instance of a machine: take over its id, address and zone; settles the launch it came from. */
export function matchMachine(deps: ActDeps, id: string, instance: Instance): void {
  const { store, clock } = deps;
  const machine = store.machine(id);
  if (machine === null || machine.phase === 'gone') return;
  const launch = store.launch(machine.launch);
  if (machine.phase === 'requested' && launch !== null && launch.state === 'intended') {
    const value = deps.sightings.view(machine.site);
    const siblings =
      value.kind === 'failed'
        ? [instance]
        : value.value.filter((other) => other.tags[TAG.launch] === launch.token);
    settleLaunched(deps, launch, siblings.length > 0 ? siblings : [instance]);
    return;
  }
  const address = addressOf(deps.config.pool(machine.pool), instance) ?? machine.address;
  const offering = { ...machine.offering, zone: instance.zone ?? machine.offering.zone };
  const known = { ...machine, instance: instance.id, address, offering };
  store.putMachine(machine.phase === 'requested' ? moveMachine(known, 'booting', clock.now()) : known);
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
