// One emulated host: an instance after its boot, as the manager and gitlab-runner meet it. SSH with the keys that its
// user data brought; after provisioning, the Docker API over TLS. Many of them live in one process.
// Must not know hostler's own code: it plays what arrives over the wire.
import ssh2 from 'ssh2';
import { type DockerDoor, openDockerDoor } from './docker-door.ts';
import { createDockerState, type DockerState } from './docker-state.ts';
import { bootLines, type HostFault, hostFaults } from './host-faults.ts';
import { type PlayedHost, playScript } from './play-script.ts';
import { openSshDoor, type SshDoor } from './ssh-door.ts';
import { bootIdentity } from './user-data-parts.ts';

export type HostOptions = {
  address: string;
  sshPort: number;
  dockerPort: number;
  /** Decoded text, as cloud-init would see it after unpacking. */
  userData: string;
  instanceId: string;
  /** EC2 key pair of the launch. Its key is not known here, so with one any key may log in, if the client holds it. */
  keyName: string | null;
  /** What is wrong with it from its boot on; default: nothing. */
  fault?: HostFault | null;
  /** Told before each provisioning step; a test holds the host there or lets it hang. */
  reached?: (step: string) => void | Promise<void>;
};

export type EmulatedHost = {
  close(): Promise<void>;
  /** What its console has shown. */
  console(): string;
  /** Something goes wrong with it now. */
  afflict(fault: HostFault): Promise<void>;
  docker: DockerState;
};

/** The clock of a host that is behind. */
const BEHIND_MS = 3_600_000;

/** A step that a fault never lets end. */
const hangsAt: Partial<Record<HostFault, string>> = {
  'cloud-init-hangs': 'wait-user-data',
  'install-hangs': 'install-docker',
};

/** A host key; ssh2 spoils the one in 256 whose public half begins with a zero byte (its wire form has not 51 bytes). */
function newKey(): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (Buffer.from(pair.public.split(' ')[1] ?? '', 'base64').length === 51) return pair;
  }
}

type Live = {
  options: HostOptions;
  state: DockerState;
  faults: Set<HostFault>;
  shown: string[];
  docker: DockerDoor | null;
  closed: boolean;
};

/** Starts dockerd, if it starts. */
async function startDocker(live: Live, tls: { ca: string; cert: string; key: string }): Promise<void> {
  const { options, state, faults } = live;
  if (faults.delete('docker-second-start') || faults.has('docker-fails'))
    throw new Error('dockerd does not start: failed to start daemon');
  await live.docker?.close();
  live.docker = await openDockerDoor({
    address: options.address,
    port: options.dockerPort,
    tls,
    state,
    clockAheadMs: faults.has('clock-behind') ? -BEHIND_MS : 0,
    isMute: faults.has('docker-mute'),
  });
  if (live.closed) await live.docker.close();
}

/** The host as the scripts change it. */
function played(live: Live, ssh: () => SshDoor): PlayedHost {
  const { options, state, faults } = live;
  let nextKey: string | null = null;
  return {
    makeHostKey: () => {
      const pair = newKey();
      nextKey = pair.private;
      return pair.public.trim();
    },
    rotateHostKey: () => {
      if (nextKey !== null) ssh().useHostKey(nextKey);
      nextKey = null;
    },
    startDocker: (tls) => startDocker(live, tls),
    pull: (image) => {
      state.pull(image);
    },
    disk: () => state.litter.spare + state.litter.caches + state.litter.fixed,
    reached: async (step) => {
      await options.reached?.(step);
      const hangs = [...faults].some((fault) => hangsAt[fault] === step);
      if (hangs) await new Promise(() => undefined);
    },
  };
}

/** Boots the host: resolves when SSH answers. Rejects when address and port are taken. */
export async function startHost(options: HostOptions): Promise<EmulatedHost> {
  const identity = bootIdentity(options.userData);
  const state = createDockerState(options.instanceId);
  const shown = [...bootLines, `cloud-init: final: up, ${options.instanceId} is ready`];
  const faults = new Set<HostFault>();
  const live: Live = { options, state, faults, shown, docker: null, closed: false };

  const befall = (fault: HostFault) => {
    faults.add(fault);
    shown.push(hostFaults[fault]);
    if (fault === 'disk-spare') state.litter.spare = 73;
    if (fault === 'disk-caches') state.litter.caches = 73;
    if (fault === 'disk-full') state.litter.fixed = 93;
  };
  if (options.fault !== undefined && options.fault !== null) befall(options.fault);

  const host: PlayedHost = played(live, () => ssh);
  const ssh = await openSshDoor({
    address: options.address,
    port: options.sshPort,
    hostKey: (faults.has('wrong-host-key') ? null : identity.hostKey) ?? newKey().private,
    isSilent: faults.has('no-greeting'),
    mayLogIn: (key) => options.keyName !== null || identity.authorizedKeys.includes(key.toString('base64')),
    run: (script, say) => playScript(script, host, say),
  });

  return {
    docker: state,
    console: () => shown.map((line) => `${line}\r\n`).join(''),
    async afflict(fault) {
      befall(fault);
      if (fault === 'docker-dies') await live.docker?.close();
      if (fault === 'ssh-dies') await ssh.close();
    },
    async close() {
      live.closed = true;
      state.close();
      await Promise.all([ssh.close(), live.docker?.close()]);
    },
  };
}
