// A burst of 150 against an EC2 that keeps its published rates: not one call is refused for coming too fast, and the
// whole life of 150 machines costs few calls.
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { openGate } from '../../support/ec2-gate.ts';
import { machineName, startWorld } from '../../support/live-world.ts';

const BURST = 150;

/** A create that this test plays by itself: 150 processes would measure the machine. Its socket is its life. */
function openCreate(socketPath: string, store: string): { socket: Socket; granted(): boolean } {
  const order = { name: machineName(), driver: 'amazonec2', options: [], store, pid: 1, runnerPid: 1 };
  const body = JSON.stringify(order);
  const socket = connect(socketPath);
  let seen = '';
  socket.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
  });
  socket.on('error', () => undefined);
  socket.write(
    `POST /v1/leases HTTP/1.0\r\nhost: hostler\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  return { socket, granted: () => seen.includes('"granted"') };
}

test("150 creates at once are served without one call beyond EC2's rates", async () => {
  const gate = await openGate();
  const world = await startWorld({ gate, runner: 'limit = 200', concurrent: 200 });
  const { client, until } = world;
  try {
    const creates = Array.from({ length: BURST }, () =>
      openCreate(world.env['HOSTLER_SOCKET'] ?? '', world.store),
    );
    await until('all to be served', () => creates.every((create) => create.granted()), 200_000);
    expect(new Set((await client.leases()).map((lease) => lease.machine)).size).toBe(BURST);
    expect(world.alive()).toHaveLength(BURST);
    for (const { socket } of creates) socket.destroy();
    await until('all to be given back', async () => (await client.leases()).length === 0);
    await client.drain('test-runner');
    await until('all to end', () => world.alive().length === 0, 30_000);
    await until('all records to go', async () => (await client.machines()).length === 0, 30_000);
    expect(gate.calls().filter(({ code }) => code !== null)).toEqual([]);
    const spent = (action: string) => gate.calls().filter((call) => call.action === action).length;
    expect(spent('RunInstances')).toBeLessThanOrEqual(4);
    expect(gate.calls().length).toBeLessThanOrEqual(20 + 0.1 * BURST);
  } finally {
    await world.close();
  }
}, 300_000);
