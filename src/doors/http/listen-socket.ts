// Opens the unix socket: mode 0660 from its first moment, a stale file of a killed daemon removed, never one in use.
// Trap: only the holder of the state folder's lock may call this, or two daemons could unlink each other's socket.
import { chmodSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { HostlerError, messageOf } from '../../domain/error.ts';

/** Owner and group may use the socket: the runner's user joins the group (design §4). */
const SOCKET_MODE = 0o660;

/** Whether somebody answers on that socket. */
function isInUse(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Listens on `path`. Throws `already-running` when another process answers there, `port-in-use` when it cannot be opened. */
export async function listenOnSocket(app: FastifyInstance, path: string): Promise<void> {
  if (await isInUse(path)) {
    throw new HostlerError(
      'already-running',
      'another process listens on this socket; set HOSTLER_SOCKET to another path',
      { where: path },
    );
  }
  let before: number | null = null;
  try {
    // The folder first: with the socket's umask nobody could enter it.
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    before = process.umask(0o777 & ~SOCKET_MODE);
    try {
      unlinkSync(path);
    } catch {
      // Nothing was left behind.
    }
    await app.listen({ path });
    chmodSync(path, SOCKET_MODE);
  } catch (error) {
    throw new HostlerError(
      'port-in-use',
      `the socket cannot be opened: ${messageOf(error)}; set [hostler] socket or HOSTLER_SOCKET`,
      { where: path, cause: error },
    );
  } finally {
    if (before !== null) process.umask(before);
  }
}
