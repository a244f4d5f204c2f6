// Steps: replace the bootstrap SSH host key, which anyone who can read the user data knows, by one made on the host.
// In two scripts, so that the manager stores the new key before the host shows it: a crash in between locks nobody out.
// Trap: sshd reads its keys at start only; a restart keeps sessions (KillMode=process in every distribution's unit).
import { step } from './shell.ts';

/** Makes the next key and prints its public line as `host-key=…`. Running it again makes another. */
export function makeHostKey(): string {
  return step(
    'make-host-key',
    `
command -v ssh-keygen >/dev/null 2>&1 || fail 'no ssh-keygen on this host'
rm -f /etc/ssh/hostler_next /etc/ssh/hostler_next.pub
ssh-keygen -q -t ed25519 -N '' -C '' -f /etc/ssh/hostler_next || fail 'cannot make an SSH host key'
printf 'hostler: host-key=%s\\n' "$(cut -d ' ' -f 1,2 /etc/ssh/hostler_next.pub)"
`,
  );
}

/** Puts the next key into place and restarts sshd without waiting for it; the manager looks by itself. */
export function rotateHostKey(): string {
  return step(
    'rotate-host-key',
    `
if [ -e /etc/ssh/hostler_next ]; then
  sshd -t -o HostKey=/etc/ssh/hostler_next || fail 'sshd refuses the new host key'
  mv -f /etc/ssh/hostler_next.pub /etc/ssh/ssh_host_ed25519_key.pub && mv -f /etc/ssh/hostler_next /etc/ssh/ssh_host_ed25519_key || fail 'cannot put the new host key into place'
  if command -v restorecon >/dev/null 2>&1; then restorecon /etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key.pub; fi
  for unit in ssh.service sshd.service; do
    if systemctl is-active --quiet "$unit"; then systemctl restart --no-block "$unit"; break; fi
  done
fi
`,
  );
}
