// What can be wrong with an emulated host, by name, and what its console shows of it. From the first greeting to a Docker
// that dies later: each is a way in which real hosts have hung. `none` makes it well again.

/** Name → the console's line. */
export const hostFaults = {
  none: 'kernel: eth0: NIC Link is Up',
  silent: 'kernel: eth0: NIC Link is Down',
  refuse: 'systemd[1]: network.target: nobody listens',
  reset: 'kernel: TCP: connections are reset',
  'power-off': 'systemd[1]: Reached target poweroff.target - System Power Off.',
  'no-greeting': 'systemd[1]: ssh.service: start operation timed out',
  'wrong-host-key': 'cloud-init[612]: cc_ssh.py: generating host keys',
  'cloud-init-hangs': 'cloud-init[812]: running user script part-001',
  'install-hangs': 'hostler-install: waiting for the package lock',
  'docker-second-start': 'dockerd[913]: failed to start daemon: containerd is not ready',
  'docker-fails': 'dockerd[913]: failed to start daemon: no space left on device',
  'docker-mute': 'kernel: INFO: task dockerd:913 blocked for more than 120 seconds',
  'clock-behind': 'systemd-timesyncd[301]: no server answers; the clock is an hour behind',
  'clock-ahead': 'systemd-timesyncd[301]: no server answers; the clock is an hour ahead',
  'docker-dies': 'systemd[1]: docker.service: main process exited, code=killed, status=9/KILL',
  'ssh-dies': 'systemd[1]: ssh.service: main process exited, code=killed, status=9/KILL',
  'disk-spare': 'kernel: EXT4-fs: 93 % used, build cache',
  'disk-caches': 'kernel: EXT4-fs: 93 % used, images and volumes',
  'disk-full': 'kernel: EXT4-fs: 93 % used',
} as const satisfies Record<string, string>;

export type HostFault = keyof typeof hostFaults;

/** What a host shows while it boots well. */
export const bootLines: readonly string[] = [
  '[    0.000000] Linux version 6.8.0 (emulated)',
  '[    1.204817] EXT4-fs (nvme0n1p1): mounted filesystem',
];
