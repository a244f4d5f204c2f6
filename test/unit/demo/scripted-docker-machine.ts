// A `docker-machine` made of a few lines of shell for tests of the stand-in runner: it logs its calls and keeps a store.
// Files in its control folder bend it: `hold` (creates wait), `create-fails`, `dead` (config says no), `rm-fails`.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const script = `#!/bin/sh
control=$(dirname "$0")
echo "$*" >>"$control/calls"
[ "$1" = --bugsnag-api-token=no-report ] || exit 64
shift
verb=$1
for last; do :; done
machines=$MACHINE_STORAGE_PATH/machines
case $verb in
  create)
    tries=0
    while [ -e "$control/hold" ] && [ $tries -lt 500 ]; do tries=$((tries + 1)); sleep 0.02; done
    if [ -e "$control/create-fails" ]; then echo 'no capacity anywhere' >&2; exit 1; fi
    mkdir -p "$machines/$last"
    if [ -e "$control/create-breaks" ]; then echo '{}' >"$machines/$last/config.json"; exit 1; fi
    echo '{}' >"$machines/$last/config.json"
    ;;
  config) [ ! -e "$control/dead" ] && [ -e "$machines/$2/config.json" ] ;;
  url) echo tcp://127.0.0.1:1 ;;
  inspect) [ -e "$machines/$2/config.json" ] || exit 1; [ "$3" != -f ] || echo "$machines/$2" ;;
  stop) ;;
  rm) [ ! -e "$control/rm-fails" ] || exit 1; rm -rf "$machines/$last" ;;
  *) exit 64 ;;
esac
`;

export type ScriptedDockerMachine = {
  /** The executable. */
  path: string;
  store: string;
  /** Calls so far, in the order of their starts, without the first argument. */
  calls(): string[];
  /** Verbs of the calls that name this machine. */
  verbsOf(name: string): string[];
  set(word: 'hold' | 'create-fails' | 'create-breaks' | 'dead' | 'rm-fails', isOn: boolean): void;
  [Symbol.dispose](): void;
};

/** Writes the executable into a folder of its own. */
export function scriptedDockerMachine(): ScriptedDockerMachine {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-scripted-'));
  const path = join(folder, 'docker-machine');
  writeFileSync(path, script, { mode: 0o755 });
  writeFileSync(join(folder, 'calls'), '');
  const calls = () =>
    readFileSync(join(folder, 'calls'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.replace(/^--bugsnag-api-token=no-report /, ''));
  return {
    path,
    store: join(folder, 'store'),
    calls,
    verbsOf: (name) =>
      calls()
        .filter((line) => line.split(' ').includes(name))
        .map((line) => line.split(' ')[0] ?? ''),
    set: (word, isOn) =>
      isOn ? writeFileSync(join(folder, word), '') : rmSync(join(folder, word), { force: true }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
