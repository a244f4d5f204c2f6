// Open TCP connections of this machine through `ss` of iproute2: what was heard on them, and their end (`ss -K`, which takes
// the capability CAP_NET_ADMIN and a kernel with CONFIG_INET_DIAG_DESTROY).
// Trap: a kernel without that feature makes `ss -K` succeed and close nothing, so only a trial proves that it works.
// Addresses go into a command line: nothing but literal IP addresses may pass.
import { execFile } from 'node:child_process';
import { type AddressInfo, connect, createServer, isIP, type Socket } from 'node:net';
import { messageOf } from '../../domain/error.ts';
import type { Connections, Hail } from '../../ports/connections.ts';

/** Of iproute2. */
const SS = 'ss';

/** Bytes of `ss` output: some 200 a connection, so thousands of connections to one host. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Addresses in one filter: keeps the command line short, and one call serves a zone that fails. */
const ADDRESSES_A_CALL = 50;

type Ran = { ok: true; stdout: string } | { ok: false; why: string };

function run(args: readonly string[], signal: AbortSignal): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { signal, maxBuffer: MAX_OUTPUT_BYTES, encoding: 'utf8' } as const;
    execFile(SS, args, options, (error, stdout, stderr) => {
      const said = stderr.trim().split('\n')[0] ?? '';
      const isDenied = /not permitted|denied/i.test(said);
      if (error !== null && 'code' in error && error.code === 'ENOENT')
        return resolve({ ok: false, why: 'ss (package iproute2) is not installed' });
      if (isDenied)
        return resolve({ ok: false, why: 'ss -K is not permitted: the capability CAP_NET_ADMIN is missing' });
      if (error !== null || said !== '')
        return resolve({ ok: false, why: said === '' ? messageOf(error) : `ss: ${messageOf(said)}` });
      return resolve({ ok: true, stdout });
    });
  });
}

/** `dst A or dst B`, as words of the filter. */
function toAny(addresses: readonly string[]): string[] {
  return addresses.flatMap((address, index) => [
    ...(index === 0 ? [] : ['or']),
    'dst',
    isIP(address) === 6 ? `[${address}]` : address,
  ]);
}

const linesOf = (text: string) => text.split('\n').filter((line) => line.trim() !== '').length;

async function reset(addresses: readonly string[], signal: AbortSignal): ReturnType<Connections['reset']> {
  const known = addresses.filter((address) => isIP(address) !== 0);
  let ended = 0;
  for (let at = 0; at < known.length; at += ADDRESSES_A_CALL) {
    const part = known.slice(at, at + ADDRESSES_A_CALL);
    // -K prints what it closed.
    const ran = await run(['-H', '-t', '-n', '-K', ...toAny(part)], signal);
    if (!ran.ok) return { kind: 'failed', why: ran.why };
    ended += linesOf(ran.stdout);
  }
  return { kind: 'done', ended };
}

/** The youngest receipt among connections that ever received; both stand in the second line that `ss -i` gives each. */
function readHeard(text: string): number | null {
  const ages = text.split('\n').flatMap((line) => {
    const received = Number(/\bbytes_received:(\d{1,15})\b/.exec(line)?.[1] ?? 0);
    const age = /\blastrcv:(\d{1,15})\b/.exec(line)?.[1];
    return received > 0 && age !== undefined ? [Number(age)] : [];
  });
  return ages.length === 0 ? null : Math.min(...ages);
}

function hail(address: string, port: number, signal: AbortSignal): Promise<Hail> {
  return new Promise((resolve) => {
    if (isIP(address) === 0 || signal.aborted) return resolve('deaf');
    let isConnected = false;
    const socket = connect({ host: address, port });
    const end = (hailed: Hail) => {
      signal.removeEventListener('abort', giveUp);
      socket.destroy();
      resolve(hailed);
    };
    const giveUp = () => end(isConnected ? 'mute' : 'deaf');
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.once('data', () => end('speaks'));
    // An end or a reset comes from somebody who is there.
    socket.once('end', () => end('refused'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      code === 'ECONNREFUSED' || code === 'ECONNRESET' ? end('refused') : giveUp(),
    );
    return undefined;
  });
}

/** A connection of our own, on an address that nothing else uses, must end by a reset. */
async function trouble(signal: AbortSignal): Promise<string | null> {
  // Of the loopback net, told apart by the process: two trials at a time must not meet.
  const own = `127.${200 + (process.pid % 50)}.${(process.pid >> 6) % 250}.77`;
  const taken: Socket[] = [];
  const server = createServer((socket) => void taken.push(socket.on('error', () => undefined)));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, own, resolve);
    });
    const { port } = server.address() as AddressInfo;
    const socket = connect({ host: own, port });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    socket.on('error', () => undefined);
    const answer = await reset([own], signal);
    socket.destroy();
    if (answer.kind === 'failed') return answer.why;
    return answer.ended > 0
      ? null
      : 'ss -K closes nothing here: the kernel lacks CONFIG_INET_DIAG_DESTROY, or this is a sandbox';
  } catch (error) {
    return `it cannot be tried: ${messageOf(error)}`;
  } finally {
    for (const one of taken) one.destroy();
    server.close();
  }
}

/** The connections of this machine's network namespace. */
export function createConnections(): Connections {
  return {
    reset,
    hail,
    trouble,
    async heardMs(address, signal) {
      if (isIP(address) === 0) return null;
      const ran = await run(['-H', '-t', '-n', '-i', ...toAny([address])], signal);
      return ran.ok ? readHeard(ran.stdout) : null;
    },
  };
}
