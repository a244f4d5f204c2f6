// One emulated host: an instance after its boot, as the manager and gitlab-runner meet it. SSH with the keys that its
// user data brought; after provisioning, the Docker API over TLS. Many of them live in one process.
// Must not know hostler's own code: it plays what arrives over the wire.
import ssh2 from 'ssh2';
import { type DockerDoor, openDockerDoor } from './docker-door.ts';
import { createDockerState } from './docker-state.ts';
import { playScript } from './play-script.ts';
import { openSshDoor } from './ssh-door.ts';
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
  /** Told before each provisioning step; a test holds the host there or lets it hang. */
  reached?: (step: string) => void | Promise<void>;
};

/** A host key; ssh2 spoils the one in 256 whose public half begins with a zero byte (its wire form has not 51 bytes). */
function newKey(): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (Buffer.from(pair.public.split(' ')[1] ?? '', 'base64').length === 51) return pair;
  }
}

/** Boots the host: resolves when SSH answers. Rejects when address and port are taken. */
export async function startHost(options: HostOptions): Promise<{ close(): Promise<void> }> {
  const identity = bootIdentity(options.userData);
  const state = createDockerState(options.instanceId);
  let nextKey: string | null = null;
  let docker: DockerDoor | null = null;
  let closed = false;

  const ssh = await openSshDoor({
    address: options.address,
    port: options.sshPort,
    hostKey: identity.hostKey ?? newKey().private,
    mayLogIn: (key) => options.keyName !== null || identity.authorizedKeys.includes(key.toString('base64')),
    run: (script) =>
      playScript(script, {
        makeHostKey: () => {
          const pair = newKey();
          nextKey = pair.private;
          return pair.public.trim();
        },
        rotateHostKey: () => {
          if (nextKey !== null) ssh.useHostKey(nextKey);
          nextKey = null;
        },
        startDocker: async (tls) => {
          await docker?.close();
          docker = await openDockerDoor({ address: options.address, port: options.dockerPort, tls, state });
          if (closed) await docker.close();
        },
        pull: (image) => {
          state.pull(image);
        },
        ...(options.reached === undefined ? {} : { reached: options.reached }),
      }),
  });

  return {
    close: async () => {
      closed = true;
      state.close();
      await Promise.all([ssh.close(), docker?.close()]);
    },
  };
}
