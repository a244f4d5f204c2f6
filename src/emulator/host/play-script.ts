// Plays the scripts that provisioning sends, by the marker line of each step: what a real host would do, as far as SSH
// and the Docker API show it. A script without markers, or with an unknown step, is not found: exit code 127.
// Trap: the names and the `put` form are provisioning's; a test runs the real scripts against this.

/** What a script can change on an emulated host. */
export interface PlayedHost {
  /** Makes the next SSH host key; its public line. */
  makeHostKey(): string;
  /** New connections see the next key from now on. */
  rotateHostKey(): void;
  /** Starts or restarts the Docker API with these files. Throws when they are not usable. */
  startDocker(tls: { ca: string; cert: string; key: string }): Promise<void>;
  pull(image: string): void;
  /** Percent in use of its disk. */
  disk(): number;
  /** A step is about to be played; what it returns is awaited. */
  reached?(step: string): void | Promise<void>;
}

export type PlayResult = { code: number; stdout: string; stderr: string };

type Played = { host: PlayedHost; files: Map<string, string>; text: string };

/** Starts Docker with the files that were written, as often as the script tries. */
async function startDocker({ host, files, text }: Played): Promise<string> {
  const file = (name: string) => {
    const found = files.get(`/etc/docker/${name}`);
    if (found === undefined) throw new Error(`dockerd does not start: no /etc/docker/${name}`);
    return found;
  };
  const tls = { ca: file('ca.pem'), cert: file('server.pem'), key: file('server-key.pem') };
  const tries = /^for try in ([\d ]+); do$/m.exec(text)?.[1]?.split(' ').length ?? 1;
  for (let left = tries; left > 1; left -= 1) {
    const started = await host.startDocker(tls).then(
      () => true,
      () => false,
    );
    if (started) return '';
  }
  await host.startDocker(tls);
  return '';
}

/** Each step's effect; the text it prints. */
const steps: Record<string, (played: Played) => string | Promise<string>> = {
  'renew-dead-man': () => '',
  'look-at-disk': ({ host }) => `hostler: disk=${host.disk()}\n`,
  'guard-jobs': () => '',
  'wait-user-data': () => '',
  'make-host-key': ({ host }) => `hostler: host-key=${host.makeHostKey()}\n`,
  'rotate-host-key': ({ host }) => {
    host.rotateHostKey();
    return '';
  },
  'install-docker': () => '',
  'write-tls': () => '',
  'configure-docker': () => '',
  'start-docker': startDocker,
  prepull: ({ host, text }) => {
    const images = /^missing=\$\(for image in (.*?); do/m.exec(text)?.[1]?.split(' ') ?? [];
    for (const image of images) host.pull(image.replaceAll("'", ''));
    return '';
  },
};

/** Files that the script writes: `put PATH MODE <<'END'` and the lines up to END. */
function filesOf(text: string): Map<string, string> {
  const found = text.matchAll(/^put (\S+) [0-7]+ <<'(\w+)'\n([\s\S]*?\n)\2$/gm);
  return new Map([...found].map(([, path = '', , body = '']) => [path, body]));
}

/** Plays one script to its end; never throws. What it prints also goes to `say` at once, as over a real connection. */
export async function playScript(
  text: string,
  host: PlayedHost,
  say: (text: string) => void = () => {},
): Promise<PlayResult> {
  const names = [...text.matchAll(/^# hostler-step: (\S+)$/gm)].map((match) => match[1] ?? '');
  const unknown = names.find((name) => !Object.hasOwn(steps, name));
  if (names.length === 0 || unknown !== undefined) {
    const what = unknown ?? text.trim().split('\n')[0]?.slice(0, 80) ?? '';
    return { code: 127, stdout: '', stderr: `bash: line 1: ${what}: command not found\n` };
  }
  const played: Played = { host, files: filesOf(text), text };
  let stdout = '';
  const print = (line: string) => {
    stdout += line;
    say(line);
  };
  for (const name of names) {
    print(`hostler: step=${name}\n`);
    try {
      await host.reached?.(name);
      print((await steps[name]?.(played)) ?? '');
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      return { code: 10, stdout, stderr: `hostler-failed: ${words}\n` };
    }
  }
  return { code: 0, stdout, stderr: '' };
}
