// One host in a container: boots like an EC2 instance, with systemd, cloud-init, sshd and a Docker of its own. The image
// brings them; user data comes as a NoCloud seed; /var/lib/docker is a volume, since overlay file systems do not stack.
// Traps: `--privileged` asks for CAP_SYS_RESOURCE, which machines that are containers themselves lack, so all other
// rights are given by name; systemd sees the machine's control groups read-only in version 1, and must write version 2.

import { setTimeout as sleep } from 'node:timers/promises';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { HostOptions, RunningHost } from '../host-keeper.ts';
import { madeId } from './docker-answers.ts';
import type { DockerClient } from './docker-client.ts';
import { afflict } from './docker-faults.ts';
import { MARK } from './emulator-mark.ts';
import { ownEnd } from './own-end.ts';
import { seedArchive } from './seed-archive.ts';

/** What EC2 keeps of a console. */
const CONSOLE_KEPT = 64 * 1024;
/** The kernel lets go of a killed host's mounts within a second or two; Docker refuses to remove it before. */
const REMOVE_TRIES = 5;
const REMOVE_PAUSE_MS: DurationMs = SECOND_MS;

/** systemd ends its units within seconds; what hangs is killed, as EC2 does after some minutes. */
const SHUTDOWN_S = 20;

export type HostPlace = {
  docker: DockerClient;
  image: string;
  network: string;
  mark: string;
  cgroups: '1' | '2';
  /** Size of each host's own disk for Docker's data, in memory; null = a volume on this machine's disk. */
  diskMb: number | null;
  /** Sees what Docker is asked for and may alter it. */
  change(asked: HostContainer): HostContainer;
};

export type HostContainer = ReturnType<typeof containerOf>;

/** The volume of /var/lib/docker. One in memory forgets what was on it when its host is stopped. */
function dockerData({ mark, diskMb }: HostPlace) {
  const Labels = { [MARK]: mark };
  const Options = { type: 'tmpfs', device: 'tmpfs', o: `size=${diskMb}m` };
  return {
    Type: 'volume',
    Target: '/var/lib/docker',
    VolumeOptions: { Labels, ...(diskMb === null ? {} : { DriverConfig: { Name: 'local', Options } }) },
  };
}

function containerOf(place: HostPlace, host: HostOptions) {
  const v2 = place.cgroups === '2';
  return {
    Image: place.image,
    Cmd: ['/sbin/init'],
    Hostname: `ip-${host.address.replaceAll('.', '-')}`,
    Env: ['container=docker'],
    // A terminal is systemd's console; its output is what GetConsoleOutput shows.
    Tty: true,
    StopSignal: 'SIGRTMIN+3',
    Labels: { [MARK]: place.mark, 'hostler.instance': host.instanceId },
    HostConfig: {
      CapAdd: ['ALL'],
      CapDrop: ['SYS_RESOURCE'],
      SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined'],
      DeviceCgroupRules: ['a *:* rwm'],
      CgroupnsMode: 'host',
      Binds: [`/sys/fs/cgroup:/sys/fs/cgroup:${v2 ? 'rw' : 'ro'}`],
      Tmpfs: { '/run': '', '/tmp': 'exec' },
      Mounts: [dockerData(place)],
      NetworkMode: place.network,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    },
    NetworkingConfig: {
      EndpointsConfig: { [place.network]: { IPAMConfig: { IPv4Address: host.address } } },
    },
  };
}

/** Kills the host and removes it with its volume; one that is gone is no failure. */
async function remove(docker: DockerClient, id: string): Promise<void> {
  const call = { method: 'DELETE', path: `/containers/${id}?force=1&v=1` } as const;
  for (let left = REMOVE_TRIES; left > 1; left -= 1) {
    const { status } = await docker.call(call);
    if (status === 404 || (status >= 200 && status < 300)) return;
    await sleep(REMOVE_PAUSE_MS);
  }
  await docker.json(call);
}

/** Stops or starts a container; one that is so already is no failure. Throws `docker-unusable` with Docker's words. */
async function turn(docker: DockerClient, path: string): Promise<void> {
  const call = { method: 'POST', path } as const;
  const { status } = await docker.call(call);
  if (status >= 400) await docker.json(call);
}

/** JSON is YAML; the key pair's key goes where cloud-init looks for the cloud's own. */
function metaData({ instanceId, publicKey }: HostOptions): string {
  const keys = publicKey == null ? '' : `public-keys: ${JSON.stringify([publicKey])}\n`;
  return `instance-id: ${instanceId}\n${keys}`;
}

function seedOf(host: HostOptions): Buffer {
  const folder = 'var/lib/cloud/seed/nocloud';
  return seedArchive([
    { path: `${folder}/user-data`, text: host.userData },
    { path: `${folder}/meta-data`, text: metaData(host) },
  ]);
}

/** The end of what the host's terminal shows. */
function createConsole(docker: DockerClient, id: string) {
  let text = '';
  let stop = (): void => {};
  return {
    shown: () => text,
    /** From now on, once the container runs. Docker tells from the first boot on each time. */
    follow(): void {
      stop();
      text = '';
      stop = docker.follow(`/containers/${id}/logs?follow=1&stdout=1&stderr=1`, (chunk) => {
        text = (text + chunk.toString('latin1')).slice(-CONSOLE_KEPT);
      });
    },
    stop: () => stop(),
  };
}

/** Powers the host on; it boots for some seconds after this. Throws `docker-unusable` with Docker's words. */
export async function startDockerHost(place: HostPlace, host: HostOptions): Promise<RunningHost> {
  const { docker } = place;
  // The network's name is this emulator's alone; instance ids repeat with the seed.
  const path = `/containers/create?name=${place.network}-${host.instanceId}`;
  const id = madeId(
    await docker.json({ method: 'POST', path, json: place.change(containerOf(place, host)) }),
  );
  const log = createConsole(docker, id);
  let on = new AbortController();
  const close = async (): Promise<void> => {
    on.abort();
    log.stop();
    await remove(docker, id);
  };
  try {
    await docker.json({ method: 'PUT', path: `/containers/${id}/archive?path=/`, tar: seedOf(host) });
    await docker.json({ method: 'POST', path: `/containers/${id}/start` });
  } catch (error) {
    await close();
    throw error;
  }
  log.follow();
  const power = {
    off: () => {
      on.abort();
      return turn(docker, `/containers/${id}/stop?t=${SHUTDOWN_S}`);
    },
    on: async () => {
      on = new AbortController();
      await turn(docker, `/containers/${id}/start`);
      log.follow();
    },
  };
  const ports = [host.sshPort, host.dockerPort];
  return {
    close,
    console: log.shown,
    power,
    ended: () => ownEnd({ docker, id, restarted: log.follow }, on.signal),
    afflict: (fault) => afflict({ docker, id, ports, ownDisk: place.diskMb !== null }, fault),
  };
}
