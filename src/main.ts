// Entry of bin/hostler: reads the first word and loads one door lazily, so that a light verb never pays for a heavy one.
// It holds nothing else but the process's own affairs: streams, exit code, the last net for errors.
// Trap: the compile cache lies beside the packages, never in a shared temporary folder where others could plant code.
import { fileURLToPath } from 'node:url';
import type { CliIo } from './doors/cli/io.ts';

const argv = process.argv.slice(2);

/** Half of a light verb's start-up time; without a writable folder it is simply slower. */
process
  .getBuiltinModule('node:module')
  .enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/hostler', import.meta.url)));

/** One `ss`, on a loaded machine. Milliseconds. */
const RESET_TRIAL_MS = 5_000;

async function askPerson(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const dialogue = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await dialogue.question(question);
  } finally {
    dialogue.close();
  }
}

/** Only `check` asks: it costs two child processes. */
async function resetTrouble(): Promise<string | null> {
  const { createConnections } = await import('./adapters/system/reset-connections.ts');
  return createConnections().trouble(AbortSignal.timeout(RESET_TRIAL_MS));
}

const io: CliIo = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  isTty: process.stdout.isTTY,
  now: () => Date.now(),
  resetTrouble,
  ...(process.stdin.isTTY ? { ask: askPerson } : {}),
};

/** A reader that goes away (`hostler machines | head`) ends a verb quietly; it must never end the daemon, and doors know better. */
function survivePipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (argv[0] === 'run' || argv[0] === 'docker-machine') return;
      process.exit(error.code === 'EPIPE' ? 0 : 74);
    });
  }
}

async function endWith(error: unknown): Promise<void> {
  const { reportFailure } = await import('./doors/cli/report-failure.ts');
  process.exit(reportFailure(error, io));
}

/** What nobody caught: one line, unless the daemon has a net of its own. */
function catchRest(): void {
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') === 1) void endWith(error);
  });
}

async function start(): Promise<number> {
  if (argv[0] === 'docker-machine') {
    const { main } = await import('./doors/docker-machine/main.ts');
    return main(argv.slice(1));
  }
  const { runProgram } = await import('./doors/cli/program.ts');
  const code = await runProgram(argv, io);
  return code === 0 ? Number(process.exitCode ?? 0) : code;
}

/** Both streams are written out before the end; handles that a verb left open must not hold it. */
function leave(code: number): void {
  process.stdout.write('', () => {
    process.stderr.write('', () => {
      // What could not be written is told by an event of its own, which comes after this: it decides the code then.
      setImmediate(() => process.exit(code));
    });
  });
}

survivePipes();
catchRest();
try {
  leave(await start());
} catch (error) {
  await endWith(error);
}
