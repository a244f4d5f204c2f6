// bin/docker-machine in the world: the verbs that gitlab-runner calls, answered from the store folder as the shell part and its
// helpers do, `create` by the daemon. The runner's model knows it as a MachineTool.
// Must not be kinder than the real door; what it leaves behind when it is killed is what the real one leaves.
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { MachineTool, ToolCall } from '../../sim/runner/machine-tool.ts';
import type { Timeline } from '../../sim/timeline.ts';
import type { HostPark } from '../hosts/host-park.ts';
import { dockerAnswers } from '../hosts/sim-host.ts';
import type { WallClock } from '../time/virtual-clock.ts';
import { createLease, type DaemonSocket } from './create.ts';
import { type DoorParts, type DoorProcess, runDoor } from './door-process.ts';
import type { MachineFolder, StoreFolder } from './store-folder.ts';

/** A call that the shell part answers (facts: 3 to 5 ms), and one that needs Node. */
const SHELL_MS: DurationMs = 4;
const NODE_MS: DurationMs = 35;
/** A look of the door's own at a mute host; it takes two. */
const LOOK_MS: DurationMs = 950;

export type SimDoorParts = DoorParts & {
  timeline: Timeline;
  wall: WallClock;
  folder: StoreFolder;
  park: HostPark;
  socket: DaemonSocket;
  /** The create options of a section, as the runner passes them. */
  optionsOf(section: string): { driver: string; options: readonly string[] };
  /** A create has begun. */
  onAsk(name: string): void;
  /** A create has ended: how, and after how long. */
  onCreate(name: string, made: boolean, ms: DurationMs): void;
};

/** The address in `tcp://ADDRESS:PORT`. */
export function addressIn(url: string): string {
  return /^tcp:\/\/([^:]+):\d+$/.exec(url)?.[1] ?? '';
}

/** NAME's folder as the verbs find it: one that the daemon noted as gone is removed and counts as none. */
function findFolder(folder: StoreFolder, name: string): MachineFolder | null {
  const found = folder.machines.get(name);
  if (found === undefined) return null;
  if (found.health?.kind !== 'gone') return found;
  folder.machines.delete(name);
  folder.changed();
  return null;
}

/** `config` of a folder that stands. */
async function configOf(parts: SimDoorParts, door: DoorProcess, name: string): Promise<boolean> {
  const { folder, wall, timeline, park } = parts;
  const found = findFolder(folder, name);
  if (found === null) return false;
  const now = timeline.now() + wall.aheadMs;
  const note = () => folder.note({ verb: 'config', name, at: now });
  if (found.health?.kind === 'dead') {
    note();
    return false;
  }
  if (
    found.health?.kind === 'ok' &&
    Math.floor(now / SECOND_MS) < Math.floor(found.health.until / SECOND_MS)
  ) {
    note();
    return true;
  }
  await door.pause(NODE_MS);
  for (let look = 0; look < 2; look += 1) {
    const host = park.at(addressIn(found.url));
    if (host !== null && dockerAnswers(host, found.ca)) {
      note();
      return true;
    }
    if (host === null || host.troubles.has('mute')) await door.pause(LOOK_MS);
  }
  note();
  return false;
}

async function removeFolder(parts: SimDoorParts, door: DoorProcess, name: string): Promise<boolean> {
  const { folder, socket, timeline, wall } = parts;
  const found = folder.machines.get(name);
  if (found?.health?.kind === 'gone') return findFolder(folder, name) === null;
  if (found !== undefined) {
    folder.machines.delete(name);
    folder.released.push({ name, byPerson: false, foreign: false });
    folder.changed();
    door.point();
    folder.note({ verb: 'release', name, at: timeline.now() + wall.aheadMs });
    return true;
  }
  await door.pause(NODE_MS);
  if (folder.released.some((release) => release.name === name)) return true;
  const daemon = socket.open();
  if (daemon === null) return false;
  const ended = daemon.useCases.endLease(name, false).then(
    () => true,
    () => false,
  );
  return ended;
}

/** The door over one store folder. */
export function createSimDoor(parts: SimDoorParts): MachineTool {
  const { timeline, folder } = parts;
  let pids = 1_000;
  const run = <T>(
    order: { verb: string; call: ToolCall; failed: T; startMs?: DurationMs },
    work: (door: DoorProcess) => Promise<T> | T,
  ): Promise<T> => {
    const { startMs = SHELL_MS, ...rest } = order;
    return runDoor(parts, { ...rest, startMs }, async (door) => work(door));
  };
  return {
    names: () => [...folder.machines.keys()],
    onNames: (listener) => folder.onNames(listener),
    hasConfig: (name) => folder.machines.has(name),
    create(name, call, section) {
      const began = timeline.now();
      const { driver, options } = parts.optionsOf(section);
      pids += 1;
      parts.onAsk(name);
      const request = { name, driver, options, store: folder.path, pid: pids, runnerPid: call.parent };
      const made = run({ verb: 'create', call, failed: false, startMs: NODE_MS }, (door) =>
        createLease(parts, door, request),
      );
      return made.then((isMade) => {
        parts.onCreate(name, isMade, timeline.now() - began);
        return isMade;
      });
    },
    config: (name, call) =>
      run({ verb: 'config', call, failed: false }, (door) => configOf(parts, door, name)),
    url: (name, call) =>
      run({ verb: 'url', call, failed: null as string | null }, () => {
        const url = findFolder(folder, name)?.url ?? null;
        if (url !== null) folder.note({ verb: 'url', name, at: timeline.now() + parts.wall.aheadMs });
        return url;
      }),
    storePath: (name, call) =>
      run({ verb: 'inspect -f', call, failed: false }, () => findFolder(folder, name) !== null),
    inspect: (name, call) =>
      run({ verb: 'inspect', call, failed: false }, () => findFolder(folder, name) !== null),
    stop: (name, call) => run({ verb: 'stop', call, failed: false }, () => findFolder(folder, name) !== null),
    remove: (name, _how, call) =>
      run({ verb: 'rm', call, failed: false }, (door) => removeFolder(parts, door, name)),
  };
}
