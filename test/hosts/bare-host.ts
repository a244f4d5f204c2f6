// One host that boots for real, without EC2 and daemon in front of it: for what provisioning and the host's own timer do.
// A slow boot is waited for; the test's own time limit ends it.
import { SECOND_MS } from '../../src/domain/units.ts';
import type { HostContainer } from '../../src/emulator/docker-hosts/docker-host.ts';
import { type DockerHosts, startDockerHosts } from '../../src/emulator/docker-hosts/start-docker-hosts.ts';
import type { RunningHost } from '../../src/emulator/host-keeper.ts';
import type { HostAddress } from '../../src/ports/host.ts';
import type { HostLife } from '../../src/provision/steps/dead-man.ts';
import { composeUserData } from '../../src/provision/user-data.ts';
import { hostLife, type ProvisioningSetUp, provisioningSetUp } from '../unit/provision/host-fixture.ts';
import { gatewayOf } from './hosts-world.ts';

/** A machine with much else to do boots several hosts at once within two minutes. */
const PATIENCE_MS = 270 * SECOND_MS;

export type BareHost = {
  host: RunningHost;
  address: string;
  /** The host key of its user data. */
  pins: string[];
  login: HostAddress;
};

export type BareHosts = {
  set: ProvisioningSetUp;
  /** This machine's address in the hosts' network. */
  gateway: string;
  boot(options?: { own?: string; life?: HostLife; user?: string }): Promise<BareHost>;
  /** Runs a script as root as soon as the host lets us in and the script ends well; its output. */
  runs(host: BareHost, script: string): Promise<string>;
  close(): Promise<void>;
};

/** Hosts of one test file on the tests' Docker; `change` alters what that is asked for. */
export async function startBareHosts(
  socket: string,
  change: (asked: HostContainer) => HostContainer = (asked) => asked,
): Promise<BareHosts> {
  const hosts: DockerHosts = await startDockerHosts({ env: { DOCKER_HOST: `unix://${socket}` }, change });
  const set = await provisioningSetUp();
  const { keys, clock } = set.deps;
  const running: RunningHost[] = [];
  let booted = 0;
  return {
    set,
    gateway: gatewayOf(hosts),
    async boot({ own = '', life = hostLife, user = 'ubuntu' } = {}) {
      const address = hosts.addresses.take() ?? '';
      booted += 1;
      const instanceId = `i-0123456789abcde${booted.toString(16).padStart(2, '0')}`;
      const hostKey = await keys.hostKey();
      const { privateKey, publicKey } = await keys.userKey();
      const userData = composeUserData({
        own: own === '' ? null : Buffer.from(own).toString('base64'),
        hostKey,
        authorizedKey: publicKey,
        life,
      });
      const host = await hosts.startHost({
        address,
        sshPort: 22,
        dockerPort: 2376,
        userData: Buffer.from(userData, 'base64').toString(),
        instanceId,
        keyName: null,
      });
      running.push(host);
      const pins = [hostKey.publicKey];
      return { host, address, pins, login: { address, port: 22, user, privateKey, pins } };
    },
    async runs({ login, host }, script) {
      const until = clock.timeout(PATIENCE_MS);
      for (;;) {
        const session = await set.deps.hosts.connect(login, until).catch(() => null);
        const result = await session?.run(script, until);
        session?.close();
        if (result?.code === 0) return result.stdout;
        if (until.aborted) throw new Error(`${result?.stderr ?? ''} ${host.console?.().slice(-2_000) ?? ''}`);
        await clock.sleep(200);
      }
    },
    async close() {
      await Promise.all(running.map((host) => host.close()));
      await hosts.addresses.close();
      await set.close();
    },
  };
}
