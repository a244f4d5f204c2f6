// The ends of instances that no call asked for: a host powers itself off, EC2 takes a spot instance back.
// Traps: what a host's own power-off means is the instance's InstanceInitiatedShutdownBehavior; a one-time spot request
// shows the end from the notice on, while its instance still runs for two minutes.
import type { SimInstance } from './instance.ts';
import type { Instances } from './instances.ts';
import type { SpotRequests } from './spot-requests.ts';
import type { Timeline } from './timeline.ts';

/** EC2's notice before it takes a spot instance back (EC2 user guide, spot instance interruption notices). */
export const NOTICE_MS = 120_000;

const byItself = {
  code: 'Client.InstanceInitiatedShutdown',
  message: 'Client.InstanceInitiatedShutdown: Instance initiated shutdown',
};
const takenBack = {
  code: 'Server.SpotInstanceTermination',
  message: 'Server.SpotInstanceTermination: Spot instance termination',
};

export function createUnaskedEnds(parts: {
  instances: Instances;
  spotRequests: SpotRequests;
  timeline: Timeline;
  /** Told of warnings and advice. */
  tell: (kind: 'interruption' | 'rebalance', instance: SimInstance) => void;
}) {
  const { instances, spotRequests, timeline, tell } = parts;
  return {
    /** Its host powered itself off. What could not be started again is not stopped but ended. */
    hostOff(instance: SimInstance): void {
      const request = spotRequests.find(instance.spotRequest ?? '');
      const isOnce = instance.market === 'spot' && request?.kind !== 'persistent';
      if (instance.shutdown === 'terminate' || isOnce) {
        instances.end(instance, byItself);
        return;
      }
      instances.stop(instance, byItself);
      if (request !== null) spotRequests.disable(request.id);
    },

    /** Takes a spot instance back `noticeMs` from now. False for one that is not spot, does not run, or was told before. */
    reclaim(instance: SimInstance, noticeMs: number): boolean {
      const { market, state, reclaimAt, spotRequest } = instance;
      if (market !== 'spot' || state !== 'running' || reclaimAt !== null) return false;
      instance.reclaimAt = timeline.now() + noticeMs;
      const request = spotRequests.find(spotRequest ?? '');
      if (request?.state === 'active' && request.kind === 'one-time')
        spotRequests.instanceEnded(request.id, 'instance-terminated-no-capacity');
      tell('interruption', instance);
      timeline.after(noticeMs, () => {
        if (instance.state === 'running') instances.end(instance, takenBack);
      });
      return true;
    },

    /** Advises to move on from a spot instance; nothing else happens. False for one that is not spot or does not run. */
    advise(instance: SimInstance): boolean {
      if (instance.market !== 'spot' || instance.state !== 'running') return false;
      tell('rebalance', instance);
      return true;
    },
  };
}
