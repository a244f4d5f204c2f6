// Reads `listen_address` and opens the TCP door on it, with words for what usually goes wrong there.
// Trap: `:9252` means all addresses of both families, as in the runner's own listen_address.
import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { HostlerError, messageOf } from '../../domain/error.ts';

const USUAL_KEY = 'listen_address';

export type ListenAddress = { host: string; port: number };

/** `:9252`, `127.0.0.1:9252`, `[::1]:9252`, `localhost:9252`. Throws `config-invalid`. */
export function parseListenAddress(text: string, key = USUAL_KEY): ListenAddress {
  const match = /^(?:\[([^\]]*)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3] ?? Number.NaN);
  const inBrackets = match?.[1];
  const isHost = inBrackets === undefined || isIP(inBrackets) === 6;
  if (match === null || !isHost || !(port <= 65_535)) {
    throw new HostlerError(
      'config-invalid',
      `${key} ${JSON.stringify(text)} is no address and port; write it as ":9252", "127.0.0.1:9252" or "[::1]:9252"`,
    );
  }
  return { host: inBrackets ?? (match[2] === '' ? '::' : (match[2] ?? '::')), port };
}

function refusal(
  error: unknown,
  { text, port, key }: { text: string; port: number; key: string },
): HostlerError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const cure = key === USUAL_KEY ? 'set [hostler] listen_address or HOSTLER_LISTEN_ADDRESS' : `set ${key}`;
  const words: Record<string, string> = {
    EADDRINUSE: `${key} ${text} is taken by another process; ${cure} to a free port, e.g. ":${port < 65_535 ? port + 1 : 9_253}"`,
    EACCES: `${key} ${text}: this user may not open port ${port}; ${cure} to a port above 1023`,
    EADDRNOTAVAIL: `${key} ${text} is no address of this machine; ${cure} to one of its own, or to ":${port}" for all`,
    ENOTFOUND: `${key} ${text} names an unknown host; ${cure} to an address, or to ":${port}" for all`,
  };
  const message = words[code] ?? `${key} ${text} cannot be opened: ${messageOf(error)}`;
  return new HostlerError('port-in-use', message, { cause: error });
}

/** Opens the door and returns the URL it answers on. Throws `config-invalid` or `port-in-use`. */
export async function listenOn(app: FastifyInstance, text: string, key = USUAL_KEY): Promise<string> {
  const { host, port } = parseListenAddress(text, key);
  try {
    return await app.listen({ host, port });
  } catch (error) {
    // A kernel without IPv6 has no `::`; all IPv4 addresses are then what was meant.
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const isWithoutIpv6 = host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL');
    if (!isWithoutIpv6) throw refusal(error, { text, port, key });
  }
  try {
    return await app.listen({ host: '0.0.0.0', port });
  } catch (error) {
    throw refusal(error, { text, port, key });
  }
}
