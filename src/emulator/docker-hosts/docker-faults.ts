// What can go wrong on purpose with a host in a container: scripts that are run inside it as root, whatever its network.
// Must not touch this machine: its disks are shared with the hosts, so that only a host with a disk of its own has it filled.
// Trap: containers share this machine's clock, so a wrong one cannot be had here.
import { type HostFault, hostFaults } from '../host/host-faults.ts';
import { exitCodeOf, madeId } from './docker-answers.ts';
import type { DockerClient } from './docker-client.ts';

/** A chain of its own, so that nothing of dockerd's rules is touched. `join` begins a cut, `heal` ends any. */
const NETWORK = `heal() {
  for hook in INPUT OUTPUT FORWARD; do while iptables -w -D "$hook" -j HOSTLER_FAULT 2>/dev/null; do :; done; done
  iptables -w -F HOSTLER_FAULT 2>/dev/null
  iptables -w -X HOSTLER_FAULT 2>/dev/null
  return 0
}
join() {
  heal
  iptables -w -N HOSTLER_FAULT
  for hook in INPUT OUTPUT FORWARD; do iptables -w -I "$hook" -j HOSTLER_FAULT; done
}
rule() { iptables -w -A HOSTLER_FAULT "$@"; }
`;

/** Units' names differ: Debian has ssh, others sshd. */
const SSH = `ssh=ssh; systemctl cat ssh.service >/dev/null 2>&1 || ssh=sshd
`;

const doors = (ports: readonly number[], rest: string): string =>
  ports.map((port) => `rule -p tcp --dport ${port} ${rest} -j REJECT --reject-with tcp-reset`).join('\n');

/** The script of a fault, or null where this kind of host cannot have it. */
function scriptOf(fault: HostFault, host: { ports: readonly number[]; ownDisk: boolean }): string | null {
  const scripts: Partial<Record<HostFault, string>> = {
    none: `${NETWORK}${SSH}heal
rm -f /var/lib/docker/hostler-full
systemctl unmask --runtime docker.service docker.socket "$ssh.service"
systemctl kill -s CONT --kill-who=main docker.service "$ssh.service"
[ ! -e /etc/systemd/system/docker.service.d/10-machine.conf ] || systemctl start docker.service
systemctl start "$ssh.service"`,
    silent: `${NETWORK}join; rule ! -i lo ! -o lo -j DROP`,
    refuse: `${NETWORK}join\n${doors(host.ports, '--syn')}`,
    reset: `${NETWORK}join\n${doors(host.ports, '! --syn')}`,
    'no-greeting': `${SSH}systemctl kill -s STOP --kill-who=main "$ssh.service"`,
    'ssh-dies': `${SSH}systemctl mask --runtime "$ssh.service" && systemctl kill -s KILL "$ssh.service"`,
    'wrong-host-key': `${SSH}key=/etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ed25519 -N '' -C '' -f "$key.new" && mv -f "$key.new.pub" "$key.pub" && mv -f "$key.new" "$key" && systemctl restart "$ssh.service"`,
    'docker-dies': `systemctl mask --runtime docker.service docker.socket
systemctl stop docker.socket
systemctl kill -s KILL --kill-who=main docker.service`,
    'docker-mute': 'systemctl kill -s STOP --kill-who=main docker.service',
    'power-off': 'systemctl poweroff --no-block >/dev/null 2>&1',
    ...(host.ownDisk
      ? {
          'disk-full': `free=$(df -P -k /var/lib/docker | { read -r line; read -r device size used free line; echo "$free"; })
fallocate -l "$((free * 99 / 100))K" /var/lib/docker/hostler-full`,
        }
      : {}),
  };
  return scripts[fault] ?? null;
}

/** Runs a script in a container as root. Throws `docker-unusable` when it cannot be run; its exit code otherwise. */
export async function runInside(docker: DockerClient, container: string, script: string): Promise<number> {
  const id = madeId(
    await docker.json({
      method: 'POST',
      path: `/containers/${container}/exec`,
      json: { Cmd: ['sh', '-c', script], AttachStdout: true, AttachStderr: true },
    }),
  );
  // Its output ends when it ends.
  await docker.call({ method: 'POST', path: `/exec/${id}/start`, json: { Detach: false, Tty: false } });
  return exitCodeOf(await docker.json({ method: 'GET', path: `/exec/${id}/json` }));
}

/** Lets something go wrong with a host. Throws RangeError for what this kind of host cannot have. */
export async function afflict(
  host: { docker: DockerClient; id: string; ports: readonly number[]; ownDisk: boolean },
  fault: string,
): Promise<void> {
  const script = Object.hasOwn(hostFaults, fault) ? scriptOf(fault as HostFault, host) : null;
  if (script === null) {
    const known = (Object.keys(hostFaults) as HostFault[]).filter((name) => scriptOf(name, host) !== null);
    const disk = fault === 'disk-full' ? ' without a disk of its own (--host-disk)' : '';
    throw new RangeError(
      `a host in a container cannot have ${JSON.stringify(fault.slice(0, 40))}${disk}: try ${known.join(', ')}`,
    );
  }
  const code = await runInside(host.docker, host.id, script);
  if (code !== 0) throw new RangeError(`${fault} could not be had: its script ended with ${code}`);
}
