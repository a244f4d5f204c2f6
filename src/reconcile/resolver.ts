// What each pool's options come to in its account now: AMI id, root device, groups, subnet, and the hash that drift
// compares. Looked up behind the loop; a launch waits for it only the first time.

import { specHash } from '../domain/build-request.ts';
import type { PoolSpec } from '../domain/config.ts';
import type { ResolvedLaunch } from '../domain/launch.ts';
import type { Place } from '../domain/offering.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';

/** A new AMI behind an SSM name is noticed within this time. */
const REFRESH_EVERY_MS: DurationMs = 10 * MINUTE_MS;
/** Look-ups are a handful of calls; longer means that EC2 is in trouble. */
const RESOLVE_LIMIT_MS: DurationMs = 45 * SECOND_MS;

type Known = { spec: PoolSpec; resolved: ResolvedLaunch; hash: string; at: DurationMs };

export type Resolver = {
  /** The hash of what a launch would use now, or null when not known. */
  hash(pool: PoolSpec): string | null;
  /** Where the pool may launch, or null when not known. */
  places(pool: PoolSpec): readonly Place[] | null;
  /** Throws HostlerError `cloud-refused`. */
  resolve(pool: PoolSpec): Promise<{ resolved: ResolvedLaunch; hash: string }>;
  /** Starts look-ups that are due. */
  refresh(pools: readonly PoolSpec[]): void;
};

/** A resolver over one cloud. */
export function createResolver(
  deps: { cloud: Cloud; clock: Clock; changed(): void },
  stop: AbortSignal,
): Resolver {
  const { cloud, clock } = deps;
  const known = new Map<string, Known>();
  const underWay = new Map<string, Promise<Known>>();
  const triedAt = new Map<string, DurationMs>();

  function lookUp(spec: PoolSpec): Promise<Known> {
    const running = underWay.get(spec.id);
    if (running !== undefined) return running;
    triedAt.set(spec.id, clock.monotonic());
    const work = cloud
      .resolve(spec.launch, clock.timeout(RESOLVE_LIMIT_MS, stop), {
        ssh: spec.host.sshPort,
        docker: spec.host.dockerPort,
      })
      .then((resolved) => {
        const found = {
          spec,
          resolved,
          hash: specHash(spec.launch, spec.host, resolved),
          at: clock.monotonic(),
        };
        known.set(spec.id, found);
        return found;
      })
      .finally(() => underWay.delete(spec.id));
    underWay.set(spec.id, work);
    return work;
  }

  const current = (spec: PoolSpec) => {
    const found = known.get(spec.id);
    return found?.spec === spec ? found : null;
  };

  return {
    hash: (spec) => current(spec)?.hash ?? null,
    places: (spec) => current(spec)?.resolved.places ?? null,
    resolve: async (spec) => current(spec) ?? lookUp(spec),
    refresh(pools) {
      for (const spec of pools) {
        const found = current(spec);
        const due = found === null ? MINUTE_MS : REFRESH_EVERY_MS;
        if (clock.monotonic() - (found?.at ?? triedAt.get(spec.id) ?? -Infinity) < due) continue;
        void lookUp(spec)
          .then(deps.changed)
          .catch(() => undefined);
      }
    },
  };
}
