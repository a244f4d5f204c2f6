// The Docker network that the hosts share, and their addresses: EC2 names an instance's address before its host is
// there, so addresses are given out here and not by Docker.
// Trap: Docker takes fixed addresses only in networks with a subnet that was asked for; so it chooses one free subnet
// first, and is asked for exactly that one then.
import { randomBytes } from 'node:crypto';
import { HostlerError } from '../../domain/error.ts';
import type { AddressBlocks } from '../address-blocks.ts';
import { madeId, subnetOf } from './docker-answers.ts';
import type { DockerClient } from './docker-client.ts';
import { MARK } from './emulator-mark.ts';

/** Hosts at a time. Each has a systemd and a dockerd, some 150 MB; more than this is no test on one machine. */
const HOSTS_AT_MOST = 120;
/** Another network may be made between the choice of a subnet and its use; three times in a row it is not chance. */
const TRIES = 3;

export type HostNetwork = { name: string; addresses: AddressBlocks };

/** Addresses of hosts in `subnet`: the first is the network's own name, the second its gateway, the last its broadcast. */
export function hostAddresses(subnet: string, atMost: number): string[] {
  const [base = '', bits = ''] = subnet.split('/');
  const first = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const count = Math.max(0, Math.min(atMost, 2 ** (32 - Number(bits)) - 3));
  return Array.from({ length: count }, (_, at) =>
    [24, 16, 8, 0].map((shift) => ((first + 2 + at) >>> shift) & 0xff).join('.'),
  );
}

async function make(
  docker: DockerClient,
  order: { name: string; mark: string; subnet: string | null },
): Promise<string> {
  const json = {
    Name: order.name,
    Driver: 'bridge',
    Labels: { [MARK]: order.mark },
    ...(order.subnet === null ? {} : { IPAM: { Driver: 'default', Config: [{ Subnet: order.subnet }] } }),
  };
  return madeId(await docker.json({ method: 'POST', path: '/networks/create', json }));
}

/** Makes the network. `close` removes it, once; its hosts must be gone by then. */
export async function createHostNetwork(docker: DockerClient, mark: string): Promise<HostNetwork> {
  const name = `hostler-${process.pid}-${randomBytes(3).toString('hex')}`;
  const remove = (id: string) => docker.json({ method: 'DELETE', path: `/networks/${id}` });
  let made: { id: string; subnet: string } | null = null;
  for (let left = TRIES; made === null; left -= 1) {
    const draft = await make(docker, { name, mark, subnet: null });
    const subnet = subnetOf(await docker.json({ method: 'GET', path: `/networks/${draft}` }));
    await remove(draft);
    try {
      made = { id: await make(docker, { name, mark, subnet }), subnet };
    } catch (error) {
      if (left === 1 || !(error instanceof HostlerError)) throw error;
    }
  }
  const { id, subnet } = made;
  const fresh = hostAddresses(subnet, HOSTS_AT_MOST);
  const returned: string[] = [];
  let closed: Promise<unknown> | null = null;
  const addresses: AddressBlocks = {
    // A fresh one first: what was learned about an address is then seldom met again.
    take: () => fresh.shift() ?? returned.shift() ?? null,
    give: (address) => {
      returned.push(address);
    },
    prepare: async () => {},
    close: async () => {
      closed ??= remove(id);
      await closed;
    },
  };
  return { name, addresses };
}
