// The scripts that dress a host, in the order in which the engine runs them: few, because each costs a round trip.
import type { PoolSpec } from '../domain/config.ts';
import { configureDocker, type HostDress, startDocker, writeTls } from './steps/configure-docker.ts';
import { makeHostKey, rotateHostKey } from './steps/host-key.ts';
import { guardJobs, installDocker } from './steps/install-docker.ts';
import { prepull } from './steps/prepull.ts';
import { frame } from './steps/shell.ts';
import { waitUserData } from './steps/wait-user-data.ts';

/** First script: nothing that changes how the host answers. Prints the next host key. */
export function prepareScript(spec: PoolSpec): string {
  return frame([guardJobs(), ...(spec.host.waitUserData ? [waitUserData()] : []), makeHostKey()]);
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

/** Third script, only when there are images to pull. */
export function prepullScript(images: readonly string[]): string {
  return frame([prepull(images)]);
}
