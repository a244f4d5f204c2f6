// What a pool's options come to in its account now: image, root device, subnet, zone, security groups. The order of the
// look-ups and nothing else; each lives in its own file.
import type { LaunchSpec } from '../../domain/config.ts';
import type { ResolvedLaunch } from '../../domain/launch.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HostPorts } from '../../ports/cloud.ts';
import type { Log } from '../../ports/log.ts';
import { resolveImage } from './resolve-image.ts';
import { resolveNetwork } from './resolve-network.ts';
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
  const [image, network] = await Promise.all([resolveImage(spec, deps), resolveNetwork(spec, deps)]);
  const securityGroupIds = await resolveSecurityGroups(spec, network.vpcId, deps);
  const resolved = { ...image, subnetId: network.subnetId, zone: network.zone, securityGroupIds };
  deps.log.info('launch options resolved', {
    image: resolved.imageId,
    from: resolved.imageFrom,
    root: resolved.rootDevice,
    subnet: resolved.subnetId,
    zone: resolved.zone,
    groups: securityGroupIds.join(' '),
  });
  return resolved;
}

/** Equal for specs that resolve alike; holds no secret. */
export function resolutionKey(spec: LaunchSpec, hostPorts: HostPorts): string {
  return JSON.stringify([
    spec.site.key,
    spec.ami ?? ['default', spec.instanceType],
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
