// Reads the file to which the shell door appends its calls, so that no line is lost and none is read twice in one life.
// The file is read on while it grows and put aside every few seconds; what was put aside is read once more before it is
// deleted, because a shell may have opened it before and write after.
// Trap: after a restart the last seconds may come twice; their time is the file's, so old news never looks new.
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CALLS, NAME_PATTERN } from '../../contract/store-layout.ts';
import type { DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DoorNote } from '../../ports/runner-store.ts';

/** How long a file is used, and then kept aside. A shell needs microseconds from open to write; this covers a stalled one. */
export const ROTATE_MS: DurationMs = 2_000;

/** Bytes a look; what a day without a daemon left is read in steps, so that the loop is never held up. */
const MAX_READ_BYTES = 256 * 1024;

const ASIDE = `${CALLS}.aside-`;

/** True for errors that say "not there", now or no longer. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

type Aside = { file: string; offset: number; since: DurationMs };
type State = { inode: number; offset: number; rotatedAt: DurationMs; aside: Aside[]; number: number };
type Piece = { notes: DoorNote[]; inode: number; offset: number; atEnd: boolean };

export type CallsReader = {
  /** New lines of one mailbox, oldest first. Throws when the mailbox is there but cannot be read. */
  read(mailbox: string): Promise<DoorNote[]>;
};

/** A reader for any number of mailboxes; it remembers how far it has read in each. */
export function createCallsReader(clock: Clock): CallsReader {
  const states = new Map<string, State>();

  async function stateOf(mailbox: string): Promise<State> {
    const known = states.get(mailbox);
    if (known) return known;
    const since = clock.monotonic();
    const left = (await readdir(mailbox)).filter((file) => file.startsWith(ASIDE)).toSorted();
    const aside = left.map((file) => ({ file: join(mailbox, file), offset: 0, since }));
    const state = { inode: 0, offset: 0, rotatedAt: since, aside, number: clock.now() };
    states.set(mailbox, state);
    return state;
  }

  async function readAside(state: State): Promise<DoorNote[]> {
    const notes: DoorNote[] = [];
    for (const aside of state.aside) {
      const piece = await readPiece(aside.file, () => aside.offset, clock.now());
      notes.push(...(piece?.notes ?? []));
      aside.offset = piece?.offset ?? aside.offset;
      if (piece !== null && (!piece.atEnd || clock.monotonic() - aside.since < ROTATE_MS)) continue;
      await rm(aside.file, { force: true });
      state.aside = state.aside.filter((other) => other !== aside);
    }
    return notes;
  }

  async function readCurrent(mailbox: string, state: State): Promise<DoorNote[]> {
    const file = join(mailbox, CALLS);
    const piece = await readPiece(file, (inode) => (inode === state.inode ? state.offset : 0), clock.now());
    if (piece === null) return [];
    Object.assign(state, { inode: piece.inode, offset: piece.offset });
    const now = clock.monotonic();
    if (piece.atEnd && piece.offset > 0 && now - state.rotatedAt >= ROTATE_MS) {
      state.number += 1;
      const aside = join(mailbox, `${ASIDE}${state.number}`);
      await rename(file, aside);
      state.aside.push({ file: aside, offset: piece.offset, since: now });
      Object.assign(state, { inode: 0, offset: 0, rotatedAt: now });
    }
    return piece.notes;
  }

  return {
    async read(mailbox) {
      try {
        const state = await stateOf(mailbox);
        return [...(await readAside(state)), ...(await readCurrent(mailbox, state))];
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
  };
}

/** The whole lines after an offset; null when the file is not there. */
async function readPiece(
  file: string,
  offsetFor: (inode: number) => number,
  now: number,
): Promise<Piece | null> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    const { ino, size, mtimeMs } = await handle.stat();
    const offset = offsetFor(ino);
    const length = Math.min(Math.max(size - offset, 0), MAX_READ_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
    const text = buffer.toString('latin1', 0, bytesRead);
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const at = Math.min(Math.floor(mtimeMs), now);
    return {
      notes: parseCalls(whole, at),
      inode: ino,
      offset: offset + whole.length,
      atEnd: offset + length >= size,
    };
  } finally {
    await handle.close();
  }
}

/**
 * Lines that are no call are skipped: the folder is the runner's user's, anything may be written there. A line has no
 * time of its own: the last one gets the file's, those before it a millisecond less each, so that their order shows.
 */
function parseCalls(text: string, at: number): DoorNote[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.flatMap((line, index) => {
    const [, verb, name = ''] = /^(url|config|release) (.+)$/.exec(line) ?? [];
    if (verb === undefined || !NAME_PATTERN.test(name)) return [];
    return [{ verb: verb as DoorNote['verb'], name, at: at - (lines.length - 1 - index) }];
  });
}
