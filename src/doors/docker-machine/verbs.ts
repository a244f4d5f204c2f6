// What `docker-machine` understands: verbs, their flags and the help texts, in docker-machine's shape.
// No behaviour here. Trap: scripts read flags and first lines of the help; change words, not shapes.

/** Version as docker-machine prints it: the release whose ways these are. */
export const VERSION = '0.16.2-hostler';

export type FlagKind = 'switch' | 'text' | 'list' | 'whole';
export type Flag = {
  /** Long name first. */
  names: readonly string[];
  kind: FlagKind;
  about: string;
};
export type Verb = {
  name: string;
  about: string;
  /** What the words after the flags are. */
  words: string;
  flags: readonly Flag[];
  /** ssh: everything after the verb belongs to the machine. */
  raw?: true;
};

const one = 'The argument is a machine name.';
const many = 'The arguments are one or more machine names.';
const timeout: Flag = {
  names: ['timeout', 't'],
  kind: 'whole',
  about: 'Seconds to wait for hosts, 10 if not given',
};
const swarm: Flag = { names: ['swarm'], kind: 'switch', about: 'Accepted and ignored: there is no swarm' };

export const verbs: readonly Verb[] = [
  { name: 'active', about: 'Print which machine is active', words: '', flags: [timeout] },
  { name: 'config', about: 'Print the connection config for a machine', words: one, flags: [swarm] },
  { name: 'create', about: 'Lease a machine from its pool', words: one, flags: [], raw: true },
  {
    name: 'env',
    about: 'Print the commands that point the Docker client at a machine',
    words: one,
    flags: [
      swarm,
      {
        names: ['shell'],
        kind: 'text',
        about: 'Shell to write for: bash, fish, cmd, powershell, tcsh, emacs',
      },
      { names: ['unset', 'u'], kind: 'switch', about: 'Unset the variables instead' },
      { names: ['no-proxy'], kind: 'switch', about: 'Add the address to NO_PROXY' },
    ],
  },
  {
    name: 'inspect',
    about: 'Print what is known about a machine',
    words: one,
    flags: [{ names: ['format', 'f'], kind: 'text', about: 'Go template: paths, json, prettyjson' }],
  },
  { name: 'ip', about: 'Get the address of a machine', words: many, flags: [] },
  { name: 'kill', about: 'Refused: hosts belong to their pool', words: many, flags: [] },
  {
    name: 'ls',
    about: 'List machines',
    words: '',
    flags: [
      { names: ['quiet', 'q'], kind: 'switch', about: 'Print names only' },
      { names: ['filter'], kind: 'list', about: 'name=REGEX, state=, driver=, label=KEY=VALUE, swarm=' },
      timeout,
      { names: ['format', 'f'], kind: 'text', about: 'Go template, with headings after the word table' },
    ],
  },
  { name: 'provision', about: 'Refused: the pool provisions its machines', words: many, flags: [] },
  {
    name: 'regenerate-certs',
    about: 'Refused: a new machine brings new certificates',
    words: many,
    flags: [
      { names: ['force', 'f'], kind: 'switch', about: 'Do not ask' },
      { names: ['client-certs'], kind: 'switch', about: 'Client certificates too' },
    ],
  },
  { name: 'restart', about: 'Refused: hosts belong to their pool', words: many, flags: [] },
  {
    name: 'rm',
    about: 'End a machine',
    words: many,
    flags: [
      { names: ['force', 'f'], kind: 'switch', about: 'Do not ask, and do not mind unknown names' },
      { names: ['y'], kind: 'switch', about: 'Do not ask' },
    ],
  },
  {
    name: 'ssh',
    about: 'Log into a machine or run a command on it',
    words: 'The arguments are a machine name and a command.',
    flags: [],
    raw: true,
  },
  {
    name: 'scp',
    about: 'Copy files to, from and between machines',
    words: 'The arguments are [[user@]machine:]path and [[user@]machine:]path.',
    flags: [
      { names: ['recursive', 'r'], kind: 'switch', about: 'Copy folders' },
      { names: ['delta', 'd'], kind: 'switch', about: 'Send differences only, with rsync' },
      { names: ['quiet', 'q'], kind: 'switch', about: 'No progress' },
    ],
  },
  {
    name: 'mount',
    about: 'Refused: use scp',
    words: 'The arguments are machine:path and a folder.',
    flags: [{ names: ['unmount', 'u'], kind: 'switch', about: 'Unmount' }],
  },
  { name: 'start', about: 'Say that a machine runs', words: many, flags: [] },
  { name: 'status', about: 'Get the status of a machine', words: one, flags: [] },
  { name: 'stop', about: 'Does nothing: rm ends a machine', words: many, flags: [] },
  { name: 'upgrade', about: 'Refused: hosts belong to their pool', words: many, flags: [] },
  { name: 'url', about: 'Get the URL of a machine', words: one, flags: [] },
  {
    name: 'version',
    about: "Show this program's version or a machine's Docker version",
    words: '',
    flags: [],
  },
  { name: 'help', about: 'Show the verbs, or help for one', words: '', flags: [] },
];

/** Global flags as the help shows them; bin/docker-machine reads them. */
const globals: readonly [string, string][] = [
  ['--debug, -D', 'Accepted and ignored'],
  ['--storage-path, -s', 'Folder of the machines [$MACHINE_STORAGE_PATH]'],
  ['--tls-ca-cert, --tls-ca-key', 'Accepted and ignored: hostler has its own authority'],
  ['--tls-client-cert, --tls-client-key', 'Accepted and ignored'],
  ['--github-api-token, --bugsnag-api-token', 'Accepted and ignored; nothing is ever reported'],
  ['--native-ssh', 'Accepted and ignored'],
  ['--help, -h', 'Show help'],
  ['--version, -v', 'Print the version'],
];

function rows(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([left]) => left.length)) + 3;
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}${right}\n`).join('');
}

/** Help of the whole program. */
export function programHelp(): string {
  return `Usage: docker-machine [OPTIONS] COMMAND [arg...]

Machines from hostler's pools, for programs that know docker-machine.

Version: ${VERSION}

Options:
${rows(globals)}
Commands:
${rows(verbs.map((verb) => [verb.name, verb.about] as const))}
Run 'docker-machine COMMAND --help' for more information on a command.
`;
}

/** Help of one verb. */
export function verbHelp(verb: Verb): string {
  const flags = verb.flags.map(
    (flag) =>
      [
        flag.names.map((name) => (name.length > 1 ? `--${name}` : `-${name}`)).join(', '),
        flag.about,
      ] as const,
  );
  const options = flags.length > 0 ? `\nOptions:\n${rows(flags)}` : '';
  const words = verb.words === '' ? '' : `\n${verb.words}\n`;
  return `Usage: docker-machine ${verb.name}${flags.length > 0 ? ' [OPTIONS]' : ''} [arg...]\n\n${verb.about}\n${words}${options}`;
}
