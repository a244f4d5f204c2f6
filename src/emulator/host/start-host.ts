// One emulated host: an instance after its boot, as the manager and gitlab-runner meet it. SSH with the keys that its
// user data brought; after provisioning, the Docker API over TLS. Many of them live in one process.
// Must not know hostler's own code: it plays what arrives over the wire.
import ssh2 from 'ssh2';
import { type DockerDoor, openDockerDoor } from './docker-door.ts';
import { createDockerState, type DockerState } from './docker-state.ts';
import { bootLines, type HostFault, hostFaults } from './host-faults.ts';
import { createLink, type Link } from './link.ts';
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
  /** Something goes wrong with it now, or (`none`) it is well again. Throws RangeError for a name that stands for nothing. */
  afflict(fault: HostFault): Promise<void>;
  /** Resolves when it powers itself off. */
  ended(): Promise<void>;
  docker: DockerState;
};

/** How far a host's clock is off when it is. */
const OFF_MS = 3_600_000;

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

/** Percent of the disk that each kind of litter takes then. */
const litters: Partial<Record<HostFault, Partial<DockerState['litter']>>> = {
  none: { spare: 0, caches: 0, fixed: 20 },
  'disk-spare': { spare: 73 },
  'disk-caches': { caches: 73 },
  'disk-full': { fixed: 93 },
};

type Tls = { ca: string; cert: string; key: string };

type Live = {
  options: HostOptions;
  state: DockerState;
  link: Link;
  faults: Set<HostFault>;
  shown: string[];
  ssh: SshDoor | null;
  docker: DockerDoor | null;
  /** What dockerd was started with last. */
  tls: Tls | null;
  hostKey: string;
  closed: boolean;
};

function clockAheadMs({ faults }: Live): number {
  if (faults.has('clock-behind')) return -OFF_MS;
  return faults.has('clock-ahead') ? OFF_MS : 0;
}

/** Starts dockerd, if it starts. */
async function startDocker(live: Live, tls: Tls): Promise<void> {
  const { options, state, faults, link } = live;
  live.tls = tls;
  if (faults.delete('docker-second-start') || faults.has('docker-fails'))
    throw new Error('dockerd does not start: failed to start daemon');
  await live.docker?.close();
  live.docker = await openDockerDoor({
    address: options.address,
    port: options.dockerPort,
    tls,
    state,
    link,
    clockAheadMs: () => clockAheadMs(live),
    isMute: () => faults.has('docker-mute'),
  });
  if (live.closed) await live.docker.close();
}

/** The host as the scripts change it. */
function played(live: Live): PlayedHost {
  const { options, state, faults } = live;
  let nextKey: string | null = null;
  return {
    makeHostKey: () => {
      const pair = newKey();
      nextKey = pair.private;
      return pair.public.trim();
    },
    rotateHostKey: () => {
      if (nextKey === null) return;
      live.hostKey = nextKey;
      live.ssh?.useHostKey(nextKey);
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

async function openSsh(live: Live, authorizedKeys: readonly string[]): Promise<void> {
  const { address, sshPort: port, keyName } = live.options;
  const host = played(live);
  live.ssh = await openSshDoor({
    address,
    port,
    hostKey: live.hostKey,
    link: live.link,
    isSilent: () => live.faults.has('no-greeting'),
    mayLogIn: (key) => keyName !== null || authorizedKeys.includes(key.toString('base64')),
    run: (script, say) => playScript(script, host, say),
  });
}

async function close(live: Live): Promise<void> {
  live.closed = true;
  live.state.close();
  await Promise.all([live.ssh?.close(), live.docker?.close()]);
}

function befall(live: Live, fault: HostFault): void {
  if (fault === 'none') live.faults.clear();
  else live.faults.add(fault);
  live.shown.push(hostFaults[fault]);
  Object.assign(live.state.litter, litters[fault]);
}

/** Boots the host: resolves when SSH answers. Rejects when address and port are taken. */
export async function startHost(options: HostOptions): Promise<EmulatedHost> {
  const identity = bootIdentity(options.userData);
  const state = createDockerState(options.instanceId);
  const live: Live = {
    options,
    state,
    link: createLink(),
    faults: new Set(),
    shown: [...bootLines, `cloud-init: final: up, ${options.instanceId} is ready`],
    ssh: null,
    docker: null,
    tls: null,
    hostKey: identity.hostKey ?? newKey().private,
    closed: false,
  };
  if (options.fault !== undefined && options.fault !== null) befall(live, options.fault);
  if (live.faults.has('wrong-host-key')) live.hostKey = newKey().private;
  await openSsh(live, identity.authorizedKeys);
  const off = Promise.withResolvers<void>();

  /** What a fault does to a host that stands. */
  const acts: Partial<Record<HostFault, () => Promise<void> | void>> = {
    silent: () => live.link.set('silent'),
    refuse: () => live.link.set('refuse'),
    reset: () => live.link.set('reset'),
    'docker-dies': () => live.docker?.close(),
    'ssh-dies': () => live.ssh?.close(),
    'wrong-host-key': () => live.ssh?.useHostKey(newKey().private),
    'power-off': async () => {
      await close(live);
      off.resolve();
    },
    none: async () => {
      await Promise.all([live.link.set(null), live.ssh?.close()]);
      await openSsh(live, identity.authorizedKeys);
      if (live.tls !== null) await startDocker(live, live.tls);
    },
  };

  return {
    docker: state,
    console: () => live.shown.map((line) => `${line}\r\n`).join(''),
    async afflict(fault) {
      if (!Object.hasOwn(hostFaults, fault))
        throw new RangeError(
          `a host cannot have ${JSON.stringify(fault)}: try ${Object.keys(hostFaults).join(', ')}`,
        );
      if (live.closed) throw new RangeError('the host is off');
      befall(live, fault);
      await acts[fault]?.();
    },
    ended: () => off.promise,
    close: () => close(live),
  };
}
