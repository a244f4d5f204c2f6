// A real gitlab-runner as a process of its own, with hostler's docker-machine first on its PATH.
// Trap: it writes its log to stderr and exits at a taken port or a bad file, so whoever waits looks at the end too.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** JSON lines of the runner's log, with what it says of a job, a machine or an error. */
export type LogLine = { level: string; msg: string } & Readonly<Record<string, unknown>>;

export type RunnerProcess = {
  log(): string;
  /** Lines of these levels; default: error and worse. */
  lines(...levels: string[]): LogLine[];
  /** Sends a signal. */
  signal(name: NodeJS.Signals): void;
  isRunning(): boolean;
  /** Resolves with its exit code, null after a kill. */
  ended: Promise<number | null>;
};

/** Starts `gitlab-runner run`. */
export function startRunner(options: {
  binary: string;
  config: string;
  folder: string;
  env: Readonly<Record<string, string>>;
}): RunnerProcess {
  const { binary, config, folder, env } = options;
  const child: ChildProcess = spawn(
    binary,
    ['--log-format', 'json', 'run', '--config', config, '--working-directory', folder],
    { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'], cwd: folder },
  );
  let text = '';
  const collect = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return {
    log: () => text,
    lines(...levels) {
      const wanted = levels.length > 0 ? levels : ['error', 'fatal', 'panic'];
      return text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LogLine)
        .filter(({ level }) => wanted.includes(level));
    },
    signal: (name) => void child.kill(name),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    ended,
  };
}
