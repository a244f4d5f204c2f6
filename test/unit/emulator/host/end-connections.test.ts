// An emulated host must go away at once, whatever its clients are in the middle of.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { endConnections } from '../../../../src/emulator/host/end-connections.ts';

test('a server ends with connections that say nothing and with those that come in its last moment', async () => {
  const server = createServer();
  const end = endConnections(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const silent = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(server, 'connection');
  const late = connect(port, '127.0.0.1').on('error', () => undefined);
  const closed = [silent, late].map((socket) => new Promise((resolve) => socket.on('close', resolve)));
  await Promise.all([end(), ...closed]);
  expect(server.listening).toBe(false);
});
