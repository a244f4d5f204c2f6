// The command line: finds the verb, loads it alone, and turns what it throws into one line and an exit code.
// Trap: verbs load by need; a static import of one here would make all others pay for its modules.
import { Command, CommanderError } from 'commander';
import { errorCodes, HostlerError, messageOf } from '../../domain/error.ts';
import type { CliIo } from './io.ts';
import { reportFailure } from './report-failure.ts';
import { packageVersion } from './version.ts';

type Verb = { register(program: Command, io: CliIo): void };

/** In the order of the help: the daemon, looking, changing, the rest. */
const verbs: Readonly<Record<string, () => Promise<Verb>>> = {
  run: () => import('./run.ts'),
  check: () => import('./check.ts'),
  config: () => import('./config.ts'),
  status: () => import('./status.ts'),
  machines: () => import('./machines.ts'),
  leases: () => import('./leases.ts'),
  queue: () => import('./queue.ts'),
  explain: () => import('./explain.ts'),
  events: () => import('./events.ts'),
  breakers: () => import('./breakers.ts'),
  breaker: () => import('./breaker.ts'),
  pause: () => import('./pause.ts'),
  resume: () => import('./resume.ts'),
  drain: () => import('./drain.ts'),
  cost: () => import('./cost.ts'),
  leaks: () => import('./leaks.ts'),
  retire: () => import('./retire.ts'),
  reload: () => import('./reload.ts'),
  cleanup: () => import('./cleanup.ts'),
  'iam-policy': () => import('./iam-policy.ts'),
  'event-rules': () => import('./event-rules.ts'),
  simulate: () => import('./simulate.ts'),
  advise: () => import('./advise.ts'),
  emulate: () => import('./emulate.ts'),
  demo: () => import('./demo.ts'),
  version: () => import('./version.ts'),
};

/** The command line with the verb that `argv` begins with, or with all of them for help and for suggestions. */
async function createProgram(argv: readonly string[], io: CliIo): Promise<Command> {
  const program = new Command('hostler')
    .description('Keeps a pool of EC2 Docker hosts ready for GitLab Runner, in place of docker-machine.')
    .version(`hostler ${packageVersion()}`, '-V, --version')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        io.out(text);
      },
      writeErr: (text) => {
        io.err(text);
      },
      outputError: () => undefined,
    });
  const named = Object.hasOwn(verbs, argv[0] ?? '') ? verbs[argv[0] ?? ''] : undefined;
  for (const load of named === undefined ? Object.values(verbs) : [named]) {
    const verb = await load();
    verb.register(program, io);
  }
  return program;
}

/** `unknown option '--jsn' (Did you mean --json?)`, without commander's own heading. */
function usageOf(error: CommanderError): HostlerError {
  const text = messageOf(error).replace(/^error: /, '');
  return new HostlerError('usage', `${text}; see "hostler --help"`);
}

/** Runs one command line (without node and script) and gives its exit code. Never throws. */
export async function runProgram(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    const program = await createProgram(argv, io);
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportFailure(error, io);
    if (error.exitCode === 0) return 0;
    // `hostler` alone: commander has printed the help to stderr already.
    return error.code === 'commander.help' ? errorCodes.usage.exit : reportFailure(usageOf(error), io);
  }
}
