// Which address of an instance hostler and the runner use. One rule for the launch answer, the listing and the door.
import type { LaunchSpec } from '../domain/config.ts';
import type { Instance } from '../domain/instance.ts';

/**
 * The private address where the options say so, else the public one, as docker-machine does; null while EC2 shows none.
 * A pool without any public address (`private-address-only`) always means the private one.
 */
export function addressOf(instance: Instance, launch: LaunchSpec): string | null {
  const isPrivate = launch.usePrivateAddress || launch.privateAddressOnly;
  return isPrivate ? instance.privateAddress : instance.publicAddress;
}
