// SSH server of an emulated host: public keys only, `bash -s` with the script on stdin, a host key that can be changed.
// Traps: Nagle is on by default and costs 300 ms a session; ssh2 fixes host keys when a server is made, so a new one
// takes over the same listening socket; an unsigned probe of a key must be accepted for the client to sign it.
import { createServer } from 'node:net';
import type { AuthContext, Connection, ServerChannel } from 'ssh2';
import ssh2 from 'ssh2';
import { endConnections } from './end-connections.ts';
import { createLink, type Link } from './link.ts';
import type { PlayResult } from './play-script.ts';

/** A provisioning script has some 10 KB. */
const MAX_SCRIPT_BYTES = 1024 * 1024;

/** Seconds that sshd-like patience lasts; a client that connects and says nothing is dropped (LoginGraceTime). */
const LOGIN_GRACE_MS = 120_000;

export type SshDoorOptions = {
  address: string;
  port: number;
  hostKey: string;
  /** Whether this public key (wire format) may log in. */
  mayLogIn: (key: Buffer) => boolean;
  /** What it prints meanwhile goes to `say`, and is part of the result too. */
  run: (script: string, say: (text: string) => void) => Promise<PlayResult>;
  /** Connections are taken, and nobody speaks. */
  isSilent?: () => boolean;
  /** The network in front of it; default: a good one. */
  link?: Link;
};

export interface SshDoor {
  /** New connections see this key; open ones go on. */
  useHostKey(privateKey: string): void;
  close(): Promise<void>;
}

function authenticate(context: AuthContext, mayLogIn: (key: Buffer) => boolean): void {
  if (context.method !== 'publickey' || !mayLogIn(context.key.data)) {
    context.reject(['publickey']);
    return;
  }
  if (context.signature === undefined || context.blob === undefined) {
    context.accept();
    return;
  }
  const length = context.key.data.readUInt32BE(0);
  const type = context.key.data.toString('latin1', 4, 4 + length);
  const key = ssh2.utils.parseKey(`${type} ${context.key.data.toString('base64')}`);
  // verify gives an Error, which is truthy, for a signature that it cannot read.
  const verdict: unknown =
    key instanceof Error ? key : key.verify(context.blob, context.signature, context.hashAlgo);
  const good = verdict === true;
  if (good) context.accept();
  else context.reject(['publickey']);
}

function serveExec(
  channel: ServerChannel,
  command: string,
  { run, link }: Pick<SshDoorOptions, 'run' | 'link'>,
): void {
  const answer = ({ code, stderr }: Pick<PlayResult, 'code' | 'stderr'>) => {
    if (link?.cut === 'silent') return;
    channel.stderr.write(stderr);
    channel.exit(code);
    channel.end();
  };
  if (!/^(sudo -n )?bash -s\s*$/.test(command)) {
    answer({ code: 127, stderr: `bash: line 1: ${command.slice(0, 80)}: command not found\n` });
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  channel.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_SCRIPT_BYTES) chunks.push(chunk);
  });
  channel.on('error', () => undefined);
  channel.on('end', () => {
    if (size > MAX_SCRIPT_BYTES) answer({ code: 1, stderr: 'script too large\n' });
    else void run(Buffer.concat(chunks).toString(), (text) => void channel.write(text)).then(answer);
  });
}

function serveConnection(client: Connection, options: SshDoorOptions): void {
  client.on('error', () => undefined);
  client.on('authentication', (context) => {
    authenticate(context, options.mayLogIn);
  });
  client.on('session', (acceptSession) => {
    acceptSession().on('exec', (acceptExec, _reject, info) => {
      serveExec(acceptExec(), info.command, options);
    });
  });
}

/** Listens on address:port. Rejects when the port is taken. */
export async function openSshDoor(options: SshDoorOptions): Promise<SshDoor> {
  const { link = createLink(), isSilent = () => false } = options;
  const serverWith = (hostKey: string) =>
    new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
      serveConnection(client, options);
    });
  let current = serverWith(options.hostKey);
  const listener = createServer({ noDelay: true }, (socket) => {
    if (!link.admits(socket)) return;
    const grace = setTimeout(() => {
      if (socket.bytesRead === 0) socket.destroy();
    }, LOGIN_GRACE_MS).unref();
    socket.on('close', () => clearTimeout(grace));
    if (isSilent()) socket.resume();
    else current.injectSocket(socket);
  });
  const end = endConnections(listener);
  const leave = await link.join(listener, options.address, options.port);
  return {
    useHostKey: (privateKey) => {
      current = serverWith(privateKey);
    },
    close: () => {
      leave();
      return end();
    },
  };
}
