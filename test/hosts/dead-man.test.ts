// The dead-man timer on hosts that really boot, set to a short life: systemd runs it, Docker answers it, the host goes off.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { SECOND_MS } from '../../src/domain/units.ts';
import { type DockerHosts, startDockerHosts } from '../../src/emulator/docker-hosts/start-docker-hosts.ts';
import type { RunningHost } from '../../src/emulator/host-keeper.ts';
import { composeUserData } from '../../src/provision/user-data.ts';
import { visitHost } from '../../src/provision/visit.ts';
import { type ProvisioningSetUp, poolOf, provisioningSetUp } from '../unit/provision/host-fixture.ts';

const socket = inject('dockerSocket');
/** Seconds; the timer looks every 30. */
const life = { deadManMs: 30 * SECOND_MS, maxMachineLifeMs: 600 * SECOND_MS };

describe.skipIf(socket === null)('a host that nobody renews', () => {
  let hosts: DockerHosts;
  let set: ProvisioningSetUp;
  const running: RunningHost[] = [];

  beforeAll(async () => {
    hosts = await startDockerHosts({ env: { DOCKER_HOST: `unix://${socket ?? ''}` } });
    set = await provisioningSetUp();
  });
  afterAll(async () => {
    await Promise.all(running.map((host) => host.close()));
    await hosts.addresses.close();
    await set.close();
  });

  let number = 0;
  async function boot(limits = life) {
    const { keys } = set.deps;
    const address = hosts.addresses.take() ?? '';
    const hostKey = await keys.hostKey();
    const { privateKey, publicKey } = await keys.userKey();
    const own = Buffer.from('#!/bin/sh\n:\n').toString('base64');
    const userData = composeUserData({ own, hostKey, authorizedKey: publicKey, life: limits });
    number += 1;
    const host = await hosts.startHost({
      address,
      sshPort: 22,
      dockerPort: 2376,
      userData: Buffer.from(userData, 'base64').toString(),
      instanceId: `i-0123456789abcde${number.toString(16).padStart(2, '0')}`,
      keyName: null,
    });
    running.push(host);
    const pins = [hostKey.publicKey];
    return { host, address, pins, login: { address, port: 22, user: 'ubuntu', privateKey, pins } };
  }
  type Booted = Awaited<ReturnType<typeof boot>>;

  /** Runs a script there as soon as the host lets us in; its output. */
  async function runs({ login, host }: Booted, script: string): Promise<string> {
    const until = set.deps.clock.timeout(90 * SECOND_MS);
    for (;;) {
      const session = await set.deps.hosts.connect(login, until).catch(() => null);
      const result = await session?.run(script, until);
      session?.close();
      if (result?.code === 0) return result.stdout;
      if (until.aborted) throw new Error(`${result?.stderr ?? ''} ${host.console?.().slice(-2_000) ?? ''}`);
      await set.deps.clock.sleep(200);
    }
  }
  const isUp = ({ login }: Booted) =>
    set.deps.hosts.connect(login, set.deps.clock.timeout(5 * SECOND_MS)).then(
      (session) => {
        session.close();
        return true;
      },
      () => false,
    );
  async function goesOff(booted: Booted): Promise<void> {
    const until = set.deps.clock.timeout(100 * SECOND_MS);
    while (!until.aborted && (await isUp(booted))) await set.deps.clock.sleep(SECOND_MS);
    expect(until.aborted).toBe(false);
  }

  test.concurrent('ends itself when no manager ever comes; with a container on it, it lives on', async () => {
    const [alone, used] = await Promise.all([boot(), boot()]);
    await runs(
      used,
      'systemctl start docker && tar -C / -c bin/busybox | docker import - job:1 && docker run -d job:1 /bin/busybox sleep 3600',
    );
    await goesOff(alone);
    expect(alone.host.console?.()).toContain('hostler: this host ends itself: not renewed for');
    // Its own time is over too; what the timer saw is why it lives.
    const seen = await runs(used, 'cat /run/hostler/used /run/hostler/renewed');
    const [usedAt = 0, renewedAt = 0] = seen.split('\n').map(Number.parseFloat);
    expect(usedAt - renewedAt).toBeGreaterThanOrEqual(15);
    expect(await isUp(used)).toBe(true);
  });

  test.concurrent('lives while it is visited', async () => {
    const booted = await boot();
    const spec = { ...poolOf({ sshPort: 22, dockerPort: 2376 }), ...life };
    const visit = async () =>
      visitHost(
        set.deps,
        { address: booted.address, spec, pins: booted.pins, disk: true },
        set.deps.clock.timeout(15 * SECOND_MS),
      );
    await runs(booted, 'true');
    for (let round = 0; round < 4; round += 1) {
      const { disk } = await visit();
      expect(disk).toBeGreaterThan(0);
      await set.deps.clock.sleep(12 * SECOND_MS);
    }
    const timer = await runs(
      booted,
      'systemctl show -p ActiveState,LastTriggerUSecMonotonic hostler-dead-man.timer',
    );
    expect(timer).toContain('ActiveState=active');
    expect(await isUp(booted)).toBe(true);
  });
});
