// Step: how full the host's disks are. Docker's own figures tell what its objects weigh, not what is left; `df` does.
// Trap: small files use up inodes long before space, so both count; a file system without inodes shows none.
import { quote, step } from './shell.ts';

/** Docker's default (dockerd --data-root). */
const DOCKER_ROOT = '/var/lib/docker';

/** The data root that dockerd's own flags name, or null. */
function rootOf(engineOptions: readonly string[]): string | null {
  const found = engineOptions.map(
    (option) => /^(?:data-root|graph|g)[= ]+"?([^"]+)/.exec(option.trim())?.[1],
  );
  return found.findLast((root) => root !== undefined) ?? null;
}

/** Prints `disk=N`: percent in use of Docker's file system or the root's, space or inodes, whichever is fullest. */
export function lookAtDisk(engineOptions: readonly string[]): string {
  const named = rootOf(engineOptions);
  const root =
    named === null
      ? `$(tr -d '\\n' 2>/dev/null </etc/docker/daemon.json | sed -n 's/.*"\\(data-root\\|graph\\)" *: *"\\([^"]*\\)".*/\\2/p')`
      : quote(named);
  return step(
    'look-at-disk',
    `
root=${root}
most=
for place in "\${root:-${DOCKER_ROOT}}" /; do
  for what in -P -Pi; do
    figure=$(df "$what" "$place" 2>/dev/null | { read -r line; read -r device size used free figure line; printf '%s' "\${figure%\\%}"; })
    case $figure in '' | *[!0-9]*) ;; *) [ "$figure" -le "\${most:--1}" ] || most=$figure ;; esac
  done
done
[ -z "$most" ] || printf 'hostler: disk=%s\\n' "$most"
`,
  );
}
