// The emulator's second kind of host: containers on the Docker of this machine that boot as EC2 instances do. What
// RunInstances was given is their user data, TerminateInstances removes them with their volume.
// Must not touch anything in that Docker that no emulator made. Trap: their addresses are this machine's alone.
import { HostlerError } from '../../domain/error.ts';
import type { AddressBlocks } from '../address-blocks.ts';
import type { StartHost } from '../host-keeper.ts';
import { cgroupVersion } from './docker-answers.ts';
import { createDockerClient, dockerSocket } from './docker-client.ts';
import { type HostPlace, startDockerHost } from './docker-host.ts';
import { ownMark, removeLeftovers } from './emulator-mark.ts';
import { createHostNetwork } from './host-network.ts';

/** Name of the image when none is given. */
export const DEFAULT_HOST_IMAGE = 'hostler-host';

export type DockerHosts = {
  /** For `EmulatorOptions`; its `addresses.close` removes the network when all hosts are closed. */
  startHost: StartHost;
  addresses: AddressBlocks;
  /** Hosts of killed emulators that were removed. */
  removed: number;
};

/**
 * Looks whether Docker and the image are there, removes what killed emulators left, and makes the hosts' network.
 * Throws HostlerError `docker-unusable` in one line when there is no Docker, it may not be used, or lacks the image.
 */
export async function startDockerHosts(options: {
  /** Where DOCKER_HOST is looked up. */
  env: Readonly<Record<string, string | undefined>>;
  /** Default: `hostler-host`. */
  image?: string;
  /** Each host's Docker gets a disk of its own of this size, in memory. Default: none. */
  diskMb?: number | null;
  /** Sees what Docker is asked for and may alter it: for hosts of another build. */
  change?: HostPlace['change'];
}): Promise<DockerHosts> {
  const { env, image = DEFAULT_HOST_IMAGE, diskMb = null, change = (asked) => asked } = options;
  if (process.platform !== 'linux') {
    throw new HostlerError(
      'docker-unusable',
      'hosts in containers need Linux: elsewhere their addresses cannot be reached from this machine',
    );
  }
  const docker = createDockerClient(dockerSocket(env));
  const info = await docker.json({ method: 'GET', path: '/info' });
  const { status } = await docker.call({
    method: 'GET',
    path: `/images/${encodeURIComponent(image)}/json`,
  });
  if (status !== 200) {
    throw new HostlerError(
      'docker-unusable',
      `Docker on ${docker.socket} has no image ${image}; docs/emulator.md says how to make one, --host-image names another`,
      { where: '--host-image' },
    );
  }
  const mark = ownMark();
  const removed = await removeLeftovers(docker);
  const network = await createHostNetwork(docker, mark);
  const cgroups = cgroupVersion(info);
  const place: HostPlace = { docker, image, network: network.name, mark, cgroups, diskMb, change };
  return {
    startHost: (host) => startDockerHost(place, host),
    addresses: network.addresses,
    removed,
  };
}
