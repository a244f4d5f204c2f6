// The dead-man timer: a host that hostler no longer renews ends itself, so that a manager that died leaves no bill. User
// data brings it at each boot, provisioning and every renewal write it again: limits and script follow the configuration.
// Must not end a host that was renewed in time, whatever its age: there the manager decides, and it waits for jobs.
// Traps: everything lies in /run, so an image baked from a host holds no timer that would end a stranger's instance;
// a shell reads its script while it runs, so the file is replaced, never written over.
import type { PoolSpec } from '../../domain/config.ts';
import { MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import { here, step } from './shell.ts';

/** What bounds a host's life: without renewal and container, and without renewal at all. */
export type HostLife = Pick<PoolSpec, 'deadManMs' | 'maxMachineLifeMs'>;

const FOLDER = '/run/hostler';
const UNITS = '/run/systemd/system';
const TIMER = 'hostler-dead-man.timer';

/** Seconds between two looks: an end comes half a minute late at most, a look costs a few ms. */
const LOOK_EVERY_S = 30;

/** Seconds. A job's own containers may be some minutes apart, so that what ran so lately counts as running. */
const LONGEST_REST_S = (10 * MINUTE_MS) / SECOND_MS;

/**
 * The look itself, POSIX sh. `born` holds the uptime at the boot hook, `renewed` the uptime at the last renewal, dead_man
 * and max_machine_life, all in seconds; uptime never jumps. When Docker does not answer, the shim of a container, which
 * outlives it, speaks for it.
 */
const LOOK = `#!/bin/sh
# hostler: ends this host when nobody renews it any more
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
running() {
  if command -v docker >/dev/null 2>&1 && list=$(timeout 20 docker ps -q 2>/dev/null); then [ -n "$list" ]; return; fi
  if command -v curl >/dev/null 2>&1 && list=$(curl -sf -m 20 --unix-socket /var/run/docker.sock http://docker/containers/json 2>/dev/null); then [ "$list" != '[]' ]; return; fi
  for file in /proc/[0-9]*/comm; do
    read -r name <"$file" || continue
    case $name in containerd-shim*) return 0 ;; esac
  done 2>/dev/null
  return 1
}
end() {
  echo "hostler: this host ends itself: $1"
  shutdown -h now
  exit
}
read -r now more </proc/uptime || exit 1
now=\${now%%.*} born=0 renewed=0 dead=7200 life=86400 used=
read -r one more 2>/dev/null <${FOLDER}/born
case $one in '' | *[!0-9]*) ;; *) born=$one ;; esac
read -r one two three more 2>/dev/null <${FOLDER}/renewed
case $one:$two:$three in :* | *:: | *:*: | *::* | *[!0-9:]*) ;; *) renewed=$one dead=$two life=$three ;; esac
silent=$((now - renewed)) age=$((now - born)) rest=$((dead / 4))
[ "$rest" -le ${LONGEST_REST_S} ] || rest=${LONGEST_REST_S}
[ "$silent" -ge "$((dead - rest))" ] || exit 0
if running; then echo "$now" >${FOLDER}/used; used=$now; else read -r used 2>/dev/null <${FOLDER}/used; fi
[ "$silent" -ge "$dead" ] || exit 0
[ "$age" -lt "$life" ] || end "$age s old, which is max_machine_life or more, and not renewed for $silent s"
case $used in '' | *[!0-9]*) ;; *) [ "$((now - used))" -ge "$rest" ] || exit 0 ;; esac
end "not renewed for $silent s, and no container runs"
`;

const SERVICE = `# made by hostler
[Unit]
Description=Ends this host when hostler no longer renews it
[Service]
Type=oneshot
ExecStart=/bin/sh ${FOLDER}/dead-man
StandardOutput=journal+console
TimeoutStartSec=90
`;

const TIMER_UNIT = `# made by hostler
[Unit]
Description=Looks whether hostler still renews this host
[Timer]
OnActiveSec=${LOOK_EVERY_S}
OnUnitActiveSec=${LOOK_EVERY_S}
AccuracySec=5
`;

const FILES: readonly (readonly [string, string])[] = [
  [`${FOLDER}/dead-man`, LOOK],
  [`${UNITS}/hostler-dead-man.service`, SERVICE],
  [`${UNITS}/${TIMER}`, TIMER_UNIT],
];

/** Older systemd knows a new unit only after a reload, newer ones find it: the reload costs a tenth of a second. */
const START = `systemctl start --no-block ${TIMER} >/dev/null 2>&1 || { systemctl daemon-reload && systemctl start --no-block ${TIMER}; } >/dev/null 2>&1`;

function limits(life: HostLife): string {
  return [life.deadManMs, life.maxMachineLifeMs].map((ms) => Math.ceil(ms / SECOND_MS)).join(' ');
}

/** Sets $up: whole seconds of uptime. Notes it as the host's beginning unless that is known. */
const BORN = `read -r up more </proc/uptime
up=\${up%%.*}
[ -s ${FOLDER}/born ] || echo "$up" >${FOLDER}/born`;

/** For the boot hook: the timer as of this boot, whose dead_man and max_machine_life begin now. */
export function bootDeadMan(life: HostLife): string {
  const files = FILES.map(([path, text]) => `cat >${path} ${here(text)}`);
  const renewed = `[ -s ${FOLDER}/renewed ] || echo "$up ${limits(life)}" >${FOLDER}/renewed`;
  return [`mkdir -p ${FOLDER}`, BORN, renewed, ...files, START].join('\n');
}

/** Step: renews the host and sees that its timer runs. Fails when the timer cannot be started. */
export function renewDeadMan(life: HostLife): string {
  const files = FILES.map(([path, text]) => `put ${path} 0644 ${here(text)}`);
  return step(
    'renew-dead-man',
    `
mkdir -p ${FOLDER} ${UNITS} || fail 'cannot make ${FOLDER}'
${BORN}
${files.join('\n')}
echo "$up ${limits(life)}" | put ${FOLDER}/renewed 0644 || exit 10
${START} || fail 'the dead-man timer does not start'
`,
  );
}
