// Step: wait until cloud-init has ended, so that nothing of the user's own set-up runs against ours.
// Trap: `cloud-init status --wait` starts Python and polls slowly; the result file says the same at once. It lies in
// /run, so it is of this boot.
import { step } from './shell.ts';

/** Seconds. Only a bound for a loop whose connection is gone: boot_timeout ends a living one long before. */
const WAIT_BOUND_S = 3_600;

/** Prints `user-data-errors=…` when cloud-init ended with errors; they are the user's to judge, not a failure of ours. */
export function waitUserData(): string {
  return step(
    'wait-user-data',
    `
result=/run/cloud-init/result.json
left=${WAIT_BOUND_S * 10}
while command -v cloud-init >/dev/null 2>&1 && [ ! -e /run/cloud-init/disabled ] && [ ! -e "$result" ]; do
  [ "$left" -gt 0 ] || fail 'cloud-init did not end'
  left=$((left - 1))
  sleep 0.1
done
if [ -e "$result" ]; then
  errors=$(tr -d '\\n' <"$result" | sed -n 's/.*"errors": *\\[ *\\([^]]*\\)\\].*/\\1/p' | tr -s ' ' | cut -c1-300)
  [ -z "$errors" ] || printf 'hostler: user-data-errors=%s\\n' "$errors"
fi
`,
  );
}
