// Loopback addresses for the hosts, in blocks of 127.0.B.1 to 127.0.B.250. A listener on 127.0.B.254 keeps each block,
// so that several emulators on one machine never share an address.
// Trap: blocks are taken asynchronously but addresses synchronously: prepare() first, take() then.
import { createServer, type Server } from 'node:net';
import { HostlerError } from '../domain/error.ts';
import type { AddressBook } from '../sim/start-instances.ts';

/** Blocks 1 to 254: 127.0.0.x belongs to the machine's own services. */
const BLOCKS = 254;
/** Addresses of one block; the rest of it is spare. */
const HOSTS_PER_BLOCK = 250;

export type AddressBlocks = AddressBook & {
  /**
   * Makes `count` addresses free to be taken before anything else runs, or as many as there are. Throws `port-in-use`
   * when not one block could be had.
   */
  prepare(count: number): Promise<void>;
  close(): Promise<void>;
};

/** Listens, or null when someone else does. */
function guard(address: string, port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(null));
    server.listen(port, address, () => resolve(server));
  });
}

/** `firstBlock`: where to begin; any number. `port`: the hosts' Docker port, so that a stranger on it is noticed. */
export function createAddressBlocks(firstBlock: number, port: number): AddressBlocks {
  const guards: Server[] = [];
  const fresh: string[] = [];
  const returned: string[] = [];
  const next = { block: 0 };
  let growing: Promise<void> | null = null;

  const grow = async (): Promise<void> => {
    while (next.block < BLOCKS) {
      const block = 1 + ((firstBlock + next.block) % BLOCKS);
      next.block += 1;
      const server = await guard(`127.0.${block}.254`, port);
      if (server === null) continue;
      guards.push(server);
      for (let host = 1; host <= HOSTS_PER_BLOCK; host += 1) fresh.push(`127.0.${block}.${host}`);
      return;
    }
  };

  return {
    take: () => fresh.shift() ?? returned.shift() ?? null,
    give(address) {
      returned.push(address);
    },
    async prepare(count) {
      // Asked again after every wait: another call may have taken what this one made free.
      while (fresh.length + returned.length < count && next.block < BLOCKS) {
        growing ??= grow().finally(() => {
          growing = null;
        });
        await growing;
      }
      if (guards.length === 0) {
        throw new HostlerError(
          'port-in-use',
          `no loopback addresses left for hosts: something listens on port ${port} of 127.0.1.254 to 127.0.254.254`,
        );
      }
    },
    async close() {
      await Promise.all(guards.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
