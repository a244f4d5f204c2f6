// A `docker-machine` in front of hostler's that fails, breaks or hangs when a test says so and else hands over by exec:
// the runner's bad days, with hostler's real door behind them.
// Trap: what it is told is used up call by call, so that parallel calls never take the same word.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `fails`: exit 1 without hostler hearing of it. `breaks`: hostler does it, exit 1 all the same. `hangs`: waits, then goes on. */
export type Bend = 'fails' | 'breaks' | 'hangs';

const script = (door: string) => `#!/bin/sh
control=\${0%/*}
verb=$2
taken() {
  for token in "$control/$verb-$1".*; do rmdir "$token" 2>/dev/null && return; done
  return 1
}
[ "$1" = --bugsnag-api-token=no-report ] || exit 64
if taken fails; then
  echo "$verb: the machine is on fire" >&2
  exit 1
fi
if taken hangs; then
  while [ -d "$control/$verb-held" ]; do sleep 0.02; done
fi
if taken breaks; then
  '${door}' "$@"
  echo "$verb: the machine is on fire" >&2
  exit 1
fi
exec '${door}' "$@"
`;

export type BentDoor = {
  path: string;
  /** The next `times` calls of that verb. */
  bend(verb: string, how: Bend, times?: number): void;
  /** Hanging calls of that verb go on. */
  letGo(verb: string): void;
};

/** Writes it into that folder, in front of `door`. */
export function createBentDoor(folder: string, door: string): BentDoor {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'docker-machine');
  writeFileSync(path, script(door), { mode: 0o755 });
  let tokens = 0;
  return {
    path,
    bend(verb, how, times = 1) {
      if (how === 'hangs') mkdirSync(join(folder, `${verb}-held`), { recursive: true });
      for (let at = 0; at < times; at++) mkdirSync(join(folder, `${verb}-${how}.${++tokens}`));
    },
    letGo: (verb) => rmSync(join(folder, `${verb}-held`), { recursive: true, force: true }),
  };
}
