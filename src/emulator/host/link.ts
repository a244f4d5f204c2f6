// The network in front of an emulated host's two doors, which can be cut: silent, refusing, resetting.
// Trap: nothing here can drop a packet, so that a silent host takes connections and says nothing; who serves a standing
// connection must look at `cut` before it answers.
import type { Server, Socket } from 'node:net';

export type Cut = 'silent' | 'refuse' | 'reset';

export type Link = {
  readonly cut: Cut | null;
  /** Listens there, or as soon as the link lets it; the returned function ends that. Rejects when the port is taken. */
  join(listener: Server, address: string, port: number): Promise<() => void>;
  /** What a listener does with a new connection: true when it may be served. */
  admits(socket: Socket): boolean;
  /** Cuts or (null) heals it. */
  set(cut: Cut | null): Promise<void>;
};

type Door = { listener: Server; address: string; port: number };

function listen({ listener, address, port }: Door): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, address, () => {
      listener.off('error', reject);
      resolve();
    });
  });
}

/** A link that is well. */
export function createLink(): Link {
  const doors = new Set<Door>();
  const sockets = new Set<Socket>();
  let cut: Cut | null = null;
  return {
    get cut() {
      return cut;
    },
    async join(listener, address, port) {
      const door = { listener, address, port };
      if (cut !== 'refuse') await listen(door);
      doors.add(door);
      return () => void doors.delete(door);
    },
    admits(socket) {
      socket.on('error', () => undefined);
      if (cut === 'silent') socket.once('end', () => socket.destroy()).resume();
      else if (cut === 'reset') socket.resetAndDestroy();
      else {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      }
      return cut !== 'silent' && cut !== 'reset';
    },
    async set(next) {
      const before = cut;
      cut = next;
      if (next === 'reset') for (const socket of sockets) socket.resetAndDestroy();
      if (next === before) return;
      if (next === 'refuse') for (const { listener } of doors) listener.close();
      if (before === 'refuse') await Promise.all([...doors].map(listen));
    },
  };
}
