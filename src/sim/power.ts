// TerminateInstances, StopInstances, StartInstances, RebootInstances. A call serves all its instances or none; only a
// protected instance keeps the rest of its zone from being terminated and lets those of other zones end.
// Traps: stopped instances keep their private address but not their place: starting can meet missing capacity. What is
// in the wanted state already is no error.
import type { Capacity } from './capacity.ts';
import { refuse } from './ec2-error.ts';
import type { InstanceState, SimInstance } from './instance.ts';
import type { Instances } from './instances.ts';
import type { SpotRequests } from './spot-requests.ts';

export type StateChange = { id: string; before: InstanceState; after: InstanceState };

export type PowerParts = {
  instances: Instances;
  spotRequests: SpotRequests;
  capacity: Capacity;
  /** Throws RequestLimitExceeded. */
  takeTokens(action: 'TerminateInstances' | 'StopInstances' | 'StartInstances', count: number): void;
};

const cannotBe = (instance: SimInstance, done: string): never =>
  refuse(
    'IncorrectInstanceState',
    `The instance '${instance.id}' is not in a state from which it can be ${done}.`,
  );

function namedBy(parts: PowerParts, ids: readonly string[]): SimInstance[] {
  if (ids.length === 0) refuse('MissingParameter', 'The request must contain the parameter InstanceId');
  return parts.instances.known(ids);
}

function checkStop(parts: PowerParts, instance: SimInstance): void {
  const { id, state, market, spotRequest } = instance;
  if (state === 'pending') {
    refuse(
      'IncorrectInstanceState',
      `Instance '${id}' cannot be stopped as it has never reached the 'running' state.`,
    );
  }
  if (state === 'shutting-down' || state === 'terminated') cannotBe(instance, 'stopped');
  if (market === 'spot' && parts.spotRequests.find(spotRequest ?? '')?.kind !== 'persistent') {
    refuse(
      'UnsupportedOperation',
      `You can't stop the Spot Instance '${id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
    );
  }
}

/** Throws InsufficientInstanceCapacity when not all of them have room at once. */
function checkRoom(capacity: Capacity, some: readonly SimInstance[]): void {
  const wanted = new Map<string, number>();
  for (const { type, zone, market } of some) {
    const key = `${type} ${zone} ${market}`;
    const count = (wanted.get(key) ?? 0) + 1;
    wanted.set(key, count);
    if (capacity.left(type, zone, market) < count) {
      refuse(
        'InsufficientInstanceCapacity',
        `Insufficient capacity: ${type} in ${zone}. Our system will be working on provisioning additional capacity.`,
      );
    }
  }
}

/** Does `work` to those in `state` and tells what became of all. */
function changeAll(
  some: readonly SimInstance[],
  state: InstanceState,
  work: (instance: SimInstance) => void,
): StateChange[] {
  return some.map((instance) => {
    const before = instance.state;
    if (before === state) work(instance);
    return { id: instance.id, before, after: instance.state };
  });
}

export function createPower(parts: PowerParts) {
  const { instances, spotRequests, capacity, takeTokens } = parts;
  const countOf = (some: readonly SimInstance[], state: InstanceState): number =>
    some.filter((instance) => instance.state === state).length;

  return {
    /** Ending twice is no error. */
    terminate(ids: readonly string[]): StateChange[] {
      const some = namedBy(parts, ids);
      takeTokens('TerminateInstances', some.filter((instance) => instance.endingAt === null).length);
      const shielded = some.filter((instance) => instance.protected && instance.endingAt === null);
      const zones = new Set(shielded.map((instance) => instance.zone));
      const changes = some
        .filter((instance) => !zones.has(instance.zone))
        .map((instance) => {
          const before = instance.state;
          instances.end(instance);
          return { id: instance.id, before, after: instance.state };
        });
      if (shielded[0] !== undefined) {
        refuse(
          'OperationNotPermitted',
          `The instance '${shielded[0].id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
        );
      }
      return changes;
    },

    stop(ids: readonly string[]): StateChange[] {
      const some = namedBy(parts, ids);
      for (const instance of some) checkStop(parts, instance);
      takeTokens('StopInstances', countOf(some, 'running'));
      return changeAll(some, 'running', (instance) => {
        instances.stop(instance);
        if (instance.spotRequest !== null) spotRequests.disable(instance.spotRequest);
      });
    },

    start(ids: readonly string[]): StateChange[] {
      const some = namedBy(parts, ids);
      for (const instance of some) {
        if (!['stopped', 'pending', 'running'].includes(instance.state)) cannotBe(instance, 'started');
      }
      checkRoom(
        capacity,
        some.filter((instance) => instance.state === 'stopped'),
      );
      takeTokens('StartInstances', countOf(some, 'stopped'));
      return changeAll(some, 'stopped', (instance) => {
        capacity.take(instance.type, instance.zone, instance.market);
        instance.placed = true;
        instances.start(instance);
        if (instance.spotRequest !== null) spotRequests.enable(instance.spotRequest);
      });
    },

    /** Nothing changes: a reboot is over before anyone looks. */
    reboot(ids: readonly string[]): void {
      for (const instance of namedBy(parts, ids)) {
        if (instance.state !== 'running' && instance.state !== 'pending') cannotBe(instance, 'rebooted');
      }
    },
  };
}
