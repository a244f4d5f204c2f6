// A folder that stands for a host's root: scripts run for real in it, with stand-ins for the host's own commands that
// write down how they were called.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export type HostRoot = {
  root: string;
  /** A command of the host: notes its call, then does `body`. */
  command(name: string, body?: string): void;
  /** Takes a stand-in away; this machine's own command, if it has one, shows again. */
  without(name: string): void;
  calls(): string[];
  read(path: string): string;
  has(path: string): boolean;
  write(path: string, text: string): void;
  /** Runs a script with every absolute folder moved below the root, the stand-ins first on its PATH unless told otherwise. */
  play(
    script: string,
    on?: { shell?: string; path?: string },
  ): { code: number | null; stdout: string; stderr: string };
  remove(): void;
};

/** An empty root. */
export function createHostRoot(): HostRoot {
  const root = mkdtempSync(join(tmpdir(), 'hostler-root-'));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const folder of ['bin', 'etc/ssh', 'run', 'var/log', 'var/run', 'proc'])
    mkdirSync(join(root, folder), { recursive: true });
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  return {
    root,
    read,
    write,
    has: (path) => existsSync(join(root, path)),
    command(name, body = '') {
      write(`bin/${name}`, `#!/bin/sh\necho "${name} $*" >>${root}/calls\n${body}\n`);
      chmodSync(join(root, 'bin', name), 0o755);
    },
    without: (name) => rmSync(join(root, 'bin', name), { force: true }),
    calls: () => (existsSync(join(root, 'calls')) ? read('calls').trim().split('\n') : []),
    play(script, { shell = 'bash', path = `${root}/bin:${SYSTEM_PATH}` } = {}) {
      const moved = script
        .replaceAll(/(?<![\w$.])\/(etc|run|var|proc)\//g, `${root}/$1/`)
        .replaceAll(/export PATH=\S+/g, `export PATH=${path}`);
      const { status, stdout, stderr } = spawnSync(shell, ['-s'], { input: moved, encoding: 'utf8' });
      return { code: status, stdout, stderr };
    },
    // A script leaves the next boot's start of Docker behind, which may still write down its call.
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 10 }),
  };
}
