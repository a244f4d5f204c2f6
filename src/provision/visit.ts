// A short visit to a host that is in use: its dead-man timer is renewed and, between leases, its disks are looked at.
// One SSH connection with the pinned key, one script, one attempt; who calls tries again.
// Must not change anything that a job could notice.
import type { PoolSpec } from '../domain/config.ts';
import { HostlerError } from '../domain/error.ts';
import type { Hosts } from '../ports/host.ts';
import type { Keys } from '../ports/keys.ts';
import { betweenLeasesScript, renewScript } from './scripts.ts';
import { factsOf, wordsOf } from './steps/shell.ts';
import { loginKey } from './user-key.ts';

export type VisitOrder = {
  address: string;
  spec: PoolSpec;
  /** The host's own key; without one nothing is tried. */
  pins: readonly string[];
  /** Look at the disks too. */
  disk: boolean;
};

/** `disk`: percent in use of the fullest file system that matters; null when it was not asked for or not said. */
export type VisitResult = { disk: number | null };

/** Visits once. Throws `host-unreachable`, `host-key-mismatch`, `host-login-refused` or `provision-failed` (the script's words). */
export async function visitHost(
  deps: { hosts: Hosts; keys: Keys },
  order: VisitOrder,
  signal: AbortSignal,
): Promise<VisitResult> {
  const { address, spec, pins } = order;
  const where = `${address}:${spec.host.sshPort}`;
  if (pins.length === 0)
    throw new HostlerError('host-unreachable', `no SSH host key is known for ${where}`, { where });
  const { privateKey } = await loginKey(deps.keys, spec.host);
  const { sshPort: port, sshUser: user } = spec.host;
  const session = await deps.hosts.connect({ address, port, user, privateKey, pins }, signal);
  try {
    const result = await session.run(order.disk ? betweenLeasesScript(spec) : renewScript(spec), signal);
    if (result.code === null)
      throw new HostlerError('host-unreachable', `SSH to ${where}: ${wordsOf(result)}`, { where });
    if (result.code !== 0)
      throw new HostlerError('provision-failed', `${where}: ${wordsOf(result)}`, { where });
    const disk = /^\d{1,3}$/.exec(factsOf(result.stdout).get('disk') ?? '')?.[0];
    return { disk: disk === undefined ? null : Number(disk) };
  } finally {
    session.close();
  }
}
