// Provisioning alone, on a host whose boot is over: how long it takes, and that it may run again.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type DockerHosts, startDockerHosts } from '../../src/emulator/docker-hosts/start-docker-hosts.ts';
import type { RunningHost } from '../../src/emulator/host-keeper.ts';
import { provisionMachine } from '../../src/provision/engine.ts';
import { composeUserData } from '../../src/provision/user-data.ts';
import {
  hostLife,
  type ProvisioningSetUp,
  poolOf,
  provisioningSetUp,
} from '../unit/provision/host-fixture.ts';
import { figure, READY_BUDGET_S } from './hosts-world.ts';

const socket = inject('dockerSocket');

describe.skipIf(socket === null)('a host that has booted', () => {
  let hosts: DockerHosts;
  let host: RunningHost;
  let set: ProvisioningSetUp;
  let address = '';
  let bootstrap = '';

  beforeAll(async () => {
    hosts = await startDockerHosts({ env: { DOCKER_HOST: `unix://${socket ?? ''}` } });
    set = await provisioningSetUp();
    const { keys, clock } = set.deps;
    address = hosts.addresses.take() ?? '';
    const hostKey = await keys.hostKey();
    const { privateKey, publicKey } = await keys.userKey();
    bootstrap = hostKey.publicKey;
    const userData = composeUserData({ own: null, hostKey, authorizedKey: publicKey, life: hostLife });
    host = await hosts.startHost({
      address,
      sshPort: 22,
      dockerPort: 2376,
      userData: Buffer.from(userData, 'base64').toString(),
      instanceId: 'i-0123456789abcdef0',
      keyName: null,
    });
    const until = clock.timeout(90_000);
    const booted = 'systemctl is-system-running --wait >/dev/null; test -e /run/cloud-init/result.json';
    for (;;) {
      const at = { address, port: 22, user: 'ubuntu', privateKey, pins: [bootstrap] };
      const session = await set.deps.hosts.connect(at, until).catch(() => null);
      const code = session === null ? null : (await session.run(booted, until)).code;
      session?.close();
      if (code === 0) break;
      if (until.aborted) throw new Error(`the host did not boot: ${host.console?.().slice(-2_000) ?? ''}`);
      await clock.sleep(100);
    }
  });
  afterAll(async () => {
    await host.close();
    await hosts.addresses.close();
    await set.close();
  });

  test('becomes a Docker host in one go, and is taken as it stands the next time', async () => {
    const { clock } = set.deps;
    const spec = poolOf({ sshPort: 22, dockerPort: 2376 });
    const begun = clock.monotonic();
    const first = await provisionMachine(
      set.deps,
      set.order(address, [bootstrap], { spec }),
      clock.timeout(90_000),
    );
    const took = (clock.monotonic() - begun) / 1000;
    figure(`a booted host to ready: ${took.toFixed(1)} s; budget ${READY_BUDGET_S} s`);
    expect(first).toMatchObject({ kind: 'ready', hostKeys: [expect.stringMatching(/^ssh-ed25519 /)] });
    const pins = first.kind === 'ready' ? first.hostKeys : [];
    expect(pins).not.toContain(bootstrap);
    const steps: string[] = [];
    const again = await provisionMachine(
      set.deps,
      set.order(address, pins, { spec, onProgress: (step) => steps.push(step) }),
      clock.timeout(90_000),
    );
    expect(again).toMatchObject({ kind: 'ready', hostKeys: pins });
    expect(steps).toEqual([]);
  });
});
