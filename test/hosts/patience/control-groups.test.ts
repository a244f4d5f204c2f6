// A host with control groups of version 2, as today's distributions have them, also where this machine has version 1: its
// tree of version 2 beside that has no controllers, but all that systemd and Docker need to run a host's containers.
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { provisionMachine } from '../../../src/provision/engine.ts';
import { poolOf } from '../../unit/provision/host-fixture.ts';
import { type BareHosts, startBareHosts } from '../bare-host.ts';

const socket = inject('dockerSocket');
/** Where systemd keeps version 2 beside version 1; a machine with version 2 alone shows it in all other tests. */
const tree = '/sys/fs/cgroup/unified';
const isBeside = existsSync(join(tree, 'cgroup.procs'));
if (socket !== null && !isBeside)
  process.stderr.write(`test:hosts: skipped control groups of version 2 beside version 1: no ${tree} here\n`);

/** Groups below `folder`, deepest first; the kernel frees those of a killed host a moment later. */
async function removeGroups(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await removeGroups(join(folder, entry.name));
  for (let tries = 50; ; tries -= 1) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (tries === 0) throw error;
      await sleep(100);
    }
  }
}

describe.skipIf(socket === null || !isBeside)('a host with control groups of version 2', () => {
  const own = join(tree, `hostler-test-${process.pid}`);
  let hosts: BareHosts;

  beforeAll(async () => {
    mkdirSync(own);
    hosts = await startBareHosts(socket ?? '', (asked) => ({
      ...asked,
      // Into its own group first, which then is the root of what it sees.
      Cmd: ['/bin/sh', '-c', 'echo $$ >/sys/fs/cgroup/cgroup.procs; exec unshare -C /sbin/init'],
      HostConfig: { ...asked.HostConfig, Binds: [`${own}:/sys/fs/cgroup:rw`] },
    }));
  });
  afterAll(async () => {
    await hosts.close();
    await removeGroups(own);
  });

  test('is provisioned, runs containers, and has its dead-man timer', async () => {
    const { deps, order } = hosts.set;
    const booted = await hosts.boot();
    const spec = poolOf({ sshPort: 22, dockerPort: 2376 });
    const limit = deps.clock.timeout(110_000);
    const result = await provisionMachine(deps, order(booted.address, booted.pins, { spec }), limit);
    expect(result.kind, result.kind === 'failed' ? `${result.step}: ${result.message}` : '').toBe('ready');
    const pins = result.kind === 'ready' ? [...result.hostKeys] : [];
    const host = { ...booted, pins, login: { ...booted.login, pins } };
    const info = "docker info --format '{{.CgroupVersion}} {{.CgroupDriver}}' 2>/dev/null";
    expect(await hosts.runs(host, `stat -fc %T /sys/fs/cgroup; ${info}`)).toBe('cgroup2fs\n2 systemd\n');
    const job =
      'tar -C / -c bin/busybox | docker import - job:1 >/dev/null && docker run --rm job:1 /bin/busybox echo ran';
    expect(await hosts.runs(host, job)).toBe('ran\n');
    expect(await hosts.runs(host, 'systemctl is-active hostler-dead-man.timer')).toBe('active\n');
  });
});
