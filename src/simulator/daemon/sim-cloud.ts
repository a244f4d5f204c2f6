// The Cloud port of one simulated process: hostler's own adapter, with the world in place of the network. Nothing of EC2 is
// modelled here, so what the adapter does wrong on the wire, or under faults, is done wrong in a simulated day as well.
import { createCloud } from '../../adapters/aws/create-cloud.ts';
import { createFleetAnswers } from '../../adapters/aws/fleet-answers.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Cloud } from '../../ports/cloud.ts';
import type { Log } from '../../ports/log.ts';
import type { Seeded } from '../../sim/seeded.ts';
import type { World } from '../../sim/world.ts';
import type { NetworkLine } from './network-line.ts';
import { createSimAnswers } from './sim-answers.ts';
import { type SdkHooks, simClients } from './sim-sdk.ts';
import { createSimWire, type WireHooks } from './sim-wire.ts';

export type CloudHooks = WireHooks & SdkHooks;

export type CloudParts = CloudHooks & {
  world: World;
  line: NetworkLine;
  clock: Clock;
  random: Seeded;
  log: Log;
};

/** What security groups let in. */
const MANAGER_ADDRESS = '10.0.0.5';

/** EC2 of a world, as one process reaches it. */
export function createSimCloud(parts: CloudParts): Cloud {
  const { world, clock, log } = parts;
  // Never in a worker: its answers would come in real time.
  const answers = createFleetAnswers({ log, clock, workerFromBytes: Number.POSITIVE_INFINITY });
  return createCloud({
    clock,
    log,
    env: {},
    managerAddresses: () => [MANAGER_ADDRESS],
    transport: {
      clients: (site, heard) => {
        const wire = createSimWire({ ...parts, region: world.region(site.region) });
        return Promise.resolve(simClients({ wire, world, hooks: parts, heard }));
      },
      answers: createSimAnswers(answers),
    },
  });
}
