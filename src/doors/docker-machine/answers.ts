// The verbs that only answer: url, ip, status, config, inspect, stop, start and the refusals, in the forms that
// bin/docker-machine does not take itself (several names, the name `default`, machines of another docker-machine).
// Trap: the runner takes a failing `url` or `inspect -f` for a failing job: they depend on the folder alone.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { CALLS, MACHINES, MAILBOX } from '../../contract/store-layout.ts';
import { dockerGet } from './docker-get.cjs';
import { type DoorIo, deadBecause, namedMachines, Refusal, soleMachine, type VerbAction } from './door-io.ts';
import { compileTemplate } from './go-template.ts';
import type { StoredMachine } from './store-folder.ts';

/** ms a look at the host; two of them stay within the 2 s that `config` may take (design §4). */
const LOOK_MS = 950;

/** Tells the daemon of a call, as the shell part does. Its loss only delays what the daemon sees by itself. */
export function noteCall(io: DoorIo, verb: 'url' | 'config' | 'release', name: string): void {
  try {
    appendFileSync(join(io.store, MACHINES, MAILBOX, CALLS), `${verb} ${name}\n`);
  } catch {
    // No mailbox: no daemon has ever used this store.
  }
}

/** A machine's URL, or a Refusal: a folder of another docker-machine may name none. */
export function urlOf(machine: StoredMachine): string {
  if (machine.url === null)
    throw new Refusal(`machine ${JSON.stringify(machine.name)} has no address in its config.json`);
  return machine.url;
}

export const url: VerbAction = (call) => {
  const machine = soleMachine(call);
  call.io.out(`${urlOf(machine)}\n`);
  if (machine.ours) noteCall(call.io, 'url', machine.name);
  return 0;
};

export const ip: VerbAction = (call) => {
  for (const machine of namedMachines(call)) call.io.out(`${machine.address ?? ''}\n`);
  return 0;
};

/** docker-machine's word for the state, as far as it can be known without a look at the host. */
export function stateOf(machine: StoredMachine): 'Running' | 'Error' | 'None' {
  if (deadBecause(machine) !== null) return 'Error';
  return machine.url === null ? 'None' : 'Running';
}

export const status: VerbAction = (call) => {
  call.io.out(`${stateOf(soleMachine(call))}\n`);
  return 0;
};

/** Throws a Refusal when the host is dead or does not answer twice. Trusts the daemon's note while it is fresh. */
export async function assertReachable(io: DoorIo, machine: StoredMachine): Promise<void> {
  const dead = deadBecause(machine);
  const name = JSON.stringify(machine.name);
  if (dead !== null)
    throw new Refusal(`Error checking TLS connection: machine ${name} is known to be dead: ${dead}`);
  if (machine.health?.kind === 'ok' && io.now() < machine.health.until) return;
  const call = { url: urlOf(machine), folder: machine.folder, path: '/_ping', limitMs: LOOK_MS };
  const first = await dockerGet(call);
  const last = first.why === null ? first : await dockerGet(call);
  if (last.why !== null)
    throw new Refusal(
      `Error checking TLS connection: machine ${name} does not answer at ${call.url}: ${last.why}`,
    );
}

export const config: VerbAction = async (call) => {
  const machine = soleMachine(call);
  if (machine.ours) noteCall(call.io, 'config', machine.name);
  await assertReachable(call.io, machine);
  const file = (name: string) => JSON.stringify(join(machine.folder, name));
  call.io.out(
    `--tlsverify\n--tlscacert=${file('ca.pem')}\n--tlscert=${file('cert.pem')}\n--tlskey=${file('key.pem')}\n-H=${urlOf(machine)}\n`,
  );
  return 0;
};

export const inspect: VerbAction = (call) => {
  const format = call.given.texts.get('format') ?? '';
  const template = format === '' ? null : compileTemplate(format);
  const machine = soleMachine(call);
  call.io.out(template ? `${template(machine.config)}\n` : `${JSON.stringify(machine.config, null, 4)}\n`);
  return 0;
};

/** The runner stops before it removes; the instance lives on for the pool, so there is nothing to do. */
export const stop: VerbAction = (call) => {
  for (const machine of namedMachines(call))
    if (call.io.caller === 'person')
      call.io.err(`machine ${JSON.stringify(machine.name)} is left running: docker-machine rm ends it\n`);
  return 0;
};

export const start: VerbAction = (call) => {
  const machines = namedMachines(call);
  throw new Refusal(
    machines.map((machine) => `Machine ${JSON.stringify(machine.name)} is already running.`).join('\n'),
  );
};

/** Verbs that would change a host under its runner. A folder in the store means that a runner holds the machine. */
export function refusal(verb: string): VerbAction {
  return (call) => {
    const names = namedMachines(call).map((machine) => JSON.stringify(machine.name));
    throw new Refusal(
      `Error: hostler does not ${verb} ${names.join(', ')}: a machine with a lease may have a job on it. ` +
        'End it with docker-machine rm; the pool brings a fresh one.',
    );
  };
}

export const mount: VerbAction = () => {
  throw new Refusal('Error: hostler does not mount folders of its machines: copy with docker-machine scp');
};
