// The dead-man timer on hosts that really boot, set to a short life: systemd runs it, Docker answers it, the host goes off.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { SECOND_MS } from '../../../src/domain/units.ts';
import { visitHost } from '../../../src/provision/visit.ts';
import { poolOf } from '../../unit/provision/host-fixture.ts';
import { type BareHost, type BareHosts, startBareHosts } from '../bare-host.ts';

const socket = inject('dockerSocket');
/** Long enough for any boot. A host whose boot must not count gets its short life by its first renewal. */
const long = { deadManMs: 3_600 * SECOND_MS, maxMachineLifeMs: 7_200 * SECOND_MS };
/** The timer looks every 30 s. */
const short = { ...long, deadManMs: 30 * SECOND_MS };
const visited = { ...long, deadManMs: 60 * SECOND_MS };

describe.skipIf(socket === null)('a host that nobody renews', () => {
  let hosts: BareHosts;

  beforeAll(async () => {
    hosts = await startBareHosts(socket ?? '');
  });
  afterAll(() => hosts.close());

  const isUp = ({ login }: BareHost) =>
    hosts.set.deps.hosts.connect(login, hosts.set.deps.clock.timeout(5 * SECOND_MS)).then(
      (session) => {
        session.close();
        return true;
      },
      () => false,
    );

  /** As hostler does: one attempt a visit, another one soon when it failed. */
  async function renew({ address, pins }: BareHost, limits: typeof long): Promise<number | null> {
    const spec = { ...poolOf({ sshPort: 22, dockerPort: 2376 }), ...limits };
    const until = hosts.set.deps.clock.timeout(40 * SECOND_MS);
    for (;;) {
      try {
        return (await visitHost(hosts.set.deps, { address, spec, pins, disk: true }, until)).disk;
      } catch (error) {
        if (until.aborted) throw error;
        await hosts.set.deps.clock.sleep(SECOND_MS);
      }
    }
  }

  test.concurrent('ends itself when no manager ever comes', async () => {
    const booted = await hosts.boot({ life: short });
    await booted.host.ended?.();
    expect(booted.host.console?.()).toContain('hostler: this host ends itself: not renewed for');
    expect(await isUp(booted)).toBe(false);
  });

  test.concurrent('lives on while a container runs on it', async () => {
    const booted = await hosts.boot({ life: long });
    await hosts.runs(
      booted,
      'systemctl start docker && tar -C / -c bin/busybox | docker import - job:1 && docker run -d job:1 /bin/busybox sleep 3600',
    );
    await renew(booted, short);
    // Its time, the rest behind a container's end, and a look of the timer.
    const silent = 'read -r up rest </proc/uptime; read -r renewed rest </run/hostler/renewed';
    await hosts.runs(booted, `until ${silent}; [ "$((\${up%%.*} - renewed))" -gt 80 ]; do sleep 1; done`);
    expect(await isUp(booted)).toBe(true);
  });

  test.concurrent('lives while it is visited', async () => {
    const booted = await hosts.boot({ life: long });
    await hosts.runs(booted, 'true');
    for (let round = 0; round < 7; round += 1) {
      expect(await renew(booted, visited)).toBeGreaterThan(0);
      await hosts.set.deps.clock.sleep(12 * SECOND_MS);
    }
    const timer = await hosts.runs(
      booted,
      'systemctl show -p ActiveState,LastTriggerUSecMonotonic hostler-dead-man.timer',
    );
    expect(timer).toContain('ActiveState=active');
    expect(await isUp(booted)).toBe(true);
  });
});
