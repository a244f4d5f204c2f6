// A whole hostler on real Docker hosts: the emulated cloud with hosts in containers, the daemon, the real docker-machine
// door. It notes when each host's sshd first greeted, so that provisioning can be told from booting.
import { connect } from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { listOf, madeId } from '../../src/emulator/docker-hosts/docker-answers.ts';
import { createDockerClient, type DockerClient } from '../../src/emulator/docker-hosts/docker-client.ts';
import {
  DEFAULT_HOST_IMAGE,
  type DockerHosts,
  startDockerHosts,
} from '../../src/emulator/docker-hosts/start-docker-hosts.ts';
import type { HostOptions } from '../../src/emulator/host-keeper.ts';
import { type LiveWorld, startWorld, type WorldOptions } from '../support/live-world.ts';
import { leftInDocker } from './left-in-docker.ts';

/** Seconds after its boot until a host is ready for a job: what is aimed at, printed beside what was seen. */
export const READY_BUDGET_S = 2.5;

/** Hosts at once: HOSTLER_TEST_HOSTS, else 8 where there is memory for it (some 150 MB each), else 4. */
export function hostCount(): number {
  const given = Number(process.env['HOSTLER_TEST_HOSTS'] ?? '');
  if (Number.isInteger(given) && given >= 1 && given <= 64) return given;
  return availableParallelism() >= 2 && totalmem() >= 4 * 2 ** 30 ? 8 : 4;
}

/** One line of figures among vitest's own. */
export function figure(line: string): void {
  process.stderr.write(`  figure: ${line}\n`);
}

/** Milliseconds of a list: smallest, median, largest, in seconds. */
export function spread(values: readonly number[]): string {
  const sorted = values.toSorted((one, two) => one - two);
  const at = (share: number) => ((sorted[Math.round(share * (sorted.length - 1))] ?? 0) / 1000).toFixed(1);
  return `${at(0)} / ${at(0.5)} / ${at(1)} s (least / median / most of ${sorted.length})`;
}

/** True when an SSH server greets there. */
export function greets(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22, timeout: 1_000 });
    const end = (greeted: boolean) => {
      socket.destroy();
      resolve(greeted);
    };
    socket.on('data', (chunk) => end(chunk.toString('latin1').startsWith('SSH-')));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('timeout', () => end(false));
  });
}

export type HostsWorld = LiveWorld & {
  docker: DockerClient;
  /** Milliseconds since 1970 by instance: the container started, its sshd greeted. */
  started: Map<string, number>;
  greeted: Map<string, number>;
  /** Address of an instance's host, '' when it has none any more. */
  addressOf(instance: string | null): string;
  /** One of the emulator's own calls; throws for all but 200. */
  control(path: string): Promise<unknown>;
  /** Containers, volumes and networks that an emulator made and that are still in this Docker. */
  leftInDocker(): Promise<string[]>;
};

export type HostsWorldOptions = WorldOptions & {
  /** Sees what a host is started with and may alter it. */
  change?: (host: HostOptions) => HostOptions;
  /** Size of a disk of its own for each host's Docker. */
  diskMb?: number;
  /** Told the address that this machine has in the hosts' network, before anything starts there. */
  prepare?: (address: string) => Promise<WorldOptions>;
};

/** This machine's own address in the network of these hosts: their gateway, the first of the subnet. */
export function gatewayOf(hosts: DockerHosts): string {
  const first = hosts.addresses.take() ?? '';
  hosts.addresses.give(first);
  return first.replace(/\d+$/, (last) => String(Number(last) - 1));
}

export async function startHostsWorld(socket: string, options: HostsWorldOptions = {}): Promise<HostsWorld> {
  const { change = (host) => host, diskMb = null, prepare = async () => ({}) } = options;
  const hosts: DockerHosts = await startDockerHosts({ env: { DOCKER_HOST: `unix://${socket}` }, diskMb });
  const giveUp = async (error: unknown): Promise<never> => {
    await hosts.addresses.close();
    throw error;
  };
  const more = await prepare(gatewayOf(hosts)).catch(giveUp);
  const started = new Map<string, number>();
  const greeted = new Map<string, number>();
  const closed = new AbortController();
  const trouble: string[] = [];

  const watch = async ({ address, instanceId }: HostOptions): Promise<void> => {
    while (!closed.signal.aborted && !greeted.has(instanceId)) {
      if (await greets(address)) greeted.set(instanceId, Date.now());
      else await sleep(50);
    }
  };
  const world = await startWorld({
    ...options,
    ...more,
    emulator: {
      sshPort: 22,
      bootMs: 100,
      addresses: hosts.addresses,
      onTrouble: (line) => trouble.push(line),
      startHost: async (host) => {
        const running = await hosts.startHost(change(host));
        started.set(host.instanceId, Date.now());
        void watch(host);
        return running;
      },
    },
  });
  const docker = createDockerClient(socket);
  return {
    ...world,
    docker,
    started,
    greeted,
    addressOf: (instance) => world.emulator.world.find(instance ?? '')?.instance.address ?? '',
    control: async (path) => {
      const answer = await fetch(`${world.emulator.endpoint}/_emulator/${path}`, { method: 'POST' });
      const said: unknown = await answer.json();
      if (answer.status !== 200) throw new Error(`${path}: ${JSON.stringify(said)}`);
      return said;
    },
    leftInDocker: () => leftInDocker(docker),
    close: async () => {
      closed.abort();
      await world.close();
      if (trouble.length > 0) throw new Error(`the emulator had trouble: ${trouble.join('; ')}`);
    },
  };
}

/** A file of a host as a tar, read from outside. */
export async function fileOfHost(world: HostsWorld, instance: string, path: string): Promise<Buffer> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`hostler.instance=${instance}`] }));
  const found = listOf(
    await world.docker.json({ method: 'GET', path: `/containers/json?filters=${filters}` }),
  );
  const { status, body } = await world.docker.call({
    method: 'GET',
    path: `/containers/${found[0]?.id ?? ''}/archive?path=${encodeURIComponent(path)}`,
  });
  if (status !== 200) throw new Error(`${path} of ${instance}: ${status}`);
  return body;
}

/** A tar of one file of the host image, without a host. */
export async function fileOfImage(socket: string, path: string): Promise<Buffer> {
  const docker = createDockerClient(socket);
  const json = { Image: DEFAULT_HOST_IMAGE, Cmd: ['/bin/true'] };
  const id = madeId(await docker.json({ method: 'POST', path: '/containers/create', json }));
  const file = `/containers/${id}/archive?path=${encodeURIComponent(path)}`;
  const { body } = await docker.call({ method: 'GET', path: file });
  await docker.json({ method: 'DELETE', path: `/containers/${id}` });
  return body;
}
