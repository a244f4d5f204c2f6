// Steps: certificates and systemd drop-in for dockerd, then its start. The file names are docker-machine's own, so that
// its `provision` and ours replace each other's files instead of adding to them.
// Traps: systemd expands % and $ in unit files; an option that daemon.json holds too stops dockerd (said in the failure).
import type { HostSpec } from '../../domain/config.ts';
import { here, step } from './shell.ts';

const DROP_IN = '/etc/systemd/system/docker.service.d/10-machine.conf';

/** What a host is dressed with. Certificates are PEM text. */
export type HostDress = { host: HostSpec; driver: string; ca: string; cert: string; key: string };

/** Text for a systemd command line: specifiers and variables are not expanded, words and quotes stay as written. */
function systemdText(text: string): string {
  return text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$');
}

/** One word of a systemd command line or assignment. */
function systemdWord(text: string): string {
  const safe = systemdText(text);
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(safe) ? safe : `"${safe.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** An Environment= line: here $ has no meaning, % has. */
function environmentLine(assignment: string): string {
  const safe = assignment
    .replaceAll(/\p{Cc}+/gu, ' ')
    .replaceAll('%', '%%')
    .replaceAll(/["\\]/g, String.raw`\$&`);
  return `Environment="${safe}"`;
}

/** dockerd's flags after its own socket, and the unit's environment. */
function dropInTail(dress: HostDress): string {
  const { host } = dress;
  const flags = [
    `-H tcp://0.0.0.0:${host.dockerPort}`,
    '--tlsverify --tlscacert=/etc/docker/ca.pem --tlscert=/etc/docker/server.pem --tlskey=/etc/docker/server-key.pem',
    ...(host.engineStorageDriver === null
      ? []
      : [`--storage-driver=${systemdWord(host.engineStorageDriver)}`]),
    `--label=${systemdWord(`provider=${dress.driver}`)}`,
    ...host.engineLabels.map((label) => `--label=${systemdWord(label)}`),
    ...host.engineInsecureRegistries.map((name) => `--insecure-registry=${systemdWord(name)}`),
    ...host.engineRegistryMirrors.map((url) => `--registry-mirror=${systemdWord(url)}`),
    // As docker-machine writes them, so that `log-opt max-size=10m` and quotes mean the same.
    ...host.engineOptions.map((option) => `--${systemdText(option)}`),
  ];
  return [flags.join(' '), ...host.engineEnv.map(environmentLine)].join('\n');
}

/** Certificates under /etc/docker: the key for root only. */
export function writeTls(dress: HostDress): string {
  return step(
    'write-tls',
    `
mkdir -p /etc/docker || fail 'cannot make /etc/docker'
put /etc/docker/ca.pem 0644 ${here(dress.ca)}
put /etc/docker/server.pem 0644 ${here(dress.cert)}
put /etc/docker/server-key.pem 0600 ${here(dress.key)}
`,
  );
}

/**
 * The drop-in; keeps the unit's own way to its socket and to containerd, and the variables by which a distribution adds
 * flags from its files (Amazon Linux: $OPTIONS, which bounds open files), ahead of ours. Needs $dockerd. For root only:
 * proxies may hold passwords.
 */
export function configureDocker(dress: HostDress): string {
  return step(
    'configure-docker',
    `
unit=$(systemctl cat docker.service 2>/dev/null) || fail 'dockerd is here but no docker.service; hostler needs systemd to run it'
case $unit in *fd://*) own='-H fd://' ;; *) own='-H unix:///var/run/docker.sock' ;; esac
case $unit in *--containerd=/run/containerd/containerd.sock*) own="$own --containerd=/run/containerd/containerd.sock" ;; esac
for word in $(printf '%s\\n' "$unit" | sed -e :a -e '/\\\\$/N; s/\\\\\\n/ /; ta' | sed -n 's/^ExecStart=//p' | tail -n 1); do
  case $word in \\$[A-Z]* | \\\${[A-Z]*}) case \${word#\\$} in *[!A-Z0-9_{}]*) ;; *) own="$own $word" ;; esac ;; esac
done
mkdir -p ${DROP_IN.slice(0, DROP_IN.lastIndexOf('/'))} || fail 'cannot make the drop-in folder of docker.service'
{ printf '# made by hostler\\n[Service]\\nExecStart=\\nExecStart=%s %s ' "$dockerd" "$own"; cat ${here(dropInTail(dress))}
} | put ${DROP_IN} 0600 || exit 10
`,
  );
}

/**
 * Starts dockerd with the drop-in; systemd returns when it is ready to serve. On a host that has just booted the first
 * start may meet a containerd or a firewall lock that is not ready, so there is a second. The next boot's start is set up
 * behind.
 */
export function startDocker(): string {
  return step(
    'start-docker',
    `
systemctl daemon-reload || fail 'systemctl daemon-reload failed'
for try in 1 2; do
  systemctl reset-failed docker.service >/dev/null 2>&1
  if systemctl restart docker.service >/dev/null 2>&1; then break; fi
  if [ "$try" = 2 ]; then
    words=$(journalctl -u docker.service -n 40 -o cat --no-pager 2>/dev/null | grep -iE 'fatal|error|failed|unable|invalid|unknown|conflict' | grep -vE 'level=(debug|info|warning)|^(docker[.]service:|Failed to start )' | tail -n 2 | tr '\\n' ' ' | cut -c 1-400)
    fail "dockerd does not start: \${words:-see journalctl -u docker on the host}"
  fi
  sleep 1
done
systemctl enable --no-reload docker.service >/dev/null 2>&1 9>&- &
`,
  );
}
