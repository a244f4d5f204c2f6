// The instances of one region: who is known, listed, ended. A new one is not seen by Describe for a moment.
import { refuse } from './ec2-error.ts';
import { instanceFields, type SimInstance } from './instance.ts';
import type { Health } from './instance-status.ts';
import { createLives, type Fate, type LifeEvents, type Timing } from './lives.ts';
import { checkIds, matching, pageOf, type Query } from './search.ts';
import type { Timeline } from './timeline.ts';

export type Instances = ReturnType<typeof createInstances>;

const byUser = {
  code: 'Client.UserInitiatedShutdown',
  message: 'Client.UserInitiatedShutdown: User initiated shutdown',
};

/** What a host's console would show. */
function consoleOf(instance: SimInstance): string {
  const lines = [
    `[    0.000000] Linux version 6.8.0 (${instance.imageId}, ${instance.type})`,
    '[    1.204817] EXT4-fs (nvme0n1p1): mounted filesystem',
    instance.hostUp
      ? `cloud-init: final: up, ${instance.id} is ready`
      : `cloud-init: ${instance.id} is waiting for its network`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

export function createInstances(world: {
  timeline: Timeline;
  timing: Timing;
  events: LifeEvents;
  /** What a host really showed, or null. */
  console: (instance: SimInstance) => string | null;
  /** What befalls one that starts. */
  fate: () => Fate;
}) {
  const { timeline, timing } = world;
  const all = new Map<string, SimInstance>();
  const lives = createLives(world, (instance) => all.delete(instance.id));
  const seen = (instance: SimInstance): boolean => timeline.now() >= instance.launchedAt + timing.unseenMs;

  const known = (ids: readonly string[]): SimInstance[] => {
    checkIds('i', ids, 'InvalidInstanceID.Malformed');
    const strange = ids.filter((id) => {
      const instance = all.get(id);
      return instance === undefined || !seen(instance);
    });
    if (strange.length > 0) {
      const [word, verb] = strange.length === 1 ? ['ID', 'does'] : ['IDs', 'do'];
      refuse('InvalidInstanceID.NotFound', `The instance ${word} '${strange.join(', ')}' ${verb} not exist`);
    }
    return [...new Set(ids)].flatMap((id) => all.get(id) ?? []);
  };

  return {
    /** All that are still remembered, terminated ones included, in the order of their launch. */
    all: (): IterableIterator<SimInstance> => all.values(),
    known,
    /** By id, also one that Describe does not know yet. */
    find: (id: string): SimInstance | undefined => all.get(id),

    begin(instance: SimInstance): void {
      all.set(instance.id, instance);
      lives.begin(instance, world.fate());
    },

    /** Of any state: only a running one stops. */
    stop: (instance: SimInstance, reason = byUser): void => lives.stop(instance, reason),
    start: (instance: SimInstance): void => lives.start(instance, { ...world.fate(), stateReason: null }),

    /** Of any state; nothing for one that is ending already. */
    end: (instance: SimInstance, reason = byUser): void => lives.end(instance, reason),

    /** What EC2's checks say of it. */
    health(instance: SimInstance): Health {
      if (instance.state !== 'running') return 'not-applicable';
      if (instance.hostUp) return 'ok';
      return timeline.now() < instance.startedAt + timing.bootMs ? 'initializing' : 'impaired';
    },

    describe(query: Query) {
      if (query.ids.length > 0 && query.page.maxResults !== null) {
        refuse(
          'InvalidParameterCombination',
          'The parameter instancesSet cannot be used with the parameter maxResults',
        );
      }
      const some = query.ids.length > 0 ? known(query.ids) : [...all.values()].filter(seen);
      return pageOf(matching(some, query.filters, instanceFields), query.page);
    },

    /** What the console shows, or null while EC2 has nothing: it comes some time after the start. */
    console(id: string): { text: string; at: number } | null {
      const instance = known([id])[0];
      const at = timeline.now();
      if (instance === undefined || at < instance.startedAt + timing.bootMs) return null;
      const shown = world.console(instance);
      if (shown !== null) return { text: shown, at };
      return { text: consoleOf(instance), at };
    },
  };
}
