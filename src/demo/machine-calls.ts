// Starts the `docker-machine` executable exactly as gitlab-runner does: same first argument, same verbs, same time limits.
// Every call is a process of its own whose output goes to a listener line by line; nothing is interpreted here.
// Trap: the runner kills only the direct child, with SIGKILL; so does this.
import { type ChildProcess, spawn } from 'node:child_process';
import type { DurationMs } from '../domain/units.ts';
import { type RunnerPace, usualPace } from '../sim/runner/lifecycle-rules.ts';

/** What the runner puts in front of every verb. */
const FIRST_ARGUMENT = '--bugsnag-api-token=no-report';

/** Verbs whose output the runner logs. */
const logged: ReadonlySet<string> = new Set(['create', 'stop', 'rm']);

/** Bytes of stdout kept; `inspect` prints a few KB. */
const KEPT_OUTPUT = 64 * 1024;

/** One finished call. `code` null: ended by a signal or never started. */
export type Call = {
  args: readonly string[];
  code: number | null;
  stdout: string;
  /** Last line of stderr, for messages. */
  complaint: string;
  ms: DurationMs;
};

export type CallListener = {
  /** A line that the runner would log; info for stdout, error for stderr. */
  line?(line: { verb: string; name: string; stream: 'stdout' | 'stderr'; text: string }): void;
  ended?(call: Call): void;
};

export type MachineCalls = {
  create(name: string, options: { driver: string; machineOptions: readonly string[] }): Promise<Call>;
  /** `config NAME`: only the exit code counts. */
  config(name: string): Promise<Call>;
  url(name: string): Promise<Call>;
  storePath(name: string): Promise<Call>;
  inspect(name: string): Promise<Call>;
  stop(name: string): Promise<Call>;
  remove(name: string, way?: '-y' | '-f'): Promise<Call>;
  /** Kills every call that still runs. */
  killAll(): void;
};

function onLines(feed: (chunk: (text: string) => void) => void, emit: (line: string) => void): () => void {
  let rest = '';
  feed((text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) emit(line);
  });
  return () => {
    if (rest !== '') emit(rest);
  };
}

/** Calls of one executable on one store. `env` is the runner's own environment. */
export function createMachineCalls(options: {
  dockerMachine: string;
  store: string;
  env: Readonly<Record<string, string | undefined>>;
  listener?: CallListener;
  pace?: Pick<RunnerPace, 'stopLimitMs' | 'callLimitMs'>;
}): MachineCalls {
  const running = new Set<ChildProcess>();
  const env = { ...options.env, MACHINE_STORAGE_PATH: options.store };
  const { listener = {}, pace = usualPace } = options;

  /** `args` as they stand on the command line; `name` only for the listener. */
  function run(name: string, ...args: readonly string[]): Promise<Call> {
    const [verb = ''] = args;
    return new Promise((resolve) => {
      const begun = performance.now();
      const child = spawn(options.dockerMachine, [FIRST_ARGUMENT, ...args], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.add(child);
      const limitMs = verb === 'stop' ? pace.stopLimitMs : pace.callLimitMs;
      const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
      const tell = (stream: 'stdout' | 'stderr', text: string): void => {
        if (logged.has(verb)) listener.line?.({ verb, name, stream, text });
      };
      let stdout = '';
      let complaint = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout = (stdout + text).slice(-KEPT_OUTPUT);
      });
      const flushOut = onLines(
        (feed) => child.stdout.on('data', feed),
        (text) => tell('stdout', text),
      );
      const flushErr = onLines(
        (feed) => child.stderr.setEncoding('utf8').on('data', feed),
        (text) => {
          if (text.trim() !== '') complaint = text.trim();
          tell('stderr', text);
        },
      );
      const end = (code: number | null): void => {
        if (!running.delete(child)) return;
        clearTimeout(limit);
        flushOut();
        flushErr();
        const call = { args, code, stdout, complaint, ms: performance.now() - begun };
        listener.ended?.(call);
        resolve(call);
      };
      child.on('error', (error) => {
        complaint = error.message;
        end(null);
      });
      child.on('close', end);
    });
  }

  return {
    create: (name, { driver, machineOptions }) =>
      run(name, 'create', '--driver', driver, ...machineOptions.map((option) => `--${option}`), name),
    config: (name) => run(name, 'config', name),
    url: (name) => run(name, 'url', name),
    storePath: (name) => run(name, 'inspect', name, '-f', '{{.HostOptions.AuthOptions.StorePath}}'),
    inspect: (name) => run(name, 'inspect', name),
    stop: (name) => run(name, 'stop', name),
    remove: (name, way = '-y') => run(name, 'rm', way, name),
    killAll() {
      for (const child of running) child.kill('SIGKILL');
    },
  };
}
