// `docker-machine env`: the lines that point a Docker client at a machine, for each shell in its own syntax.
// Trap: its stdout is eval'ed by a shell, so nothing else may be printed there.
import { basename } from 'node:path';
import { assertReachable, urlOf } from './answers.ts';
import { type DoorIo, Refusal, soleMachine, type VerbAction } from './door-io.ts';

type Syntax = {
  set(name: string, value: string): string;
  unset(name: string): string;
  hint(command: string): string;
};

const posix: Syntax = {
  set: (name, value) => `export ${name}="${value}"\n`,
  unset: (name) => `unset ${name}\n`,
  hint: (command) => `# Run this command to configure your shell: \n# eval $(${command})\n`,
};

const shells: Readonly<Record<string, Syntax>> = {
  fish: {
    set: (name, value) => `set -gx ${name} "${value}";\n`,
    unset: (name) => `set -e ${name};\n`,
    hint: (command) => `# Run this command to configure your shell: \n# eval (${command})\n`,
  },
  powershell: {
    set: (name, value) => `$Env:${name} = "${value}"\n`,
    unset: (name) => `Remove-Item Env:\\\\${name}\n`,
    hint: (command) => `# Run this command to configure your shell: \n# & ${command} | Invoke-Expression\n`,
  },
  cmd: {
    set: (name, value) => `SET ${name}=${value}\n`,
    unset: (name) => `SET ${name}=\n`,
    hint: (command) =>
      `REM Run this command to configure your shell: \nREM \t@FOR /f "tokens=*" %i IN ('${command}') DO @%i\n`,
  },
  tcsh: {
    set: (name, value) => `setenv ${name} "${value}";\n`,
    unset: (name) => `unsetenv ${name};\n`,
    hint: (command) => `: Run this command to configure your shell: \n: eval \`${command}\`\n`,
  },
  emacs: {
    set: (name, value) => `(setenv "${name}" "${value}")\n`,
    unset: (name) => `(setenv "${name}" nil)\n`,
    hint: (command) =>
      `;; Run this command to configure your shell: \n;; (with-temp-buffer (shell-command "${command}" (current-buffer)) (eval-buffer))\n`,
  },
};

const VARIABLES = ['DOCKER_TLS_VERIFY', 'DOCKER_HOST', 'DOCKER_CERT_PATH', 'DOCKER_MACHINE_NAME'];

/** The lower-case spelling if it is in use, else the upper-case one. */
function noProxy(io: DoorIo): { name: string; value: string } {
  const lower = io.env['no_proxy'];
  return lower ? { name: 'no_proxy', value: lower } : { name: 'NO_PROXY', value: io.env['NO_PROXY'] ?? '' };
}

export const env: VerbAction = async (call) => {
  const { io, given, words } = call;
  const syntax = shells[given.texts.get('shell') ?? basename(io.env['SHELL'] ?? '')] ?? posix;
  const hint = syntax.hint(['docker-machine', 'env', ...words].join(' '));
  const proxy = given.switches.has('no-proxy') ? noProxy(io) : null;
  if (given.switches.has('unset')) {
    if (given.names.length > 0)
      throw new Refusal('Error: Expected no machine name when the -u flag is present');
    const names = proxy ? [...VARIABLES, proxy.name] : VARIABLES;
    io.out(names.map((name) => syntax.unset(name)).join('') + hint);
    return 0;
  }
  const machine = soleMachine(call);
  await assertReachable(io, machine);
  const values = ['1', urlOf(machine), machine.folder, machine.name];
  const lines = VARIABLES.map((name, index) => syntax.set(name, values[index] ?? ''));
  if (proxy) {
    const listed = proxy.value.split(',').filter((host) => host !== '');
    const address = machine.address ?? '';
    lines.push(syntax.set(proxy.name, (listed.includes(address) ? listed : [...listed, address]).join(',')));
  }
  io.out(lines.join('') + hint);
  return 0;
};
