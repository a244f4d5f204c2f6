// Child processes of the demo: their own process group, so that Ctrl-C reaches the demo alone and the end has an order;
// output in a file; and a guard that ends them if the demo itself is killed.
// Trap: only processes started here are ever signalled, by their ids.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { HostlerError } from '../domain/error.ts';
import type { DurationMs } from '../domain/units.ts';

export type Child = {
  name: string;
  pid: number;
  /** First line of stdout; rejects when the child ends before it. */
  firstLine: Promise<string>;
  /** Resolves with words for how it ended. */
  ended: Promise<string>;
  isAlive(): boolean;
  /** SIGTERM, and SIGKILL after the limit. Resolves when it has ended. */
  stop(limitMs: DurationMs): Promise<void>;
  kill(): void;
};

/** Characters of a log shown when a child ends unasked. */
const TAIL = 300;

/** The last lines of a child's log, for a message. */
export function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
      .slice(-TAIL)
      .trim()
      .replaceAll(/\s*\n\s*/g, ' | ');
  } catch {
    return '';
  }
}

function firstLineOf(child: ChildProcess, ended: Promise<string>, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      if (text.includes('\n')) return;
      text += part;
      const [line = ''] = text.split('\n');
      if (text.includes('\n')) resolve(line);
    });
    void ended.then((how) => reject(new HostlerError('daemon-away', `${name} ${how} before it was ready`)));
  });
}

/** Starts `node args`, or another program with them. stderr goes to the log; stdout too unless `reads`, then its first line can be awaited. */
export function startChild(options: {
  name: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  log: string;
  reads?: boolean;
  /** Path of an executable; default: this process's Node. */
  program?: string;
}): Child {
  const log = openSync(options.log, 'a', 0o600);
  const child = spawn(options.program ?? process.execPath, options.args, {
    env: options.env,
    detached: true,
    stdio: ['ignore', options.reads === true ? 'pipe' : log, log],
  });
  closeSync(log);
  let alive = true;
  const ended = new Promise<string>((resolve) => {
    const end = (how: string): void => {
      alive = false;
      resolve(how);
    };
    child.on('error', (error) => end(`did not start: ${error.message}`));
    child.on('exit', (code, signal) => end(code === null ? `ended by ${signal}` : `ended with code ${code}`));
  });
  const firstLine = firstLineOf(child, ended, options.name);
  firstLine.catch(() => undefined);
  const kill = (signal: 'SIGTERM' | 'SIGKILL'): void => {
    if (alive) child.kill(signal);
  };
  return {
    name: options.name,
    pid: child.pid ?? 0,
    firstLine,
    ended,
    isAlive: () => alive,
    async stop(limitMs) {
      kill('SIGTERM');
      const timer = setTimeout(() => kill('SIGKILL'), limitMs);
      await ended;
      clearTimeout(timer);
    },
    kill: () => kill('SIGKILL'),
  };
}

/** Ends when its stdin does: then the demo has died, and what it left goes. `done` on stdin ends it without harm. */
const guardScript = `
trap '' INT TERM HUP QUIT
pids=
while read -r word value; do
  case $word in
    pid) pids="$pids $value" ;;
    done) exit 0 ;;
  esac
done
[ -z "$pids" ] || { kill $pids; sleep 3; kill -9 $pids; } 2>/dev/null
rm -rf "$1"
`;

export type Guard = { watch(pid: number): void; dismiss(): void };

/** Starts the guard of a folder. */
export function startGuard(folder: string): Guard {
  const guard = spawn('sh', ['-c', guardScript, 'hostler-demo-guard', folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  guard.unref();
  return {
    // 0 = it did not start; to `kill` it would mean the guard's own group.
    watch: (pid) => void (pid > 0 && guard.stdin.write(`pid ${pid}\n`)),
    dismiss: () => void guard.stdin.end('done\n'),
  };
}
