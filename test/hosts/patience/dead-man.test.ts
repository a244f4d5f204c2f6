// The dead-man timer on hosts that really boot, set to a short life: systemd runs it, Docker answers it, the host goes off.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { SECOND_MS } from '../../../src/domain/units.ts';
import { type DockerHosts, startDockerHosts } from '../../../src/emulator/docker-hosts/start-docker-hosts.ts';
import type { RunningHost } from '../../../src/emulator/host-keeper.ts';
import { composeUserData } from '../../../src/provision/user-data.ts';
import { visitHost } from '../../../src/provision/visit.ts';
import { type ProvisioningSetUp, poolOf, provisioningSetUp } from '../../unit/provision/host-fixture.ts';

const socket = inject('dockerSocket');
/** Long enough for any boot. A host whose boot must not count gets its short life by its first renewal. */
const long = { deadManMs: 3_600 * SECOND_MS, maxMachineLifeMs: 7_200 * SECOND_MS };
/** The timer looks every 30 s. */
const short = { ...long, deadManMs: 30 * SECOND_MS };
const visited = { ...long, deadManMs: 60 * SECOND_MS };

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
  async function boot(limits = long) {
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
    const until = set.deps.clock.timeout(270 * SECOND_MS);
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

  /** As hostler does: one attempt a visit, another one soon when it failed. */
  async function renew({ address, pins }: Booted, limits: typeof long): Promise<number | null> {
    const spec = { ...poolOf({ sshPort: 22, dockerPort: 2376 }), ...limits };
    const until = set.deps.clock.timeout(40 * SECOND_MS);
    for (;;) {
      try {
        return (await visitHost(set.deps, { address, spec, pins, disk: true }, until)).disk;
      } catch (error) {
        if (until.aborted) throw error;
        await set.deps.clock.sleep(SECOND_MS);
      }
    }
  }

  test.concurrent('ends itself when no manager ever comes', async () => {
    const booted = await boot(short);
    await booted.host.ended?.();
    expect(booted.host.console?.()).toContain('hostler: this host ends itself: not renewed for');
    expect(await isUp(booted)).toBe(false);
  });

  test.concurrent('lives on while a container runs on it', async () => {
    const booted = await boot();
    await runs(
      booted,
      'systemctl start docker && tar -C / -c bin/busybox | docker import - job:1 && docker run -d job:1 /bin/busybox sleep 3600',
    );
    await renew(booted, short);
    // Its time, the rest behind a container's end, and a look of the timer.
    const silent = 'read -r up rest </proc/uptime; read -r renewed rest </run/hostler/renewed';
    await runs(booted, `until ${silent}; [ "$((\${up%%.*} - renewed))" -gt 80 ]; do sleep 1; done`);
    expect(await isUp(booted)).toBe(true);
  });

  test.concurrent('lives while it is visited', async () => {
    const booted = await boot();
    await runs(booted, 'true');
    for (let round = 0; round < 7; round += 1) {
      expect(await renew(booted, visited)).toBeGreaterThan(0);
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
