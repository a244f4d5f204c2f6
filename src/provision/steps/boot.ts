// The two scripts that user data brings: one early in each boot, one at the end of the first. They only save time:
// provisioning over SSH does everything that must be, and fails in words. The dead-man timer alone cannot wait for it:
// it is what ends a host whose manager never comes.
// Trap: the hook runs before the boot is through, so it may only queue systemd jobs (--no-block), never wait for one.
import { bootDeadMan, type HostLife } from './dead-man.ts';

/**
 * Runs early in every boot: sets the dead-man timer, keeps apt's daily jobs from holding locks, and gets Docker started
 * as soon as its units may.
 */
export function bootHook(life: HostLife): string {
  return `#cloud-boothook
#!/bin/sh
# hostler: an end if nobody comes, no package jobs of their own accord, Docker as early as possible
[ -d /run/systemd/system ] || exit 0
${bootDeadMan(life)}
if command -v apt-get >/dev/null 2>&1; then
  systemctl mask --now --no-block apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service unattended-upgrades.service >/dev/null 2>&1
fi
if [ -e /usr/bin/dockerd ] || [ -e /usr/sbin/dockerd ]; then
  systemctl start --no-block docker.service >/dev/null 2>&1
fi
exit 0
`;
}

/** Runs last at the first boot: starts a Docker that the user's own part installed. */
export function startScript(): string {
  return `#!/bin/sh
# hostler: start a Docker that was installed during this boot
[ -d /run/systemd/system ] || exit 0
if command -v dockerd >/dev/null 2>&1; then systemctl start --no-block docker.service >/dev/null 2>&1; fi
exit 0
`;
}
