// Doors that die at a chosen moment: before a command of the shell part, around a step in the store, or when so many bytes
// have passed between door and daemon. The moments are counted, not timed, so that a run repeats.
// Trap: what a gate holds back never passes by itself; a killed door's connections close, `release` lets the rest pass.
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type LiveWorld, type Ran, run } from './live-world.ts';

const root = join(import.meta.dirname, '..', '..');
const program = join(root, 'bin', 'docker-machine');
const FROM_RUNNER = '--bugsnag-api-token=no-report';

/** Sources the door with tracing on; each traced command first counts and looks whether its time has come. */
const traced = [
  'STORM=0',
  "PS4='$((STORM=STORM+1))`[ $STORM -lt $STORM_SHELL_AT ] || kill -9 $$` '",
  'set -x',
  '. "$0"',
].join('; ');

type Call = { words: readonly string[]; env?: Record<string, string> };

/** A door of the runner. */
export function startDoor(world: LiveWorld, { words, env = {} }: Call): ReturnType<typeof run> {
  return run(program, [FROM_RUNNER, ...words], { ...world.env, ...env });
}

/** A door that is killed before the Nth command of its shell part; `stderr` has the trace of those before. */
export function killedInShell(world: LiveWorld, words: readonly string[], at: number): Promise<Ran> {
  const env = { ...world.env, STORM_SHELL_AT: String(at) };
  return run('/bin/sh', ['-c', traced, program, FROM_RUNNER, ...words], env).done;
}

/** A door that is killed at the Nth moment of its work in the store. */
export function killedInStore(world: LiveWorld, words: readonly string[], at: number): Promise<Ran> {
  return startDoor(world, { words, env: { ...steps, STORM_KILL_AT: String(at) } }).done;
}

const steps = { NODE_OPTIONS: `--require ${join(root, 'test', 'support', 'storm-steps.cjs')}` };

/** How many moments the door's work in the store has. The call is made for it. */
export async function momentsInStore(world: LiveWorld, words: readonly string[]): Promise<number> {
  const tally = join(world.folder, 'tally');
  await startDoor(world, { words, env: { ...steps, STORM_TALLY: tally } }).done;
  return Number(readFileSync(tally, 'utf8'));
}

/** How many commands the door's shell part has. The call is made for it. */
export async function commandsInShell(world: LiveWorld, words: readonly string[]): Promise<number> {
  const { stderr } = await killedInShell(world, words, Number.MAX_SAFE_INTEGER);
  return Number(stderr.match(/^\d+ /gm)?.at(-1) ?? 0);
}

type Way = 'up' | 'down';

/** `call` counts the door's connections from 0: a create asks by the first and commits by the second. `up` is to the daemon. */
export type GateMoment = { call: number; way: Way; bytes: number };

export type DoorGate = {
  /** For HOSTLER_SOCKET. */
  socket: string;
  /** Lets this many bytes of a call pass. Resolves when one more wanted to. */
  holdAfter(moment: GateMoment): Promise<void>;
  /** Lets everything pass. */
  release(): void;
  /** Bytes that passed, by call. */
  passed(): readonly Readonly<Record<Way, number>>[];
  close(): Promise<void>;
};

type Held = { to: Socket; piece: Buffer };

let gates = 0;

/** Opens a gate between one door and the daemon. */
export async function openDoorGate(world: LiveWorld): Promise<DoorGate> {
  gates += 1;
  const path = join(world.folder, `gate-${gates}.sock`);
  const counts: Record<Way, number>[] = [];
  const held: Held[] = [];
  const sockets = new Set<Socket>();
  /** Doors whose daemon has said its last word, which is still held back. */
  const over = new Set<Socket>();
  let hold: (GateMoment & { reached(): void }) | null = null;

  function pass(call: number, way: Way, to: Socket, piece: Buffer): void {
    const count = counts[call] ?? { up: 0, down: 0 };
    const isHeld = hold !== null && hold.call === call && hold.way === way;
    const room = isHeld ? Math.min(piece.length, Math.max(0, (hold?.bytes ?? 0) - count[way])) : piece.length;
    count[way] += room;
    if (room > 0) to.write(piece.subarray(0, room));
    if (room === piece.length) return;
    held.push({ to, piece: piece.subarray(room) });
    hold?.reached();
  }

  const server = createServer((door) => {
    const daemon = connect(world.env['HOSTLER_SOCKET'] ?? '');
    const call = counts.push({ up: 0, down: 0 }) - 1;
    for (const socket of [door, daemon]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    door.on('data', (piece: Buffer) => pass(call, 'up', daemon, piece));
    daemon.on('data', (piece: Buffer) => pass(call, 'down', door, piece));
    door.on('close', () => daemon.destroy());
    daemon.on('close', () => {
      if (held.every(({ to }) => to !== door)) door.destroy();
      else over.add(door);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    socket: path,
    holdAfter: (moment) =>
      new Promise((reached) => {
        hold = { ...moment, reached };
      }),
    release() {
      hold = null;
      for (const { to, piece } of held.splice(0)) to.write(piece);
      for (const door of over) door.end();
    },
    passed: () => counts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
