// How the manager reaches a machine's Docker: address, port and certificates.
// Trap: each machine is known by the authority that it was made with; a new authority serves new machines only.
import type { Machine } from '../domain/machine.ts';
import type { DockerHost, DockerTls } from '../ports/docker.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { OwnClient } from './own-client.ts';

/** Docker's port for TLS, for machines whose pool left the configuration. */
const DOCKER_PORT = 2376;

type Deps = { store: Store; config: CurrentConfig; authority: string; ownClient: OwnClient | undefined };

export type HostAccess = {
  /** The machine's own certificates, as its folder gets them. */
  tlsOf(machine: Machine): DockerTls | null;
  /** Where the manager reaches its Docker. */
  hostOf(machine: Machine): DockerHost | null;
};

/** The ways in of one daemon. */
export function createHostAccess({ store, config, authority, ownClient }: Deps): HostAccess {
  const tlsOf = ({ id }: Machine): DockerTls | null => {
    const tls = store.machineTls(id);
    return tls === null ? null : { ca: tls.ca ?? authority, cert: tls.cert, key: tls.key };
  };
  return {
    tlsOf,
    hostOf(machine) {
      const tls = tlsOf(machine);
      if (tls === null || machine.address === null) return null;
      const port = config.pool(machine.pool)?.host.dockerPort ?? DOCKER_PORT;
      const own = tls.ca === authority ? ownClient?.current() : undefined;
      return { address: machine.address, port, tls: { ...tls, ...own } };
    },
  };
}
