// The Hosts port on ssh2: one attempt to connect with pinned host keys, then scripts as root over the same connection.
// Must not: accept a key that is not pinned, or take a lost link for a finished command.
// Traps: Nagle is on unless switched off (a connect then takes 210 ms instead of 44); without a hostVerifier any key is
// accepted; a bad private key throws from connect() itself; ssh2 is CommonJS, so only its default can be imported.
import { connect, type Socket } from 'node:net';
import type { Client } from 'ssh2';
import ssh2 from 'ssh2';
import { HostlerError, messageOf } from '../../domain/error.ts';
import type { DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HostAddress, HostSession, Hosts } from '../../ports/host.ts';
import { runScript } from './run-script.ts';
import { createSlots } from './slots.ts';

/** A booting host's network drops packets at first; a new attempt finds it sooner than TCP's own repeats (1, 3, 7 s). */
const TCP_LIMIT_MS: DurationMs = 2_000;

/** For the server's first words: sshd forks and greets, which takes a loaded small instance some seconds right after boot. */
const GREETING_LIMIT_MS: DurationMs = 8_000;

/** A handshake is some 5 ms of main-thread time on each side; eight together keep stalls below a tenth of a second. */
const MAX_HANDSHAKES = 8;

/** From the server's first words to the end of authentication. */
const HANDSHAKE_LIMIT_MS: DurationMs = 10_000;

/** A silent link is given up after 3 unanswered probes, 15 s. */
const KEEPALIVE = { keepaliveInterval: 5_000, keepaliveCountMax: 3 } as const;

type Failure = { level?: string; message: string };

function openSocket(host: HostAddress, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host.address, port: host.port, noDelay: true });
    const end = (error: Error) => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      reject(error);
    };
    const abort = () => {
      end(new Error('no answer'));
    };
    socket.on('error', end);
    socket.on('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', end);
      resolve(socket);
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}

/** Waits for the server's first bytes and leaves them to be read, so that a silent host holds no handshake slot. */
function greeted(socket: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (why: string | null) => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail).off('close', close).off('data', data);
      if (why === null) resolve();
      else {
        socket.on('error', () => undefined).destroy();
        reject(new Error(why));
      }
    };
    const abort = () => {
      settle('connected, but no SSH server greets there in time');
    };
    const fail = (error: Error) => {
      settle(error.message);
    };
    const close = () => {
      settle('the connection was closed before a greeting');
    };
    const data = (chunk: Buffer) => {
      socket.pause();
      socket.unshift(chunk);
      settle(null);
    };
    socket.on('error', fail).on('close', close).on('data', data);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}

function explain(host: HostAddress, failure: Failure, refusedKey: string | null): HostlerError {
  const place = `${host.address}:${host.port}`;
  if (refusedKey !== null) {
    return new HostlerError(
      'host-key-mismatch',
      `${place} showed a host key that is not pinned for it (${refusedKey}); the connection was ended`,
      { where: place },
    );
  }
  if (failure.level === 'client-authentication') {
    return new HostlerError(
      'host-login-refused',
      `${place} does not let user ${host.user} in with the pool's SSH key; check amazonec2-ssh-user and the key`,
      { where: place },
    );
  }
  return new HostlerError('host-unreachable', `SSH to ${place}: ${messageOf(failure.message)}`, {
    where: place,
  });
}

function sessionOf(client: Client, host: HostAddress): HostSession {
  const command = host.user === 'root' ? 'bash -s' : 'sudo -n bash -s';
  return {
    run: (script, signal) => runScript(client, { command, script, signal }),
    close: () => {
      client.end();
    },
  };
}

function openSession(host: HostAddress, socket: Socket, signal: AbortSignal): Promise<HostSession> {
  return new Promise((resolve, reject) => {
    const pins = host.pins.map((pin) => pin.split(' ')[1] ?? '');
    const client = new ssh2.Client();
    let refusedKey: string | null = null;
    const fail = (failure: Failure) => {
      signal.removeEventListener('abort', abort);
      client.destroy();
      socket.destroy();
      reject(explain(host, failure, refusedKey));
    };
    const abort = () => {
      fail({ message: 'no answer in time while the connection was being set up' });
    };
    client.on('error', fail);
    client.on('close', () => {
      fail({ message: 'the connection was closed while it was being set up' });
    });
    client.on('ready', () => {
      signal.removeEventListener('abort', abort);
      resolve(sessionOf(client, host));
    });
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort);
    try {
      client.connect({
        sock: socket,
        username: host.user,
        privateKey: host.privateKey,
        readyTimeout: 0,
        ...KEEPALIVE,
        algorithms: { serverHostKey: ['ssh-ed25519'] },
        hostVerifier: (key: Buffer) => {
          const shown = key.toString('base64');
          if (pins.includes(shown)) return true;
          refusedKey = `ssh-ed25519 ${shown}`;
          return false;
        },
      });
    } catch (error) {
      fail({ message: messageOf(error) });
    }
  });
}

/** SSH to hosts. Time limits of one attempt come from the clock; the caller's signal ends it sooner. */
export function createHosts(deps: { clock: Clock }): Hosts {
  const slots = createSlots(MAX_HANDSHAKES);

  async function reach(host: HostAddress, signal: AbortSignal): Promise<Socket> {
    try {
      const socket = await openSocket(host, deps.clock.timeout(TCP_LIMIT_MS, signal));
      await greeted(socket, deps.clock.timeout(GREETING_LIMIT_MS, signal));
      return socket;
    } catch (error) {
      throw explain(host, { message: messageOf(error) }, null);
    }
  }

  return {
    async connect(host, signal) {
      const socket = await reach(host, signal);
      const ignore = () => undefined;
      socket.on('error', ignore);
      const release = await slots.take(signal);
      if (release === null) {
        socket.destroy();
        throw explain(host, { message: 'given up before the handshake' }, null);
      }
      try {
        return await openSession(host, socket, deps.clock.timeout(HANDSHAKE_LIMIT_MS, signal));
      } finally {
        release();
      }
    },
  };
}
