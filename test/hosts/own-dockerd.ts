// A Docker daemon of the tests' own: data, runtime folder, process id file and socket in one folder, ended by its process
// id. A guard in between ends it also when the tests are killed.
// Must not touch another dockerd of this machine; the default bridge stays on, since a daemon without one deletes docker0.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Starts dockerd, ends it when its own stdin ends, and is gone only when dockerd is. What is in it is removed first: a
 * dockerd that ends leaves the bridges and packet filter rules of its networks on the machine.
 */
const GUARD = `export DOCKER_HOST="unix://$1"; shift
"$@" & child=$!
trap '' INT TERM HUP QUIT
cat >/dev/null
timeout 60 sh -c 'docker ps -aq | xargs -r docker rm -fv; docker network prune -f' >/dev/null 2>&1
kill -TERM "$child"
wait "$child"`;

/** A loaded small machine takes some seconds; dockerd's own containerd another few. */
const START_LIMIT_MS = 60_000;
/** What is left in it is removed within a minute, dockerd and containerd end within 15 s. */
const STOP_LIMIT_MS = 90_000;
const FOLDER = 'dockerd-';

export type OwnDockerd = {
  socket: string;
  /** Ends it; gives what of it is left: processes and mounts, one line each. */
  stop(): Promise<string[]>;
};

/** Processes that have `folder` in their command line, and mounts below it. */
function leftOf(folder: string): string[] {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return line.includes(folder) ? [`process ${pid}: ${line.slice(0, 200)}`] : [];
      } catch {
        return [];
      }
    });
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => (line.includes(` ${folder}`) ? [`mount ${line.slice(0, 200)}`] : []));
  return [...processes, ...mounts];
}

/** A run that begins at this moment has a folder and nothing in it yet. */
const SWEEP_AFTER_MS = 120_000;

/** Folders of runs that were killed, as far as nothing lives in them any more. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name);
    const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (!name.startsWith(FOLDER) || age < SWEEP_AFTER_MS || leftOf(folder).length > 0) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts a dockerd with everything of it in a new folder below `parent`. */
export async function startOwnDockerd(parent: string): Promise<OwnDockerd> {
  sweep(parent);
  const folder = mkdtempSync(join(parent, FOLDER));
  const socket = join(folder, 'docker.sock');
  const logFile = join(folder, 'dockerd.log');
  const log = openSync(logFile, 'a', 0o600);
  const flags = ['--data-root', 'data', '--exec-root', 'exec', '--pidfile', 'pid'].map((flag) =>
    flag.startsWith('--') ? flag : join(folder, flag),
  );
  const guard = spawn('sh', ['-c', GUARD, 'guard', socket, 'dockerd', ...flags, '-H', `unix://${socket}`], {
    stdio: ['pipe', log, log],
    detached: true,
  });
  closeSync(log);
  const ended = once(guard, 'exit');

  const stop = async (): Promise<string[]> => {
    guard.stdin?.end();
    await Promise.race([ended, sleep(STOP_LIMIT_MS, null, { ref: false })]);
    const left = leftOf(folder);
    if (left.length === 0) rmSync(folder, { recursive: true, force: true });
    return left;
  };

  const answers = async (): Promise<boolean> => {
    if (!existsSync(socket)) return false;
    const { createDockerClient } = await import('../../src/emulator/docker-hosts/docker-client.ts');
    return createDockerClient(socket)
      .json({ method: 'GET', path: '/version' })
      .then(
        () => true,
        () => false,
      );
  };
  for (const end = performance.now() + START_LIMIT_MS; !(await answers()); await sleep(100)) {
    if (performance.now() < end && guard.exitCode === null) continue;
    const words = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
    await stop();
    throw new Error(`dockerd did not come up: ${words.slice(-600)}`);
  }
  return { socket, stop };
}
