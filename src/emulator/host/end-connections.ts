// Ends a listening server with every connection that it has or still accepts: those in the middle of a handshake too,
// which an HTTPS server does not count among its own. Trap: without it one half-open connection holds a test's end.
import type { Server, Socket } from 'node:net';

/** Watches the server's connections from now on; the returned function ends all of them and the server. */
export function endConnections(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>();
  let isOver = false;
  server.on('connection', (socket) => {
    if (isOver) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return () =>
    new Promise((resolve) => {
      isOver = true;
      server.close(() => {
        resolve();
      });
      for (const socket of sockets) socket.destroy();
    });
}
