// docker-machine as the runner's tool, over the emulated EC2: a process a call, a store of folders, no memory besides.
// Trap: its processes notice neither their parent's end nor cancelled jobs, and any signal kills them where they stand;
// folders and instances that nobody knows are what it leaves behind.
import { Ec2Error } from '../ec2-error.ts';
import type { SimInstance } from '../instance.ts';
import type { Ledger } from '../ledger.ts';
import type { MachineTool, ToolCall } from '../runner/machine-tool.ts';
import { createSeeded, type Seeded } from '../seeded.ts';
import { pause, type Timeline } from '../timeline.ts';
import type { World } from '../world.ts';
import { CreateFailed, createOnEc2, type PeerLaunch } from './peer-create.ts';
import { createPeerEc2, type PeerEc2 } from './peer-ec2.ts';
import { type PeerFlavour, type PeerFlavourName, peerFlavours } from './peer-flavour.ts';

export type DockerMachineOptions = {
  timeline: Timeline;
  seed: number;
  world: World;
  /** e.g. `eu-central-1`. */
  region: string;
  ledger: Ledger;
  flavour: PeerFlavourName;
  /** What the section with that token launches. */
  launch(section: string): PeerLaunch;
};

export type DockerMachine = MachineTool & {
  /** The instance of that machine as its folder knows it; null: the folder or its knowledge is missing. */
  instanceOf(name: string): string | null;
  /** To be told when a host begins or ceases to answer. */
  hostChanged(instance: SimInstance): void;
  /** The instance at an address, as `url` gave it; null when it is gone. */
  instanceAt(url: string): string | null;
};

/** Looks at a host that does not answer end when the connection does. */
const DEAD_HOST_MS = 3_000;

type Folder = { instance: string | null };

/** Whether this process was killed, and a promise for those that wait. */
function mortality(call: ToolCall) {
  const { promise, resolve } = Promise.withResolvers<'dead'>();
  let dead = false;
  call.onSignal(() => {
    dead = true;
    resolve('dead');
  });
  return { dead: (): boolean => dead, death: promise };
}

/** EC2's refusals end a process with 1; everything else is a bug of the world. */
async function exitCode(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof Ec2Error || error instanceof CreateFailed) return false;
    throw error;
  }
}

/** How an instance is stopped, which a spot one cannot be, and terminated. */
function createEnds(
  { timeline, world, region: name }: DockerMachineOptions,
  parts: { ec2: PeerEc2; random: Seeded; flavour: PeerFlavour },
) {
  const { ec2, random, flavour } = parts;
  const region = world.region(name);
  return {
    async stop(id: string): Promise<void> {
      await ec2.call('DescribeInstances', () => region.instances.known([id]));
      await ec2.call('StopInstances', () => region.power.stop([id]));
      for (let looks = 0; looks < flavour.looks; looks += 1) {
        const state = await ec2.call('DescribeInstances', () => region.instances.find(id)?.state);
        if (state !== 'stopping') return;
        await pause(timeline, flavour.lookMs(random.float()));
      }
    },
    async terminate(id: string | null): Promise<void> {
      if (id !== null) {
        const terminate = ec2.call('TerminateInstances', () => region.terminateInstances([id]));
        await terminate.catch((error: unknown) => {
          // Gone already: what it wanted.
          if (!(error instanceof Ec2Error && error.code === 'InvalidInstanceID.NotFound')) throw error;
        });
      }
      if (flavour.before.includes('ImportKeyPair')) await ec2.call('DeleteKeyPair', () => undefined);
    },
  };
}

function createVerbs(options: DockerMachineOptions, folders: Map<string, Folder>, changed: () => void) {
  const { timeline, world, ledger } = options;
  const flavour: PeerFlavour = peerFlavours[options.flavour];
  const random = createSeeded(options.seed);
  const region = world.region(options.region);
  const ec2 = createPeerEc2({ timeline, random, region, ledger, flavour });
  const ends = createEnds(options, { ec2, random, flavour });
  const waiting = new Map<string, (() => void)[]>();
  const start = (): Promise<void> => pause(timeline, flavour.processMs(random.float()));

  /** DescribeInstances a few times, then whether the host answers. */
  const reach = async (name: string): Promise<boolean> => {
    await start();
    const id = folders.get(name)?.instance ?? null;
    for (let lookup = 0; lookup < flavour.lookupsOfCall; lookup += 1) {
      await ec2.call('DescribeInstances', () => undefined);
    }
    const instance = id === null ? undefined : region.instances.find(id);
    if (instance?.hostUp === true && instance.endingAt === null) return true;
    await pause(timeline, DEAD_HOST_MS);
    return false;
  };

  const stop = async (name: string): Promise<void> => {
    await start();
    const id = folders.get(name)?.instance ?? null;
    if (id !== null && flavour.before.length > 0) await ends.stop(id);
  };

  return {
    start,
    hostChanged({ id }: SimInstance): void {
      for (const go of waiting.get(id) ?? []) go();
      waiting.delete(id);
    },
    reach,
    stop,
    async create(name: string, section: string, dead: () => boolean): Promise<void> {
      await start();
      if (dead()) return;
      folders.set(name, { instance: null });
      changed();
      await createOnEc2({
        timeline,
        random,
        region,
        ec2,
        flavour,
        launch: options.launch(section),
        name,
        dead,
        changes: ({ id, hostUp }) =>
          new Promise((resolve) => {
            if (hostUp) resolve();
            else waiting.set(id, [...(waiting.get(id) ?? []), resolve]);
          }),
        // Whatever became of the folder meanwhile: it is written anew.
        save(instance) {
          folders.set(name, { instance: instance.id });
          changed();
        },
      });
    },
    async remove(name: string, how: 'y' | 'f'): Promise<void> {
      await start();
      const ended = await exitCode(ends.terminate(folders.get(name)?.instance ?? null));
      if (!ended && how === 'y') throw new CreateFailed('instance not terminated');
      folders.delete(name);
      changed();
    },
  };
}

/** docker-machine with an empty store. */
export function createDockerMachine(options: DockerMachineOptions): DockerMachine {
  const folders = new Map<string, Folder>();
  const listeners = new Set<() => void>();
  const region = options.world.region(options.region);
  const verbs = createVerbs(options, folders, () => {
    for (const tell of listeners) tell();
  });

  /** A process that any signal ends where it stands. */
  const run = async (call: ToolCall, work: (dead: () => boolean) => Promise<unknown>): Promise<boolean> => {
    const { dead, death } = mortality(call);
    const code = exitCode(work(dead));
    return (await Promise.race([code, death])) === true;
  };
  const answers = async (name: string): Promise<void> => {
    if (!(await verbs.reach(name))) throw new CreateFailed('no answer');
  };
  const instanceOf = (name: string): string | null => folders.get(name)?.instance ?? null;

  return {
    instanceOf,
    hostChanged: verbs.hostChanged,
    instanceAt(url) {
      const address = url.slice('tcp://'.length, url.lastIndexOf(':'));
      for (const { instance: id } of folders.values()) {
        const instance = id === null ? undefined : region.instances.find(id);
        if (instance?.address === address && instance.hostUp) return instance.id;
      }
      return null;
    },
    names: () => [...folders.keys()],
    onNames(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    // Written before the launch, so that a failed create can be removed.
    hasConfig: (name) => folders.has(name),
    create: (name, call, section) => run(call, (dead) => verbs.create(name, section, dead)),
    config: (name, call) => run(call, () => answers(name)),
    async url(name, call) {
      if (!(await run(call, () => answers(name)))) return null;
      const address = region.instances.find(instanceOf(name) ?? '')?.address ?? null;
      return address === null ? null : `tcp://${address}:2376`;
    },
    storePath: async (name, call) => (await run(call, verbs.start)) && folders.has(name),
    inspect: async (name, call) => (await run(call, verbs.start)) && folders.has(name),
    stop: (name, call) => run(call, () => verbs.stop(name)),
    remove: (name, how, call) => run(call, () => verbs.remove(name, how)),
  };
}
