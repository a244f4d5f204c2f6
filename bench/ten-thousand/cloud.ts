// A process of its own: the emulated EC2 over HTTP with ten thousand running instances, and their hosts.
// Instances come into the world by copying one that was launched, since EC2's own pace would take over an hour.
// argv: a file with what the filling process made. Prints its endpoint once the hosts listen.
import { readFileSync } from 'node:fs';
import { startEmulator } from '../../src/emulator/start-emulator.ts';
import type { SimInstance } from '../../src/sim/instance.ts';
import { addressOf, instanceOf, launchOf, MACHINES, poolNameOf } from './crowd.ts';
import { type HostKeys, type HostPorts, openHosts } from './hosts.ts';

/** The host of the launched one only: the others are served by openHosts. */
const noHost = { close: () => Promise.resolve() };
/** Addresses of instances that are launched besides. */
const SPARE = '127.91.0.';
/** Between looks for the model. */
const LOOK_MS = 50;

const [, , file = ''] = process.argv;
const { keys, ports } = JSON.parse(readFileSync(file, 'utf8')) as { keys: HostKeys; ports: HostPorts };
let taken = 0;
const emulator = await startEmulator({
  sshPort: ports.ssh,
  bootMs: 1_000,
  startHost: () => Promise.resolve(noHost),
  addresses: {
    take: () => `${SPARE}${++taken}`,
    give: () => undefined,
    prepare: () => Promise.resolve(),
    close: () => Promise.resolve(),
  },
});
await openHosts(keys, ports);
console.log(JSON.stringify({ endpoint: emulator.endpoint }));

function copy(model: SimInstance, index: number): SimInstance {
  const tags = new Map(model.tags)
    .set('hostler:pool', poolNameOf(index))
    .set('hostler:launch', launchOf(index));
  const id = instanceOf(index);
  return { ...model, id, tags, order: index + 1, address: addressOf(index), reservation: `r-${id.slice(2)}` };
}

// The first that somebody launches is the model of all.
const waiting = setInterval(() => {
  const [model] = emulator.world.instances();
  const found = model === undefined ? null : emulator.world.find(model.id);
  if (model === undefined || found === null) return;
  clearInterval(waiting);
  const before = { ...model, tags: new Map(model.tags) };
  for (let index = 0; index < MACHINES; index += 1) found.region.instances.begin(copy(before, index));
  found.region.instances.end(model);
}, LOOK_MS);
