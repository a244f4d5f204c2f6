// Step: pull the images that `prepull` names. A registry that is away must not cost the host: failures are only told.
import { quote, step } from './shell.ts';

/** All at once (dockerd bounds its downloads itself); prints `prepull-failed=…` with the images that did not come. */
export function prepull(images: readonly string[]): string {
  return step(
    'prepull',
    `
command -v docker >/dev/null 2>&1 || { echo 'hostler: prepull-failed=all (no docker command on this host)'; exit 0; }
pull() { docker pull --quiet "$1" >/dev/null 2>&1 || printf '%s ' "$1"; }
missing=$(for image in ${images.map(quote).join(' ')}; do pull "$image" & done; wait)
[ -z "$missing" ] || printf 'hostler: prepull-failed=%s\\n' "$missing"
`,
  );
}
