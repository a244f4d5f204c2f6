// Hosts in containers as far as no container is needed: the words when Docker does not serve, whose leftovers are
// removed, how addresses are had, what a host is started with.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { dockerSocket } from '../../../../src/emulator/docker-hosts/docker-client.ts';
import { MARK, ownMark } from '../../../../src/emulator/docker-hosts/emulator-mark.ts';
import { hostAddresses } from '../../../../src/emulator/docker-hosts/host-network.ts';
import { seedArchive } from '../../../../src/emulator/docker-hosts/seed-archive.ts';
import { startDockerHosts } from '../../../../src/emulator/docker-hosts/start-docker-hosts.ts';
import { hostFaults } from '../../../../src/emulator/host/host-faults.ts';
import { scriptedDocker } from './scripted-docker.ts';

const id = (letter: string) => letter.repeat(64);
const subnet = { IPAM: { Config: [{ Subnet: '172.30.0.0/29' }] } };
const ready = {
  'GET /info': { status: 200, json: { CgroupVersion: '1' } },
  'GET /images/hostler-host/json': { status: 200, json: {} },
  'GET /containers/json': { status: 200, json: [] },
  'GET /networks': { status: 200, json: [] },
  'POST /networks/create': { status: 201, json: { Id: id('a') } },
  [`GET /networks/${id('a')}`]: { status: 200, json: subnet },
  [`DELETE /networks/${id('a')}`]: { status: 204 },
};
const host = {
  address: '172.30.0.2',
  sshPort: 22,
  dockerPort: 2376,
  userData: '#!/bin/sh\n',
  instanceId: 'i-1',
  keyName: null,
};

describe('the Docker that is used', () => {
  test.each([
    [{}, '/var/run/docker.sock'],
    [{ DOCKER_HOST: '' }, '/var/run/docker.sock'],
    [{ DOCKER_HOST: 'unix:///run/user/1000/docker.sock' }, '/run/user/1000/docker.sock'],
  ])('with %j is the socket %s', (env, socket) => {
    expect(dockerSocket(env)).toBe(socket);
  });

  test.each(['tcp://10.0.0.1:2376', 'ssh://host', 'unix://relative'])(
    'is never far away: %s',
    (DOCKER_HOST) => {
      expect(() => dockerSocket({ DOCKER_HOST })).toThrow(/must be unix:\/\/\/PATH or unset/);
    },
  );

  test('is missed in one line', async () => {
    const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
    await expect(startDockerHosts({ env })).rejects.toMatchObject({
      code: 'docker-unusable',
      message: expect.stringMatching(
        /^no Docker daemon listens on \/nonexistent\/docker\.sock; start it[^\n]+$/,
      ),
    });
  });

  test('without the image is told which one, and nothing is made', async () => {
    const { env, asked } = await scriptedDocker({ 'GET /info': { status: 200, json: {} } });
    await expect(startDockerHosts({ env, image: 'own/box:2' })).rejects.toMatchObject({
      code: 'docker-unusable',
      message: expect.stringContaining('has no image own/box:2'),
    });
    expect(asked.map(({ call }) => call)).toEqual(['GET /info', 'GET /images/own/box:2/json']);
  });
});

describe('the hosts of an emulator that was killed', () => {
  test('are removed when its process is gone; those of others stay', async () => {
    const labelled = (letter: string, mark: string) => ({ Id: id(letter), Labels: { [MARK]: mark } });
    const { env, asked } = await scriptedDocker({
      ...ready,
      'GET /containers/json': {
        status: 200,
        json: [
          labelled('b', `${hostname()}/4194999/1`),
          labelled('c', `${hostname()}/${process.pid}/1`),
          labelled('d', ownMark()),
          labelled('e', `another-machine/4194999/1`),
          labelled('f', 'nonsense'),
        ],
      },
      'GET /networks': {
        status: 200,
        json: [labelled('b', `${hostname()}/4194999/1`), labelled('d', ownMark())],
      },
    });
    const { removed } = await startDockerHosts({ env });
    expect(removed).toBe(2);
    expect(asked.map(({ call }) => call).filter((call) => call.startsWith('DELETE '))).toEqual([
      `DELETE /containers/${id('b')}`,
      `DELETE /containers/${id('c')}`,
      `DELETE /networks/${id('b')}`,
      `DELETE /networks/${id('a')}`,
    ]);
  });
});

describe('addresses', () => {
  test('are those of a subnet that Docker itself found free, each given out once', async () => {
    const { env, asked } = await scriptedDocker(ready);
    const { addresses } = await startDockerHosts({ env });
    const made = asked.filter(({ call }) => call === 'POST /networks/create').map(({ json }) => json);
    expect(made).toMatchObject([{}, { IPAM: { Config: [{ Subnet: '172.30.0.0/29' }] } }]);
    const taken = Array.from({ length: 6 }, () => addresses.take());
    expect(taken).toEqual(['172.30.0.2', '172.30.0.3', '172.30.0.4', '172.30.0.5', '172.30.0.6', null]);
    addresses.give('172.30.0.4');
    expect(addresses.take()).toBe('172.30.0.4');
  });

  test('are sought again when another took the subnet meanwhile, but not for ever', async () => {
    const taken = { status: 403, json: { message: 'Pool overlaps with other one on this address space' } };
    const made = ready['POST /networks/create'];
    const once = await scriptedDocker({ ...ready, 'POST /networks/create': [made, taken, made] });
    await expect(startDockerHosts({ env: once.env })).resolves.toBeDefined();
    const always = await scriptedDocker({
      ...ready,
      'POST /networks/create': [made, taken, made, taken, made, taken],
    });
    await expect(startDockerHosts({ env: always.env })).rejects.toThrow(/Pool overlaps/);
  });

  test('fit the subnet, large or small', () => {
    expect(hostAddresses('10.1.255.0/16', 3)).toEqual(['10.1.255.2', '10.1.255.3', '10.1.255.4']);
    expect(hostAddresses('192.168.7.248/30', 9)).toEqual(['192.168.7.250']);
    expect(hostAddresses('10.0.0.0/31', 9)).toEqual([]);
    expect(hostAddresses('10.0.0.250/24', 8).slice(-2)).toEqual(['10.0.1.2', '10.0.1.3']);
  });
});

describe('a host', () => {
  test('that Docker does not start is removed, with its words in the failure', async () => {
    const { env, asked } = await scriptedDocker({
      ...ready,
      'POST /containers/create': { status: 201, json: { Id: id('b') } },
      [`PUT /containers/${id('b')}/archive`]: { status: 200 },
      [`POST /containers/${id('b')}/start`]: { status: 500, json: { message: 'no space left\non device' } },
      [`DELETE /containers/${id('b')}`]: { status: 204 },
    });
    const { startHost } = await startDockerHosts({ env });
    await expect(startHost(host)).rejects.toThrow(/start: no space left on device$/);
    expect(asked.at(-1)?.call).toBe(`DELETE /containers/${id('b')}`);
  });

  test('is shut down and powered on again without being made anew, and is off already without complaint', async () => {
    const { env, asked } = await scriptedDocker({
      ...ready,
      'POST /containers/create': { status: 201, json: { Id: id('b') } },
      [`PUT /containers/${id('b')}/archive`]: { status: 200 },
      [`POST /containers/${id('b')}/start`]: { status: 204 },
      [`POST /containers/${id('b')}/stop`]: { status: 304 },
      [`GET /containers/${id('b')}/logs`]: { status: 200 },
      [`DELETE /containers/${id('b')}`]: { status: 204 },
    });
    const { startHost } = await startDockerHosts({ env });
    const { power, close } = await startHost(host);
    await power?.off();
    await power?.on();
    await close();
    const about = asked.map(({ call }) => call).filter((call) => /(create|start|stop|DELETE)/.test(call));
    expect(about.slice(about.indexOf('POST /containers/create'))).toEqual([
      'POST /containers/create',
      `POST /containers/${id('b')}/start`,
      `POST /containers/${id('b')}/stop`,
      `POST /containers/${id('b')}/start`,
      `DELETE /containers/${id('b')}`,
    ]);
  });

  test.each([
    ['1', 'ro'],
    ['2', 'rw'],
  ])(
    'on control groups version %s has them %s, is not privileged, and lies at its address',
    async (v, mode) => {
      const { env, asked } = await scriptedDocker({
        ...ready,
        'GET /info': { status: 200, json: { CgroupVersion: v } },
        'POST /containers/create': { status: 201, json: { Id: id('b') } },
        [`PUT /containers/${id('b')}/archive`]: { status: 200 },
        [`POST /containers/${id('b')}/start`]: { status: 204 },
        [`DELETE /containers/${id('b')}`]: { status: 404 },
      });
      const { startHost } = await startDockerHosts({ env });
      const running = await startHost(host);
      const made = asked.find(({ call }) => call === 'POST /containers/create')?.json as {
        HostConfig: { NetworkMode: string; Binds: string[]; Privileged?: boolean };
      };
      const { NetworkMode, Binds, Privileged } = made.HostConfig;
      expect(Privileged).toBeUndefined();
      expect(Binds).toEqual([`/sys/fs/cgroup:/sys/fs/cgroup:${mode}`]);
      expect(made).toMatchObject({
        Image: 'hostler-host',
        NetworkingConfig: {
          EndpointsConfig: { [NetworkMode]: { IPAMConfig: { IPv4Address: '172.30.0.2' } } },
        },
      });
      await running.close();
    },
  );

  /** A host whose container ends by itself with these codes, one after the other; further waits are refused. */
  async function hostThatEnds(...codes: number[]) {
    const docker = await scriptedDocker({
      ...ready,
      'POST /containers/create': { status: 201, json: { Id: id('b') } },
      [`PUT /containers/${id('b')}/archive`]: { status: 200 },
      [`POST /containers/${id('b')}/start`]: { status: 204 },
      [`POST /containers/${id('b')}/wait`]: [
        ...codes.map((StatusCode) => ({ status: 200, json: { StatusCode } })),
        { status: 500 },
      ],
      [`DELETE /containers/${id('b')}`]: { status: 204 },
    });
    const { startHost } = await startDockerHosts({ env: docker.env });
    const asked = (call: string) => docker.asked.filter((one) => one.call === call).length;
    return { running: await startHost(host), asked };
  }
  const wait = `POST /containers/${id('b')}/wait`;
  const start = `POST /containers/${id('b')}/start`;

  test('that powers itself off says so', async () => {
    const { running } = await hostThatEnds(130);
    await running.ended?.();
    await running.close();
  });

  test('that restarts itself boots again and has not ended', async () => {
    const { running, asked } = await hostThatEnds(129, 129, 130);
    await running.ended?.();
    expect([asked(wait), asked(start)]).toEqual([3, 3]);
    await running.close();
  });

  test.each([137, 0, 255])('that was killed (%i) is dead, which is not powered off', async (code) => {
    const { running, asked } = await hostThatEnds(code);
    let ended = false;
    void running.ended?.().then(() => {
      ended = true;
    });
    await vi.waitFor(() => expect(asked(wait)).toBe(1));
    await running.close();
    expect([ended, asked(start)]).toEqual([false, 1]);
  });

  test('that is told to go off, or is removed, has not powered itself off', async () => {
    const { running } = await hostThatEnds(130);
    await running.close();
    let ended = false;
    void running.ended?.().then(() => {
      ended = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
  });

  test('has a disk of its own when one is asked for', async () => {
    const { env, asked } = await scriptedDocker({
      ...ready,
      'POST /containers/create': { status: 500, json: { message: 'seen' } },
    });
    const { startHost } = await startDockerHosts({ env, diskMb: 128 });
    await expect(startHost(host)).rejects.toThrow('seen');
    expect(asked.at(-1)?.json).toMatchObject({
      HostConfig: {
        Mounts: [{ VolumeOptions: { DriverConfig: { Options: { type: 'tmpfs', o: 'size=128m' } } } }],
      },
    });
  });

  /** A host in which every script ends with this code. */
  async function hostThatRuns(ExitCode: number, diskMb: number | null = null) {
    const docker = await scriptedDocker({
      ...ready,
      'POST /containers/create': { status: 201, json: { Id: id('b') } },
      [`PUT /containers/${id('b')}/archive`]: { status: 200 },
      [`POST /containers/${id('b')}/start`]: { status: 204 },
      [`POST /containers/${id('b')}/exec`]: { status: 201, json: { Id: id('c') } },
      [`POST /exec/${id('c')}/start`]: { status: 200 },
      [`GET /exec/${id('c')}/json`]: { status: 200, json: { ExitCode } },
      [`DELETE /containers/${id('b')}`]: { status: 204 },
    });
    const { startHost } = await startDockerHosts({ env: docker.env, diskMb });
    const scripts = () =>
      docker.asked
        .filter(({ call }) => call.endsWith('/exec'))
        .map(({ json }) => (json as { Cmd: string[] }).Cmd.at(-1) ?? '');
    return { running: await startHost(host), scripts };
  }

  test('goes wrong by scripts that a shell can read', async () => {
    const { running, scripts } = await hostThatRuns(0, 64);
    const names = Object.keys(hostFaults);
    const had: string[] = [];
    for (const name of names)
      await running.afflict?.(name).then(
        () => had.push(name),
        () => undefined,
      );
    expect(had).toEqual([
      'none',
      'silent',
      'refuse',
      'reset',
      'power-off',
      'no-greeting',
      'wrong-host-key',
      'docker-mute',
      'docker-dies',
      'ssh-dies',
      'disk-full',
    ]);
    for (const script of scripts()) expect(() => execFileSync('sh', ['-n'], { input: script })).not.toThrow();
    expect(scripts()[2]).toContain('--dport 22 --syn');
    expect(scripts()[2]).toContain('--dport 2376 --syn');
    await running.close();
  });

  test('cannot have a clock of its own, nor a full disk that it shares: the words say what it can have', async () => {
    const { running, scripts } = await hostThatRuns(0);
    await expect(running.afflict?.('clock-behind')).rejects.toThrow(
      /cannot have "clock-behind": try none, silent/,
    );
    await expect(running.afflict?.('disk-full')).rejects.toThrow(/without a disk of its own \(--host-disk\)/);
    await expect(running.afflict?.('toString')).rejects.toThrow(RangeError);
    expect(scripts()).toEqual([]);
    await running.close();
  });

  test('whose script fails says so', async () => {
    const { running } = await hostThatRuns(127);
    await expect(running.afflict?.('silent')).rejects.toThrow(
      'silent could not be had: its script ended with 127',
    );
    await running.close();
  });

  test('reads its seed from a tar that any tar program reads', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostler-seed-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const large = 'ü'.repeat(5_000);
    const input = seedArchive([
      { path: 'seed/user-data', text: large },
      { path: 'seed/meta-data', text: '' },
    ]);
    execFileSync('tar', ['-xf', '-', '-C', folder], { input });
    expect(readFileSync(join(folder, 'seed/user-data'), 'utf8')).toBe(large);
    expect(readFileSync(join(folder, 'seed/meta-data'), 'utf8')).toBe('');
    expect(statSync(join(folder, 'seed/user-data')).mode & 0o777).toBe(0o600);
    expect(() => seedArchive([{ path: 'x'.repeat(101), text: '' }])).toThrow(RangeError);
  });
});
