// Something that answers at a host's address with another SSH host key than the one that was launched with.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createKeys } from '../../../src/adapters/keys/keys.ts';
import { createClock } from '../../../src/adapters/system/clock.ts';
import { machineName } from '../../support/live-world.ts';
import { type HostsWorld, startHostsWorld } from '../hosts-world.ts';

const socket = inject('dockerSocket');

describe.skipIf(socket === null)('a host with a wrong host key', () => {
  let world: HostsWorld;

  beforeAll(async () => {
    const strange = await createKeys('/nonexistent', { clock: createClock() }).hostKey();
    const indented = strange.privateKey.trim().replaceAll('\n', '\n    ');
    world = await startHostsWorld(socket ?? '', {
      // Only the first host: the one that replaces it is what it should be.
      change: (host) =>
        world.started.size > 0
          ? host
          : {
              ...host,
              userData: host.userData
                .replace(/ed25519_private: \|\n(?: {4}.*\n)+/, `ed25519_private: |\n    ${indented}\n`)
                .replace(/ed25519_public: ssh-ed25519 \S+/, `ed25519_public: ${strange.publicKey}`),
            },
    });
  });
  afterAll(() => world.close());

  test('is never used: it ends, the reason is told, and the create gets another host', async () => {
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    const [wrong] = [...world.started.keys()];
    const events = await world.client.events({ limit: 1_000 });
    const failed = events.find(({ code }) => code === 'provision-failed');
    expect(failed?.text).toContain('showed a host key that is not pinned');
    expect(failed?.detail['instance']).toBe(wrong);
    const [lease] = await world.client.leases();
    const used = (await world.client.machines()).find(({ id }) => id === lease?.machine);
    expect(used?.instance).not.toBe(wrong);
    await world.until('the wrong host to end', () => world.alive().every(({ id }) => id !== wrong));
  });
});
