// The Keys port without cryptography: one real certificate serves as everybody's, with a mark behind it that says whose it is.
// Must never be used for anything that is real. Trap: the text must stay readable as X.509, hostler looks at its end.
import { makeAuthority } from '../../adapters/keys/certificates.ts';
import type { EpochMs } from '../../domain/units.ts';
import type { Keys } from '../../ports/keys.ts';
import type { Seeded } from '../../sim/seeded.ts';
import { keyLine } from '../hosts/sim-host.ts';

/** The certificate that stands for all; made once a process, which takes some ms. */
let shared: Promise<string> | null = null;

async function certificate(now: EpochMs): Promise<string> {
  shared ??= makeAuthority(now);
  return (
    /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n/.exec(`${await shared}\n`)?.[0] ?? ''
  );
}

/** Makes the certificate ready, so that no run waits for real cryptography in virtual time. */
export async function prepareSimKeys(now: EpochMs): Promise<string> {
  return certificate(now);
}

/** The keys folder of one manager: it outlives processes and databases. `pem` comes from `prepareSimKeys`. */
export function createSimKeys(random: Seeded, pem: string): Keys & { manager: string; ca: string } {
  const manager = `manager-${random.hex(8)}`;
  const ca = `${pem}# authority of ${manager}\n`;
  const leaf = (name: string) =>
    Promise.resolve({ cert: `${pem}# ${name} of ${manager}\n`, key: `key of ${name}\n` });
  const user = { privateKey: `user key of ${manager}`, publicKey: keyLine(random) };
  return {
    manager,
    ca,
    identity: () => Promise.resolve(manager),
    authority: () => Promise.resolve(ca),
    issueServer: ({ name }) => leaf(`server ${name}`),
    issueClient: ({ name }) => leaf(`client ${name}`),
    userKey: () => Promise.resolve(user),
    readUserKey: () => Promise.resolve(user),
    hostKey() {
      const publicKey = keyLine(random);
      return Promise.resolve({ privateKey: `bootstrap ${publicKey}`, publicKey });
    },
    token: () => random.hex(32),
  };
}
