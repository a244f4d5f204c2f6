// The disk with the state takes nothing while the daemon runs: no job notices, creates wait, nothing is launched or handed
// over without being stored, health and status tell it, and it goes on by itself when there is room again.
// A limit on the size of the daemon's files does it everywhere; a small real file system where mounts work.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  dockerCall,
  folders,
  type LiveWorld,
  machineName,
  startJob,
  startWorld,
} from '../../support/live-world.ts';
import { awaitHeld, awaitReady, codesOf } from '../../support/looks.ts';

/** Not named in a call: they are not this package's. */
const [PRLIMIT, MOUNT, UMOUNT] = ['prlimit', 'mount', 'umount'];

type Disk = {
  /** Lines of the environment for the daemon. */
  env: Record<string, string>;
  begin(pid: number): void;
  end(pid: number): void;
  close(): void;
};

/** Files of the daemon may not grow beyond one page: the database cannot be written, small notes can. */
function limitedFiles(): Disk {
  const limit = (pid: number, bytes: string) =>
    void execFileSync(PRLIMIT, ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);
  return {
    env: {},
    begin: (pid) => limit(pid, '4096'),
    end: (pid) => limit(pid, 'unlimited'),
    close: () => undefined,
  };
}

/** A file system of 8 MB, filled to the brim. */
function smallDisk(): Disk {
  const at = mkdtempSync(join(tmpdir(), 'hostler-small-'));
  execFileSync(MOUNT, ['-t', 'tmpfs', '-o', 'size=8m,mode=0700', 'hostler-test', at]);
  const ballast = join(at, 'ballast');
  return {
    env: { HOSTLER_STATE_DIR: join(at, 'state') },
    begin() {
      for (const bytes of [1024 * 1024, 64 * 1024, 4 * 1024]) {
        try {
          for (;;) writeFileSync(ballast, Buffer.alloc(bytes), { flag: 'a' });
        } catch {
          // Full for pieces of this size.
        }
      }
    },
    end: () => rmSync(ballast),
    close() {
      execFileSync(UMOUNT, ['-l', at]);
      rmSync(at, { recursive: true, force: true });
    },
  };
}

function mayMount(): boolean {
  const at = mkdtempSync(join(tmpdir(), 'hostler-mount-'));
  const mounted = spawnSync(MOUNT, ['-t', 'tmpfs', '-o', 'size=64k', 'hostler-test', at]).status === 0;
  if (mounted) execFileSync(UMOUNT, [at]);
  rmSync(at, { recursive: true, force: true });
  return mounted;
}

const mayLimit = () => spawnSync(PRLIMIT, ['--version']).status === 0;

const disks = [
  {
    name: 'whose files may not grow',
    make: limitedFiles,
    words: 'its disk fails',
    can: mayLimit,
    lacks: 'prlimit',
  },
  {
    name: 'that is full',
    make: smallDisk,
    words: 'no space is left',
    can: mayMount,
    lacks: 'the right to mount',
  },
];

for (const { name, make, words, can, lacks } of disks) {
  const works = can();
  describe.skipIf(!works)(`a disk ${name}${works ? '' : ` (skipped: needs ${lacks})`}`, () => {
    let disk: Disk;
    let world: LiveWorld;
    let pid = 0;
    const [busy, given] = [machineName(), machineName()];
    let waiting: ReturnType<LiveWorld['startDockerMachine']>;
    let next = '';

    beforeAll(async () => {
      disk = make();
      world = await startWorld({
        env: disk.env,
        machine: 'IdleCount = 2\n    IdleTime = 600\n    MaxBuilds = 10',
      });
      for (const one of [busy, given]) expect(await world.create(one)).toMatchObject({ code: 0 });
      await startJob(world, busy, '7');
      await world.until('the job to be seen', async () =>
        (await world.client.leases()).some(({ state }) => state === 'busy'),
      );
      await world.until('a machine to spare', async () =>
        (await world.client.machines()).some(({ phase }) => phase === 'ready'),
      );
      ({ pid } = await world.client.status());
      disk.begin(pid);
      await world.until('the trouble to be noticed', async () => {
        // Every look at it tries to write.
        await fetch(`${world.metricsUrl}/healthz`);
        return (await world.client.status()).state_error !== null;
      });
    });
    afterAll(async () => {
      await world.close();
      disk.close();
    });

    const running = async () =>
      (
        JSON.parse(
          (await dockerCall(world, busy, { method: 'GET', path: '/containers/json' })).text,
        ) as unknown[]
      ).length;

    test('is told by health, readiness, a gauge, status and the history, each with the cause', async () => {
      const health = await fetch(`${world.metricsUrl}/healthz`);
      expect(health.status).toBe(503);
      expect(await health.text()).toContain(words);
      expect((await fetch(`${world.metricsUrl}/readyz`)).status).toBe(503);
      await world.until('the gauge', async () =>
        (await (await fetch(`${world.metricsUrl}/metrics`)).text()).includes(
          '\nhostler_state_writable_state 0',
        ),
      );
      const status = await world.hostler('status');
      expect(status).toMatchObject({ code: 0 });
      expect(status.stdout).toContain(words);
      expect(await codesOf(world)).toContain('state-unwritable');
    });

    test('lets no job and no held machine notice', async () => {
      expect(await running()).toBe(1);
      for (const verb of ['url', 'ip', 'config', 'inspect'])
        expect(await world.dockerMachine(verb, busy)).toMatchObject({ code: 0 });
      expect(await world.dockerMachine('config', given)).toMatchObject({ code: 0 });
    });

    test('lets a create wait with the cause, though a machine stands ready; nothing is launched', async () => {
      const alive = world.alive().length;
      next = machineName();
      waiting = world.startDockerMachine(
        'create',
        '--driver',
        'amazonec2',
        '--amazonec2-region=eu-central-1',
        next,
      );
      await world.until('the create to wait', async () =>
        (await world.client.leases()).some((lease) => lease.name === next && lease.place === 1),
      );
      expect(folders(world)).not.toContain(next);
      expect(world.alive()).toHaveLength(alive);
      await world.until('the plan to say so', async () =>
        (await world.hostler('explain')).stdout.includes('state-unwritable'),
      );
    });

    test('takes an rm at once and leaves the release in the folder', async () => {
      expect(await world.rm(given)).toMatchObject({ code: 0 });
      expect(folders(world)).not.toContain(given);
      expect((await world.client.leases()).map((lease) => lease.name)).toContain(given);
    });

    test('refuses what a person wants stored, in one line', async () => {
      const answer = await world.hostler('pause', 'test-runner');
      expect(answer).toMatchObject({ code: 74 });
      expect(answer.stderr.trim().split('\n')).toHaveLength(1);
      expect(answer.stderr).toContain('(state-unwritable)');
    });

    test('ends when there is room: the create gets its machine, the release is read, health is green', async () => {
      expect(world.isRunning()).toBe(true);
      disk.end(pid);
      const made = await waiting.done;
      expect(made, made.stderr).toMatchObject({ code: 0 });
      expect(made.stdout).toContain('cannot be written');
      await world.until('the release to be read', async () =>
        (await world.client.leases()).every((lease) => lease.name !== given),
      );
      expect((await fetch(`${world.metricsUrl}/healthz`)).status).toBe(200);
      expect(await codesOf(world)).toContain('state-writable');
      expect(await running()).toBe(1);
      expect(world.log()).not.toMatch(/\n {4}at /);
    });

    test('left everything stored: a killed daemon knows all of it again', async () => {
      const before = (await awaitHeld(world, 2)).map((lease) => lease.name).toSorted();
      await world.stop('SIGKILL');
      await world.start();
      expect((await awaitHeld(world, 2)).map((lease) => lease.name).toSorted()).toEqual(before);
      expect(before).toEqual([busy, next].toSorted());
      expect(await running()).toBe(1);
      for (const one of [busy, next]) expect(await world.rm(one)).toMatchObject({ code: 0 });
      await world.until('nobody to hold anything', async () => (await world.client.leases()).length === 0);
    });
  });
}

/** Kept apart: a database that is never read again must not stop the daemon from ending. */
describe.skipIf(!mayLimit())('a daemon that is stopped while its disk takes nothing', () => {
  test('ends in time and without a trace, and the next one goes on', async () => {
    const world = await startWorld({ machine: 'IdleCount = 1\n    IdleTime = 600\n    MaxBuilds = 10' });
    try {
      await awaitReady(world, 1);
      const { pid } = await world.client.status();
      limitedFiles().begin(pid);
      await world.until('the trouble to be noticed', async () => {
        await fetch(`${world.metricsUrl}/healthz`);
        return (await world.client.status()).state_error !== null;
      });
      expect(await world.stop()).toBe(0);
      expect(world.log()).not.toMatch(/\n {4}at /);
      await world.start();
      await awaitReady(world, 1);
      expect(world.alive()).toHaveLength(1);
    } finally {
      await world.close();
    }
  });
});
