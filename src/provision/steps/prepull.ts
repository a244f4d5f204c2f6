// Step: pull the images that `prepull` names. A registry that is away, or slow, must not cost the host: failures are only told.
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import { quote, step } from './shell.ts';

/**
 * All at once (dockerd bounds its downloads itself), each for `limitMs` at most; prints `prepull-failed=…` with the images
 * that are not there then. What the AMI brings along is there, also when its registry is not.
 */
export function prepull(images: readonly string[], limitMs: DurationMs): string {
  return step(
    'prepull',
    `
command -v docker >/dev/null 2>&1 || { echo 'hostler: prepull-failed=all (no docker command on this host)'; exit 0; }
pull() { timeout ${Math.ceil(limitMs / SECOND_MS)} docker pull --quiet "$1" >/dev/null 2>&1 || docker image inspect "$1" >/dev/null 2>&1 || printf '%s ' "$1"; }
missing=$(for image in ${images.map(quote).join(' ')}; do pull "$image" & done; wait)
[ -z "$missing" ] || printf 'hostler: prepull-failed=%s\\n' "$missing"
`,
  );
}
