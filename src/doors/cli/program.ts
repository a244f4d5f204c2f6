// The command line: registers every verb and turns what it throws into one line and an exit code.
// It loads no heavy module; verbs import theirs inside their action.
import { Command, CommanderError } from 'commander';
import { errorCodes, HostlerError, messageOf } from '../../domain/error.ts';
import { register as registerCleanup } from './cleanup.ts';
import { register as registerDrain } from './drain.ts';
import { register as registerEmulate } from './emulate.ts';
import { register as registerEvents } from './events.ts';
import { register as registerExplain } from './explain.ts';
import type { CliIo } from './io.ts';
import { register as registerLeases } from './leases.ts';
import { register as registerMachines } from './machines.ts';
import { register as registerPause } from './pause.ts';
import { register as registerReload } from './reload.ts';
import { reportFailure } from './report-failure.ts';
import { register as registerResume } from './resume.ts';
import { register as registerRetire } from './retire.ts';
import { register as registerRun } from './run.ts';
import { register as registerStatus } from './status.ts';
import { packageVersion, register as registerVersion } from './version.ts';

/** In the order of the help: the daemon, looking, changing, the rest. */
const verbs = [
  registerRun,
  registerStatus,
  registerMachines,
  registerLeases,
  registerExplain,
  registerEvents,
  registerPause,
  registerResume,
  registerDrain,
  registerRetire,
  registerReload,
  registerCleanup,
  registerEmulate,
  registerVersion,
];

/** The whole command line, ready to parse. Parsing throws CommanderError for help and wrong usage. */
export function createProgram(io: CliIo): Command {
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
  for (const register of verbs) register(program, io);
  return program;
}

/** `unknown option '--jsn' (Did you mean --json?)`, without commander's own heading. */
function usageOf(error: CommanderError): HostlerError {
  const text = messageOf(error).replace(/^error: /, '');
  return new HostlerError('usage', `${text}; see "hostler --help"`);
}

/** Runs one command line (without node and script) and gives its exit code. Never throws. */
export async function runProgram(argv: readonly string[], io: CliIo): Promise<number> {
  const program = createProgram(io);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportFailure(error, io);
    if (error.exitCode === 0) return 0;
    // `hostler` alone: commander has printed the help to stderr already.
    return error.code === 'commander.help' ? errorCodes.usage.exit : reportFailure(usageOf(error), io);
  }
}
