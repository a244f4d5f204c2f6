// Thousands of hosts on loopback addresses of their own: as much of a host as a daemon meets that watches and renews it.
// One SSH door serves all; Docker has a listener an address, and a certificate for each group of addresses.
// Trap: a TLS client sends no name for an address, so the certificate is chosen by the address that was called.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createListener } from 'node:net';
import { type PlayedHost, playScript } from '../../src/emulator/host/play-script.ts';
import { openSshDoor } from '../../src/emulator/host/ssh-door.ts';
import { addressOf, groupOf, indexOf, jobOf, labelsOf, MACHINES, useOf } from './crowd.ts';

/** What the filling process made for the hosts. */
export type HostKeys = {
  authority: string;
  /** Private SSH host key of them all. */
  hostKey: string;
  /** By group of addresses. */
  certificates: readonly { cert: string; key: string }[];
};

/** Ports: docker-machine's own for Docker, any for SSH. */
export type HostPorts = { ssh: number; docker: number };

/** dockerd keeps idle connections open. */
const KEEP_ALIVE_MS = 600_000;

/** What renewals ask for; nothing is provisioned here. */
const played: PlayedHost = {
  makeHostKey: () => '',
  rotateHostKey: () => undefined,
  startDocker: () => Promise.resolve(),
  pull: () => undefined,
  disk: () => 20,
};

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.url?.includes('/containers/json') !== true) {
    response.end('OK');
    return;
  }
  const index = indexOf(request.socket.localAddress ?? '');
  const job = jobOf(index);
  const running = { Id: job.padStart(64, '0'), State: 'running', Labels: labelsOf(job) };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(useOf(index) === 'busy' ? [running] : []));
}

function listen(address: string, port: number, serve: Parameters<typeof createListener>[1]): Promise<void> {
  return new Promise((resolve, reject) => {
    createListener(serve).once('error', reject).listen(port, address, resolve);
  });
}

/** Opens the doors of all hosts; they end with the process. */
export async function openHosts(keys: HostKeys, ports: HostPorts): Promise<void> {
  const client = { ca: keys.authority, requestCert: true, rejectUnauthorized: true };
  const servers = keys.certificates.map((own) =>
    createServer({ ...own, ...client, keepAliveTimeout: KEEP_ALIVE_MS }, answer),
  );
  for (let index = 0; index < MACHINES; index += 1) {
    const server = servers[groupOf(index)];
    await listen(addressOf(index), ports.docker, (socket) => server?.emit('connection', socket));
  }
  await openSshDoor({
    address: '0.0.0.0',
    port: ports.ssh,
    hostKey: keys.hostKey,
    mayLogIn: () => true,
    run: (script, say) => playScript(script, played, say),
  });
}
