// The SSH client against real servers on loopback that misbehave in the ways hosts do.
import { createServer, type Server, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { afterEach, describe, expect, test } from 'vitest';
import { createHosts } from '../../../../src/adapters/ssh/hosts.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import type { PlayResult } from '../../../../src/emulator/host/play-script.ts';
import { openSshDoor } from '../../../../src/emulator/host/ssh-door.ts';
import { freePort } from '../../provision/host-fixture.ts';

const clock = createClock();
const hosts = createHosts({ clock });
const hostKey = ssh2.utils.generateKeyPairSync('ed25519');
const userKey = ssh2.utils.generateKeyPairSync('ed25519');
const strangerKey = ssh2.utils.generateKeyPairSync('ed25519');
const never = () => new AbortController().signal;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

async function serve(run: (script: string) => Promise<PlayResult>) {
  const port = await freePort();
  const allowed = userKey.public.split(' ')[1];
  const door = await openSshDoor({
    address: '127.0.0.1',
    port,
    hostKey: hostKey.private,
    mayLogIn: (key) => key.toString('base64') === allowed,
    // The door prints what the script says while it runs; the result alone prints nothing.
    run: async (script, say) => {
      const result = await run(script);
      say(result.stdout);
      return result;
    },
  });
  cleanups.push(() => door.close());
  const host = {
    address: '127.0.0.1',
    port,
    user: 'ubuntu',
    privateKey: userKey.private,
    pins: [hostKey.public.trim()],
  };
  return { door, host };
}

/** A TCP server that does with each connection what it is told. */
async function listen(accept: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('a script', () => {
  test('goes over stdin whole and its exit code and outputs come back', async () => {
    const { host } = await serve((script) =>
      Promise.resolve({ code: 7, stdout: `got ${script.length}`, stderr: 'words' }),
    );
    const session = await hosts.connect(host, never());
    const script = 'x'.repeat(200_000);
    expect(await session.run(script, never())).toEqual({ code: 7, stdout: 'got 200000', stderr: 'words' });
    session.close();
  });

  test('runs as root: through sudo, or plainly when the user is root', async () => {
    const commands: string[] = [];
    const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (client) => {
      client.on('authentication', (context) => context.accept());
      client.on('session', (accept) => {
        accept().on('exec', (acceptExec, _reject, info) => {
          commands.push(info.command);
          const channel = acceptExec();
          channel.exit(0);
          channel.end();
        });
      });
    });
    const port = await listen((socket) => server.injectSocket(socket));
    for (const user of ['ec2-user', 'root']) {
      const pins = [hostKey.public.trim()];
      const target = { address: '127.0.0.1', port, user, privateKey: userKey.private, pins };
      const session = await hosts.connect(target, never());
      await session.run('true', never());
      session.close();
    }
    expect(commands).toEqual(['sudo -n bash -s', 'bash -s']);
  });

  test('keeps the last 64 KiB of each output', async () => {
    const { host } = await serve(() =>
      Promise.resolve({ code: 0, stdout: `${'a'.repeat(300_000)}end`, stderr: 'b'.repeat(100_000) }),
    );
    const session = await hosts.connect(host, never());
    const { stdout, stderr } = await session.run('x', never());
    session.close();
    expect([stdout.length, stderr.length]).toEqual([65_536, 65_536]);
    expect(stdout.endsWith('aend')).toBe(true);
  });

  test('whose link is lost has no exit code', async () => {
    const { door, host } = await serve(async () => {
      await door.close();
      return { code: 0, stdout: '', stderr: '' };
    });
    const session = await hosts.connect(host, never());
    expect((await session.run('x', never())).code).toBeNull();
    expect((await session.run('x', never())).code).toBeNull();
  });

  test('is given up when the signal ends', async () => {
    const { host } = await serve(() => new Promise(() => undefined));
    const session = await hosts.connect(host, never());
    const stop = new AbortController();
    const run = session.run('x', stop.signal);
    stop.abort();
    expect((await run).code).toBeNull();
    expect((await session.run('x', stop.signal)).code).toBeNull();
    session.close();
  });
});

describe('connecting', () => {
  test('ends at a host key that is not pinned, whatever else fits', async () => {
    const { host } = await serve(() => Promise.reject(new Error('must not run')));
    for (const pins of [[], ['ssh-ed25519 AAAA'], [strangerKey.public.trim()]]) {
      await expect(hosts.connect({ ...host, pins }, never())).rejects.toMatchObject({
        code: 'host-key-mismatch',
      });
    }
  });

  test('takes any of several pins', async () => {
    const { host } = await serve(() => Promise.resolve({ code: 0, stdout: '', stderr: '' }));
    (
      await hosts.connect(
        { ...host, pins: [strangerKey.public.trim(), `${hostKey.public.trim()} comment`] },
        never(),
      )
    ).close();
  });

  test('tells a refused login from a silent host', async () => {
    const { host } = await serve(() => Promise.reject(new Error('must not run')));
    await expect(hosts.connect({ ...host, privateKey: strangerKey.private }, never())).rejects.toMatchObject({
      code: 'host-login-refused',
      message: expect.stringContaining('user ubuntu') as string,
    });
  });

  test('names what is wrong with a port that is closed, silent, cut off or not SSH', async () => {
    const { host } = await serve(() => Promise.reject(new Error('must not run')));
    const closed = await freePort();
    const cut = await listen((socket) => socket.destroy());
    const junk = await listen((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const silent = await listen(() => undefined);
    for (const port of [closed, cut, junk, silent]) {
      const attempt = hosts.connect({ ...host, port }, clock.timeout(500));
      await expect(attempt).rejects.toMatchObject({
        code: 'host-unreachable',
        message: expect.stringContaining(`SSH to 127.0.0.1:${port}: `) as string,
      });
    }
  });

  test('with an unusable private key is an error, not a crash', async () => {
    const { host } = await serve(() => Promise.reject(new Error('must not run')));
    await expect(hosts.connect({ ...host, privateKey: 'nonsense' }, never())).rejects.toMatchObject({
      code: 'host-unreachable',
    });
  });
});
