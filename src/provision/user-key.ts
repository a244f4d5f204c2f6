// Which SSH user key belongs to a pool: the one that `amazonec2-ssh-keypath` names, else the manager's own.
import type { HostSpec, LaunchSpec } from '../domain/config.ts';
import type { Keys } from '../ports/keys.ts';

/** The pair hostler logs in with. Throws `config-invalid` (given key unusable) or `state-unusable` (keys folder). */
export function loginKey(keys: Keys, host: HostSpec): Promise<{ privateKey: string; publicKey: string }> {
  return host.sshKeyPath === null ? keys.userKey() : keys.readUserKey(host.sshKeyPath);
}

/** The public line for user data, or null when EC2 brings the key itself (`amazonec2-keypair-name`). */
export async function authorizedKey(
  keys: Keys,
  spec: { host: HostSpec; launch: Pick<LaunchSpec, 'keypairName'> },
): Promise<string | null> {
  return spec.launch.keypairName === null ? (await loginKey(keys, spec.host)).publicKey : null;
}
