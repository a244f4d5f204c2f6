// `attach` of an emulated host's Docker, as gitlab-runner uses it: the script goes in, the end of the output is the end of
// the container. On a plain server, since TLS is the door's.
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { attach } from '../../../src/emulator/host/docker-attach.ts';
import { createDockerState, type DockerState } from '../../../src/emulator/host/docker-state.ts';

let state: DockerState;
let close: () => void;
let port: number;
beforeEach(async () => {
  state = createDockerState('host');
  const server = createServer();
  server.on('upgrade', (asked, socket, head) => attach(state, asked, socket, head));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  close = () => {
    server.close();
    state.close();
  };
});
afterEach(() => close());

const order = { image: 'alpine', labels: {}, config: {}, hostConfig: {} };
const shell = () => state.create({ ...order, name: 'build', command: ['sh', '-c', 'exec sh'] })?.id ?? '';

function connect(path: string): Promise<{ status: number | undefined; socket: Duplex | null }> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      method: 'POST',
      path,
      headers: { connection: 'Upgrade', upgrade: 'tcp' },
    });
    sent.on('error', reject);
    sent.on('response', ({ statusCode }) => resolve({ status: statusCode, socket: null }));
    sent.on('upgrade', ({ statusCode }: IncomingMessage, socket) => resolve({ status: statusCode, socket }));
    sent.end();
  });
}

/** Attaches, starts, sends the script and waits for the end of the output. */
async function play(id: string, script: string): Promise<number> {
  const { socket } = await connect(`/v1.47/containers/${id}/attach?stream=1&stdin=1&stdout=1`);
  state.start(id);
  const closed = new Promise((resolve) => socket?.once('end', resolve).resume());
  socket?.end(script);
  await closed;
  return state.wait(id);
}

describe('a container that is attached to', () => {
  test("ends after its script, with the script's own exit code and not the shell's last line", async () => {
    const id = shell();
    expect(await play(id, "set -e\necho $'$ true'\ntrap exit 7 TERM\ntrue\n\nexit 0\n")).toBe(0);
    const [quoted, failing] = [
      String.raw`: | eval $'set -e\necho $\'$ sleep 0\'\nsleep 0.05\nexit 3\n'` + '\nexit 0\n',
      'exit 4\nexit 0\n',
    ];
    expect(await play(id, quoted)).toBe(3);
    expect(await play(id, failing)).toBe(4);
  });

  test('is heard out also when it is started again after its end', async () => {
    const id = shell();
    for (let turn = 0; turn < 3; turn++) expect(await play(id, 'true\n')).toBe(0);
    expect(state.container(id)?.status).toBe('exited');
  });

  test('lets go of who is attached when it is removed', async () => {
    const id = shell();
    const { socket } = await connect(`/containers/${id}/attach`);
    const closed = new Promise((resolve) => socket?.once('end', resolve).resume());
    state.remove(id);
    await closed;
    socket?.destroy();
    expect(state.containers()).toEqual([]);
  });

  test('that does not exist, or another path, is refused', async () => {
    expect((await connect('/containers/nobody/attach')).status).toBe(404);
    expect((await connect('/session')).status).toBe(404);
  });
});

test('a container that prepares a volume ends by itself', async () => {
  const id =
    state.create({ ...order, name: 'prepare', command: ['gitlab-runner-helper', 'cache-init', '/x'] })?.id ??
    '';
  state.start(id);
  expect(await state.wait(id)).toBe(0);
});
