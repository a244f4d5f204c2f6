// The scripts that dress a host, in the order in which the engine runs them: few, because each costs a round trip.
import type { PoolSpec } from '../domain/config.ts';
import { configureDocker, type HostDress, startDocker, writeTls } from './steps/configure-docker.ts';
import { type HostLife, renewDeadMan } from './steps/dead-man.ts';
import { lookAtDisk } from './steps/disk.ts';
import { makeHostKey, rotateHostKey } from './steps/host-key.ts';
import { guardJobs, installDocker } from './steps/install-docker.ts';
import { prepull } from './steps/prepull.ts';
import { frame } from './steps/shell.ts';
import { waitUserData } from './steps/wait-user-data.ts';

/** First script: nothing that changes how the host answers. Prints the next host key. */
export function prepareScript(spec: PoolSpec): string {
  const wait = spec.host.waitUserData ? [waitUserData()] : [];
  return frame([renewDeadMan(spec), guardJobs(), ...wait, makeHostKey()]);
}

/** Second script: everything from the new host key to a dockerd that serves TLS. */
export function setupScript(dress: HostDress): string {
  return frame([
    rotateHostKey(),
    installDocker(dress.host.engineInstallUrl),
    writeTls(dress),
    configureDocker(dress),
    startDocker(),
  ]);
}

/** Share of boot_timeout that pulling may take: what hangs there must leave time for a host that is ready without it. */
const PREPULL_SHARE = 0.5;

/** Third script, only when there are images to pull. */
export function prepullScript({ host, bootTimeoutMs }: PoolSpec): string {
  return frame([prepull(host.prepull, bootTimeoutMs * PREPULL_SHARE)]);
}

/** For a visit to a host that is in use: its dead-man timer is renewed. */
export function renewScript(life: HostLife): string {
  return frame([renewDeadMan(life)]);
}

/** For a visit between two leases: renewed, and a look at its disks. */
export function betweenLeasesScript(spec: PoolSpec): string {
  return frame([renewDeadMan(spec), lookAtDisk(spec.host.engineOptions)]);
}
