// Before the tests against other people's emulators: moto's server, in the version that the known differences were seen with,
// installed from PyPI into a folder of its own. Where it cannot be had, one line says why and every test is skipped.
// HOSTLER_MOTO_SERVER=/path/to/moto_server takes another one.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- merged with vitest's own
  export interface ProvidedContext {
    /** Path of moto's server; null where it cannot be had. */
    motoServer: string | null;
  }
}

const MOTO = 'moto[server]==5.2.5';
const root = join(import.meta.dirname, '../..');
const folder = join(root, '.cache', `moto-${MOTO.split('==')[1]}`);
/** Downloads of some 60 MB. */
const INSTALL_MS = 300_000;

const say = (line: string): void => {
  process.stderr.write(`test:peers: ${line}\n`);
};

/** Runs it; its last words when it failed, null when it worked. */
function failureOf(command: string, args: readonly string[]): string | null {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: INSTALL_MS });
  if (status === 0) return null;
  return error?.message ?? (stderr.trim().split('\n').at(-1) || `${command} ended with ${status}`);
}

/** The server in its folder, installed there when it is not; a half installation is never taken for a whole one. */
function installed(): string | null {
  const server = join(folder, 'bin', 'moto_server');
  if (existsSync(join(folder, 'complete'))) return server;
  rmSync(folder, { recursive: true, force: true });
  say(`installing ${MOTO} from PyPI into ${folder}`);
  const why =
    failureOf('python3', ['-m', 'venv', folder]) ??
    failureOf(join(folder, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', MOTO]);
  if (why !== null) {
    say(`skipped: ${MOTO} could not be installed (${why}); HOSTLER_MOTO_SERVER names one that is there`);
    rmSync(folder, { recursive: true, force: true });
    return null;
  }
  writeFileSync(join(folder, 'complete'), '');
  return server;
}

export default function setUp({ provide }: TestProject): void {
  provide('motoServer', process.env['HOSTLER_MOTO_SERVER'] ?? installed());
}
