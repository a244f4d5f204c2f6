// docker-machine itself (GitLab's fork, not part of this repository) beside hostler, on real hosts behind the emulated EC2:
// it makes a machine there, hostler serves and ends it, and it ends one that hostler made. Prints both times.
// Runs when HOSTLER_TEST_DOCKER_MACHINE names its executable.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { folders, machineName, type Ran, run } from '../support/live-world.ts';
import { figure, type HostsWorld, startHostsWorld } from './hosts-world.ts';
import { askDocker, machineFiles } from './job-client.ts';

const socket = inject('dockerSocket');
const executable = process.env['HOSTLER_TEST_DOCKER_MACHINE'] ?? '';
if (socket !== null && executable === '')
  process.stderr.write(
    'test:hosts: skipped beside docker-machine: HOSTLER_TEST_DOCKER_MACHINE=/PATH names none\n',
  );

/** Starts Docker, which the image has off, and puts dockerd where docker-machine looks: its own provisioning needs both. */
const USER_DATA = '#!/bin/sh\nln -s ../sbin/dockerd /usr/bin/dockerd\nsystemctl enable --now docker\n';

describe.skipIf(socket === null || executable === '')('beside docker-machine', () => {
  const theirs = machineName();
  const ours = machineName();
  let world: HostsWorld;

  /** The other docker-machine, on the store that hostler uses too. */
  const peer = (...args: string[]): Promise<Ran> =>
    // hostler writes no credentials into its folders: the way back finds them where AWS's own tools do.
    run(executable, args, { ...world.env, AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any' }).done;
  const instanceOf = (name: string) => {
    const { address } = machineFiles(world, name);
    return world.emulator.world.instances().find((one) => one.address === address);
  };
  const ready = ({ code, stdout }: Ran) => ({ code, stdout: stdout.trim() });
  /** Seconds from SSH up, and from the end of cloud-init, until the create was done. */
  async function times(name: string, instance: string, done: number): Promise<[number, number]> {
    const ended = await world.dockerMachine('ssh', name, 'stat -c %.Y /run/cloud-init/result.json');
    expect(ended.code, ended.stderr).toBe(0);
    const booted = Number(ended.stdout) * 1000;
    return [(done - (world.greeted.get(instance) ?? 0)) / 1000, (done - booted) / 1000];
  }

  beforeAll(async () => {
    expect(existsSync(executable), `no ${executable}`).toBe(true);
    world = await startHostsWorld(socket ?? '');
    writeFileSync(join(world.folder, 'start-docker.sh'), USER_DATA);
  });
  afterAll(() => world.close());

  test('both make a machine of a host that boots the same way', async () => {
    const begun = Date.now();
    const made = await peer(
      'create',
      '--driver=amazonec2',
      `--amazonec2-endpoint=${world.emulator.endpoint}`,
      '--amazonec2-insecure-transport',
      '--amazonec2-access-key=any',
      '--amazonec2-secret-key=any',
      '--amazonec2-region=eu-central-1',
      '--amazonec2-ami=ami-0123456789abcdef0',
      '--amazonec2-use-private-address',
      `--amazonec2-userdata=${join(world.folder, 'start-docker.sh')}`,
      theirs,
    );
    const theirsDone = Date.now();
    expect(made, made.stdout + made.stderr).toMatchObject({ code: 0 });
    const oursBegun = Date.now();
    const own = await world.create(ours);
    const oursDone = Date.now();
    expect(own, own.stdout + own.stderr).toMatchObject({ code: 0 });
    const [a, b] = [
      await times(theirs, instanceOf(theirs)?.id ?? '', theirsDone),
      await times(ours, instanceOf(ours)?.id ?? '', oursDone),
    ];
    const line = (who: string, whole: number, [ssh, booted]: [number, number]) =>
      figure(
        `${who}: create ${(whole / 1000).toFixed(1)} s, of which ${ssh.toFixed(1)} s after SSH was up, ${booted.toFixed(1)} s after cloud-init`,
      );
    line('docker-machine', theirsDone - begun, a);
    line('hostler, empty pool', oursDone - oursBegun, b);
  });

  test('its machine is what it says, by its own commands', async () => {
    const { address } = machineFiles(world, theirs);
    expect(ready(await peer('url', theirs))).toEqual({ code: 0, stdout: `tcp://${address}:2376` });
    expect((await peer('config', theirs)).stdout).toContain(`-H=tcp://${address}:2376`);
    expect(ready(await peer('inspect', '-f', '{{.DriverName}}', theirs))).toEqual({
      code: 0,
      stdout: 'amazonec2',
    });
    expect(
      ready(await peer('ssh', theirs, 'sudo docker version --format "{{.Server.Version}}"')).stdout,
    ).toMatch(/^\d+\./);
  });

  test("hostler's docker-machine serves that folder just so, and ends its instance", async () => {
    for (const args of [
      ['url'],
      ['config'],
      ['ip'],
      ['status'],
      ['inspect', '-f', '{{.Driver.InstanceId}}'],
    ]) {
      const [verb = '', ...rest] = args;
      expect(ready(await world.dockerMachine(verb, ...rest, theirs)), verb).toEqual(
        ready(await peer(verb, ...rest, theirs)),
      );
    }
    expect(ready(await world.dockerMachine('ssh', theirs, 'hostname')).code).toBe(0);
    const instance = instanceOf(theirs);
    expect(await world.rm(theirs)).toMatchObject({ code: 0 });
    await world.until('its end', () => instance?.state === 'terminated', 60_000);
    expect(folders(world)).toEqual([ours]);
  });

  test('it serves a folder of hostler just so, and ends its instance', async () => {
    const { address, tls } = machineFiles(world, ours);
    expect(await askDocker(address, tls, { method: 'GET', path: '/_ping' })).toMatchObject({ status: 200 });
    for (const args of [
      ['url'],
      ['config'],
      ['ip'],
      ['status'],
      ['inspect', '-f', '{{.Driver.InstanceId}}'],
    ]) {
      const [verb = '', ...rest] = args;
      const said = await peer(verb, ...rest, ours);
      expect(ready(said), `${verb}: ${said.stderr}`).toEqual(
        ready(await world.dockerMachine(verb, ...rest, ours)),
      );
    }
    const hello = await peer('ssh', ours, 'hostname');
    expect(hello.code, hello.stderr).toBe(0);
    const instance = instanceOf(ours);
    const removed = await peer('rm', '-y', ours);
    expect(removed.code, removed.stdout + removed.stderr).toBe(0);
    await world.until('its end', () => instance?.state === 'terminated', 60_000);
    expect(folders(world)).toEqual([]);
    await world.until(
      'hostler to know',
      async () => (await world.client.machines()).every(({ phase }) => phase === 'gone'),
      120_000,
    );
    expect(await world.client.leases()).toEqual([]);
  });
});
