// What a pool's options come to in its account now: image, root device, subnet, zone, security groups. The order of the
// look-ups and nothing else; each lives in its own file.
import type { LaunchSpec } from '../../domain/config.ts';
import type { ResolvedLaunch } from '../../domain/launch.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HostPorts } from '../../ports/cloud.ts';
import type { Log } from '../../ports/log.ts';
import { resolveImage } from './resolve-image.ts';
import { resolveNetworks } from './resolve-network.ts';
import { resolvePlaces } from './resolve-places.ts';
import { resolveSecurityGroups } from './security-groups.ts';
import type { SiteCalls } from './site-calls.ts';

/** Ports that the manager must reach on each host unless the caller names others: SSH and Docker over TLS. */
export const DEFAULT_HOST_PORTS: HostPorts = { ssh: 22, docker: 2376 };

export type ResolveDeps = {
  calls: SiteCalls;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  managerAddresses: readonly string[];
  hostPorts: HostPorts;
};

/** Throws `cloud-refused` with the outcome of the look-up that failed. */
export async function resolveLaunch(spec: LaunchSpec, deps: ResolveDeps): Promise<ResolvedLaunch> {
  const [image, networks] = await Promise.all([resolveImage(spec, deps), resolveNetworks(spec, deps)]);
  const [network] = networks;
  const [securityGroupIds, places] = await Promise.all([
    // A user's template brings its own groups.
    spec.template === null ? resolveSecurityGroups(spec, network.vpcId, deps) : [],
    resolvePlaces(
      spec,
      networks.map(({ subnetId, zone }) => ({ subnetId, zone })),
      deps,
    ),
  ]);
  const resolved = { ...image, subnetId: network.subnetId, zone: network.zone, securityGroupIds, places };
  deps.log.info('launch options resolved', {
    image: resolved.imageId,
    from: resolved.imageFrom,
    root: resolved.rootDevice,
    subnet: resolved.subnetId,
    zone: resolved.zone,
    groups: securityGroupIds.join(' '),
    places: places.length,
  });
  return resolved;
}

/** Equal for specs that resolve alike; holds no secret. */
export function resolutionKey(spec: LaunchSpec, hostPorts: HostPorts): string {
  return JSON.stringify([
    spec.site.key,
    spec.ami,
    spec.template?.name ?? null,
    spec.instanceTypes,
    spec.needs,
    spec.subnetIds,
    spec.markets,
    spec.deviceName,
    spec.vpcId,
    spec.zone,
    spec.subnetId,
    spec.securityGroups,
    spec.securityGroupReadonly,
    spec.openPorts,
    hostPorts.ssh,
    hostPorts.docker,
  ]);
}
