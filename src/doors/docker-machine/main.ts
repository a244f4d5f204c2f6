// The door's verbs that need Node, by `src/main.ts docker-machine VERB …`; bin/docker-machine has taken the global flags
// off and answers the runner's usual calls itself. It must not change anything but folders of the store and, through
// the socket, leases. Trap: the runner's calls must outlive signals, a person's must not.
import { createInterface } from 'node:readline/promises';
import { messageOf } from '../../domain/error.ts';
import { Misuse, parseVerb } from './argv.ts';
import { type DoorIo, Refusal, type VerbAction } from './door-io.ts';
import { programHelp, VERSION, verbHelp, verbs } from './verbs.ts';

/** ms between looks at the parent: the door leaves within 2 s of its end (design §4). */
const PARENT_LOOK_MS = 1_000;

const actions: Readonly<Record<string, () => Promise<VerbAction>>> = {
  active: async () => (await import('./list-machines.ts')).active,
  config: async () => (await import('./answers.ts')).config,
  env: async () => (await import('./shell-env.ts')).env,
  inspect: async () => (await import('./answers.ts')).inspect,
  ip: async () => (await import('./answers.ts')).ip,
  kill: async () => (await import('./answers.ts')).refusal('kill'),
  ls: async () => (await import('./list-machines.ts')).ls,
  mount: async () => (await import('./answers.ts')).mount,
  provision: async () => (await import('./answers.ts')).refusal('provision'),
  'regenerate-certs': async () => (await import('./answers.ts')).refusal('regenerate the certificates of'),
  restart: async () => (await import('./answers.ts')).refusal('restart'),
  rm: async () => (await import('./remove.ts')).rm,
  scp: async () => (await import('./connect.ts')).scp,
  ssh: async () => (await import('./connect.ts')).ssh,
  start: async () => (await import('./answers.ts')).start,
  status: async () => (await import('./answers.ts')).status,
  stop: async () => (await import('./answers.ts')).stop,
  upgrade: async () => (await import('./answers.ts')).refusal('upgrade'),
  url: async () => (await import('./answers.ts')).url,
  version: async () => (await import('./docker-version.ts')).version,
};

/** Runs one verb and returns the exit code. Never throws: messages go to stderr. */
export async function main(argv: readonly string[]): Promise<number> {
  const io = systemIo();
  const [verb = '', ...words] = argv;
  watchSurroundings(io, verb);
  try {
    return await dispatch(io, verb, words);
  } catch (error) {
    io.err(`${error instanceof Refusal ? error.message : messageOf(error)}\n`);
    return 1;
  }
}

async function dispatch(io: DoorIo, word: string, words: readonly string[]): Promise<number> {
  if (word.startsWith('-')) return globalFlag(io, word);
  if (word === '' || word === 'help' || word === 'h') return help(io, words);
  const verb = verbs.find(({ name }) => name === word);
  const action = actions[word];
  if (!verb || !action) {
    io.err(`docker-machine: '${word}' is not a docker-machine command. See 'docker-machine --help'.\n`);
    return 1;
  }
  if (verb.raw) return (await action())({ io, given: parseVerb(verb, []), words });
  try {
    const given = parseVerb(verb, words);
    if (!given.help) return await (await action())({ io, given, words });
    io.out(verbHelp(verb));
    return 0;
  } catch (error) {
    if (!(error instanceof Misuse)) throw error;
    io.out(`Incorrect Usage.\n\n${verbHelp(verb)}`);
    throw new Refusal(error.message, { cause: error });
  }
}

function help(io: DoorIo, [word]: readonly string[]): number {
  const verb = verbs.find(({ name }) => name === word);
  if (word !== undefined && !verb) throw new Refusal(`No help topic for '${word}'`);
  io.out(verb ? verbHelp(verb) : programHelp());
  return 0;
}

/** A flag in front of the verb that bin/docker-machine did not know, or that wants an answer itself. */
function globalFlag(io: DoorIo, word: string): number {
  if (/^--?(?:h|help)$/.test(word)) return help(io, []);
  if (/^--?(?:v|version)$/.test(word)) {
    io.out(`docker-machine version ${VERSION}\n`);
    return 0;
  }
  const name = word.replace(/^--?/, '').replace(/=.*$/s, '');
  const known =
    /^(?:s|storage-path|tls-ca-cert|tls-ca-key|tls-client-cert|tls-client-key|github-api-token|bugsnag-api-token)$/;
  io.out(`Incorrect Usage.\n\n${programHelp()}`);
  throw new Refusal(
    known.test(name) ? `flag needs an argument: -${name}` : `flag provided but not defined: -${name}`,
  );
}

function systemIo(): DoorIo {
  const { env } = process;
  const home = env['HOME'] ? `${env['HOME']}/.docker/machine` : `${process.cwd()}/.docker/machine`;
  return {
    env,
    store: env['MACHINE_STORAGE_PATH'] || home,
    caller: env['HOSTLER_CALLER'] === 'runner' ? 'runner' : 'person',
    socket: env['HOSTLER_SOCKET'] || '/run/hostler/hostler.sock',
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    ask: async (question) => {
      if (!process.stdin.isTTY) return null;
      const terminal = createInterface({ input: process.stdin, output: process.stdout });
      const answer = await terminal.question(question);
      terminal.close();
      return answer;
    },
    now: () => Date.now(),
  };
}

function watchSurroundings(io: DoorIo, verb: string): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // What these two do is done; for the runner a failed removal costs a slot for 30 s.
    if (verb === 'rm' || verb === 'stop') return;
    // A person's reader that went away (`ls | head`) is no error.
    if (error.code === 'EPIPE' && io.caller === 'person') process.exit(0);
    io.err(`docker-machine ${verb}: the answer cannot be written to stdout\n`);
    process.exit(1);
  });
  process.stderr.on('error', () => undefined);
  if (io.caller === 'person') return;
  const parent = Number(io.env['HOSTLER_CALLER_PID']) || process.ppid;
  setInterval(() => process.ppid === parent || process.exit(1), PARENT_LOOK_MS).unref();
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
}
