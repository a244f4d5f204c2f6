// How scripts for hosts are put together: quoting, here-documents, steps with names, and the frame around them.
// Must not: let a value from the configuration become shell text. Secrets travel inside the script, which goes over stdin.
// Traps: bash reads a script from stdin line by line, so a cut connection would run half of it; the frame is a function
// and therefore runs whole or not at all. Commands inside must not read the script: their stdin is /dev/null.
import { invariant } from '../../domain/assert.ts';

/** Ends every here-document; PEM and unit files never hold it as a line. */
const HERE_END = 'HOSTLER_END';

/** A run that outlived its connection holds the lock; an install of Docker takes a minute or two. */
const LOCK_WAIT_S = 600;

/** Exit code of a script whose step failed in words. */
export const EXIT_FAILED = 10;
/** Exit code of a script that found a running job and therefore did nothing (EX_TEMPFAIL). */
export const EXIT_BUSY = 75;

/** One shell word, whatever the text. */
export function quote(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A here-document with this text, taken literally. Goes after the command: `put FILE 0600 ${here(text)}`. */
export function here(text: string): string {
  invariant(!text.split('\n').includes(HERE_END), 'a here-document does not hold its own end');
  return `<<'${HERE_END}'\n${text.endsWith('\n') ? text : `${text}\n`}${HERE_END}`;
}

/** One step of a script. The marker line names it for readers and the emulated host, the printed line for failures. */
export function step(name: string, body: string): string {
  return `# hostler-step: ${name}\necho 'hostler: step=${name}'\n${body.trim()}\n`;
}

/**
 * A whole script for `bash -s` as root. Steps may use `fail WORDS…` (ends the script, last line of stderr) and
 * `put FILE MODE` (stdin to a file, in one go). Two runs on one host wait for each other.
 */
export function frame(steps: readonly string[]): string {
  return `main() {
set -u -o pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive
umask 022
fail() { printf 'hostler-failed: %s\\n' "$*" >&2; exit ${EXIT_FAILED}; }
put() { (umask 077; cat >"$1.hostler" && chmod "$2" "$1.hostler" && mv -f "$1.hostler" "$1") || fail "cannot write $1"; }
if command -v flock >/dev/null 2>&1; then
  exec 9>/run/hostler.lock
  flock -w ${LOCK_WAIT_S} 9 || fail 'an earlier run still works on this host'
fi

${steps.join('\n')}
exit 0
}
main </dev/null
`;
}

/** What `hostler: KEY=VALUE` lines say; the last one of a key counts. */
export function factsOf(stdout: string): ReadonlyMap<string, string> {
  return new Map(
    [...stdout.matchAll(/^hostler: ([a-z-]{1,40})=(.{0,1000})$/gm)].map(
      ([, key = '', value = '']) => [key, value] as const,
    ),
  );
}

/** The words of a failed script: its `fail` line, else the last line it complained with. At most 300 characters. */
export function wordsOf(result: { code: number | null; stderr: string }): string {
  const lines = result.stderr.split('\n').map((line) => line.replaceAll(/[^\x20-\x7e]+/g, ' ').trim());
  const said = lines
    .findLast((line) => line.startsWith('hostler-failed: '))
    ?.slice('hostler-failed: '.length);
  const last = said ?? lines.findLast((line) => line !== '') ?? '';
  const text = last === '' ? 'it said nothing' : last.slice(0, 300);
  return result.code === null ? text : `${text} (exit code ${result.code})`;
}
