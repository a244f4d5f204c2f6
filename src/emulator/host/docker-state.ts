// What the Docker of one emulated host holds: containers that just wait (or end after the `sleep N` of their command or of the
// script on their stdin, and those that prepare a volume at once), networks, volumes and images. Every image exists. Knows nothing of HTTP.
import { randomBytes } from 'node:crypto';

export type Container = {
  id: string;
  name: string;
  image: string;
  command: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** As given at creation, for `inspect`. */
  config: Readonly<Record<string, unknown>>;
  hostConfig: Readonly<Record<string, unknown>>;
  status: 'created' | 'running' | 'exited';
  exitCode: number;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
};

export type Network = {
  id: string;
  name: string;
  driver: string;
  labels: Readonly<Record<string, string>>;
  members: Set<string>;
};
export type Volume = { name: string; labels: Readonly<Record<string, string>> };

type Held = Container & {
  /** What came on its stdin; null while it is open. */
  script: string | null;
  timer: NodeJS.Timeout | null;
  waiting: Set<(code: number) => void>;
};

export interface DockerState {
  readonly id: string;
  containers(): Container[];
  /** By id, id prefix or name; null when there is none. */
  container(key: string): Container | null;
  /** null: the name is taken. */
  create(
    order: Pick<Container, 'name' | 'image' | 'command' | 'labels' | 'config' | 'hostConfig'>,
  ): Container | null;
  start(id: string): void;
  /** Its stdin has ended after this script. */
  hear(id: string, script: string): void;
  /** Ends a running container with this code. */
  end(id: string, exitCode: number): void;
  remove(id: string): void;
  /** Resolves with the exit code when it is not running, or (`next-exit`) when it ends the next time. */
  wait(id: string, until?: 'not-running' | 'next-exit'): Promise<number>;
  networks: Map<string, Network>;
  addNetwork(name: string, labels: Readonly<Record<string, string>>): Network;
  volumes: Map<string, Volume>;
  images: Set<string>;
  pull(image: string): void;
  /** Percent of the disk that stopped containers and build cache, images and volumes, and all else take. */
  litter: { spare: number; caches: number; fixed: number };
  /** Stops all timers; waiting calls end. */
  close(): void;
}

const newId = () => randomBytes(32).toString('hex');

/** Seconds of the first `sleep N` in a command line, or null. */
function sleepOf(command: readonly string[]): number | null {
  const found = /(?:^|\s)sleep\s+(\d+(?:\.\d+)?)/.exec(command.join(' '))?.[1];
  return found === undefined ? null : Number(found);
}

/** The runner's helper gives a new volume its owner and ends. */
const isBrief = (command: readonly string[]): boolean => command.includes('cache-init');

/**
 * How long a script of the runner sleeps and how it exits. It has each command twice, first as words behind a `$ ` to be
 * shown, writes line ends as `\n` where it quotes itself, and ends with an `exit 0` of its own.
 */
function readScript(script: string): { ms: number; code: number } {
  const all = (command: RegExp) => [...script.matchAll(command)].map(([, figure]) => Number(figure));
  const sleeps = all(/(?:^|\n|\\n)sleep\s+(\d{1,6}(?:\.\d{1,3})?)/g);
  const exits = all(/(?:^|\n|\\n)exit\s+(\d{1,3})\b/g);
  return { ms: sleeps.reduce((sum, seconds) => sum + seconds * 1_000, 0), code: exits[0] ?? 0 };
}

function normalImage(name: string): string {
  return /[:@][^/]*$/.test(name) ? name : `${name}:latest`;
}

type Containers = Pick<
  DockerState,
  'containers' | 'container' | 'create' | 'start' | 'hear' | 'end' | 'remove' | 'wait' | 'close'
>;

function createContainers(pull: (image: string) => void): Containers {
  const held = new Map<string, Held>();

  const find = (key: string): Held | null => {
    const name = key.replace(/^\//, '');
    const same = held.get(key) ?? [...held.values()].find((one) => one.name === name);
    if (same !== undefined) return same;
    return key.length >= 4 ? ([...held.values()].find((one) => one.id.startsWith(key)) ?? null) : null;
  };

  const end = (id: string, exitCode: number) => {
    const one = held.get(id);
    if (one?.status !== 'running') return;
    if (one.timer !== null) clearTimeout(one.timer);
    Object.assign(one, { status: 'exited', exitCode, finishedAt: Date.now(), timer: null });
    for (const tell of one.waiting) tell(exitCode);
    one.waiting.clear();
  };

  /** Once it runs and its script is whole; one that is started anew hears a new script. */
  const play = (one: Held) => {
    if (one.status !== 'running' || one.script === null) return;
    const { ms, code } = readScript(one.script);
    one.script = null;
    one.timer = setTimeout(end, ms, one.id, code);
  };

  return {
    containers: () => [...held.values()],
    container: find,
    create(order) {
      const id = newId();
      const name = order.name === '' ? `box_${id.slice(0, 12)}` : order.name;
      if ([...held.values()].some((one) => one.name === name)) return null;
      pull(order.image);
      const made: Held = {
        ...order,
        id,
        name,
        status: 'created',
        exitCode: 0,
        createdAt: Date.now(),
        startedAt: null,
        finishedAt: null,
        script: null,
        timer: null,
        waiting: new Set(),
      };
      held.set(id, made);
      return made;
    },
    start(id) {
      const one = held.get(id);
      if (one === undefined || one.status === 'running') return;
      Object.assign(one, { status: 'running', exitCode: 0, startedAt: Date.now(), finishedAt: null });
      const seconds = isBrief(one.command) ? 0 : sleepOf(one.command);
      if (seconds !== null) one.timer = setTimeout(end, seconds * 1000, id, 0);
      else play(one);
    },
    hear(id, script) {
      const one = held.get(id);
      if (one === undefined) return;
      one.script = script;
      play(one);
    },
    end,
    remove(id) {
      end(id, 137);
      const one = held.get(id);
      for (const tell of one?.waiting ?? []) tell(one?.exitCode ?? 0);
      held.delete(id);
    },
    wait: (id, until = 'not-running') =>
      new Promise((resolve) => {
        const one = held.get(id);
        if (one !== undefined && (one.status !== 'exited' || until === 'next-exit')) one.waiting.add(resolve);
        else resolve(one?.exitCode ?? 0);
      }),
    close() {
      for (const one of held.values()) if (one.timer !== null) clearTimeout(one.timer);
      held.clear();
    },
  };
}

/** An empty Docker with its three own networks. `id` names the host. */
export function createDockerState(id: string): DockerState {
  const images = new Set<string>();
  const networks = new Map<string, Network>();
  const pull = (image: string) => {
    images.add(normalImage(image));
  };
  const addNetwork = (name: string, labels: Readonly<Record<string, string>>) => {
    const driver = name === 'host' ? 'host' : name === 'none' ? 'null' : 'bridge';
    const network: Network = { id: newId(), name, driver, labels, members: new Set() };
    networks.set(network.id, network);
    return network;
  };
  for (const name of ['bridge', 'host', 'none']) addNetwork(name, {});
  const litter = { spare: 0, caches: 0, fixed: 20 };
  return { id, ...createContainers(pull), networks, addNetwork, volumes: new Map(), images, pull, litter };
}
