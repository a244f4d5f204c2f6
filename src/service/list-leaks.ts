// Everything of this owner in EC2 that no machine's record stands for, and what hostler does about it, listed afresh.
// Only looks.
import type { LeakReply, LeaksReply } from '../contract/api.ts';
import type { CloudSite } from '../domain/config.ts';
import { HostlerError, messageOf } from '../domain/error.ts';
import { type Instance, TAG } from '../domain/instance.ts';
import type { Leftover } from '../domain/leftover.ts';
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import { useOf } from './leftovers.ts';
import { isoTime } from './replies.ts';

/** All sites together; a person waits. */
const LIST_LIMIT_MS: DurationMs = 10 * SECOND_MS;
/** A termination that EC2 has not shown to work for so long is one (as the metric has it). */
const STUCK_AFTER_MS: DurationMs = 5 * MINUTE_MS;

type Deps = {
  store: Store;
  config: CurrentConfig;
  cloud: Cloud;
  clock: Clock;
  manager: string;
  sites(): readonly CloudSite[];
  failures(): ReadonlyMap<string, string>;
};

const isOver = ({ state }: Instance) => state === 'terminated' || state === 'shutting-down';

/** Whose it is and what comes next. */
function fateOf(deps: Deps, tags: Instance['tags'], use: string | null): Pick<LeakReply, 'state' | 'why'> {
  if (tags[TAG.manager] !== deps.manager)
    return { state: 'other-manager', why: 'never touched by this daemon; cleanup --all-managers ends it' };
  if (use !== null) return { state: 'in-use', why: use };
  return { state: 'ending', why: 'adopted or removed after two looks a minute apart' };
}

function instanceLeak(
  deps: Deps,
  site: string,
  instance: Instance,
  machine: Machine | undefined,
): LeakReply[] {
  const { id, tags, launchedAt, state } = instance;
  const about = { kind: 'instance', id, site, detail: state, pool: tags[TAG.pool] ?? null } as const;
  const created = isoTime(launchedAt);
  if (machine === undefined) return [{ ...about, created, ...fateOf(deps, tags, null) }];
  if (machine.phase !== 'terminating' || deps.clock.now() - machine.since < STUCK_AFTER_MS) return [];
  return [{ ...about, created, state: 'stuck', why: machine.failure ?? 'EC2 does not show its end' }];
}

function leftoverLeak(deps: Deps, site: string, leftover: Leftover): LeakReply {
  const { kind, id, detail, createdAt, tags } = leftover;
  const use = useOf(leftover, site, { store: deps.store, pools: deps.config.get().pools });
  const failure = deps.failures().get(id);
  const fate = failure === undefined ? fateOf(deps, tags, use) : ({ state: 'stuck', why: failure } as const);
  return { kind, id, site, detail, pool: tags[TAG.pool] ?? null, created: isoTime(createdAt), ...fate };
}

/** Lists all sites. Throws `cloud-refused` when one cannot be listed: a part would look like all. */
export async function listLeaks(deps: Deps): Promise<LeaksReply> {
  const { cloud, clock, store, config } = deps;
  const signal = clock.timeout(LIST_LIMIT_MS);
  const { owner } = config.get().settings;
  const leaks: LeakReply[] = [];
  for (const site of deps.sites()) {
    try {
      const [instances, leftovers] = await Promise.all([
        cloud.list(site, owner, signal),
        cloud.listLeftovers(site, owner, signal),
      ]);
      const byInstance = new Map(store.machines().map((machine) => [machine.instance, machine]));
      for (const instance of instances.filter((one) => !isOver(one)))
        leaks.push(...instanceLeak(deps, site.key, instance, byInstance.get(instance.id)));
      for (const leftover of leftovers) leaks.push(leftoverLeak(deps, site.key, leftover));
    } catch (error) {
      throw new HostlerError('cloud-refused', `EC2 cannot be listed: ${messageOf(error)}`, {
        where: site.key,
        cause: error,
      });
    }
  }
  return { owner, leaks };
}
