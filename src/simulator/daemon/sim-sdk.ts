// What the adapter's calls meet in the world: the emulator's table of calls behind a simulated wire, with the SDK's requests
// going in and EC2's words coming out.
import {
  type CarriedAnswer,
  type CarriedRequest,
  carriedClients,
} from '../../adapters/aws/carried-clients.ts';
import type { SdkClients } from '../../adapters/aws/sdk-clients.ts';
import { ec2Actions } from '../../emulator/ec2-actions.ts';
import { isNarrowed } from '../../emulator/ec2-requests.ts';
import { parseQuery } from '../../emulator/query-params.ts';
import { answerQuotas, QuotaError } from '../../emulator/quota-actions.ts';
import { answerSsm, SsmError } from '../../emulator/ssm-actions.ts';
import { answerXml, errorXml } from '../../emulator/xml.ts';
import { Ec2Error, refuse } from '../../sim/ec2-error.ts';
import type { World } from '../../sim/world.ts';
import type { SimWire } from './sim-wire.ts';

export type SdkHooks = {
  /** TerminateInstances, or another call that takes their power, is about to work on these. */
  onTerminate(instances: readonly string[]): void;
  /** A call that may bring machines, now or later, has worked. */
  onLaunch(): void;
};

const REQUEST_ID = '00000000-0000-4000-8000-000000000000';

/** Calls whose success may have brought machines, or requests for some. */
const BRINGING: ReadonlySet<string> = new Set([
  'RunInstances',
  'CreateFleet',
  'RequestSpotInstances',
  'StartInstances',
]);
/** Calls that no job survives. */
const ENDING: ReadonlySet<string> = new Set(['TerminateInstances', 'StopInstances', 'RebootInstances']);

async function serveEc2(
  wire: SimWire,
  body: string,
  hooks: SdkHooks,
  signal: AbortSignal,
): Promise<CarriedAnswer> {
  const params = parseQuery(body);
  const action = params.text('Action') ?? '';
  const order = { action, narrowed: isNarrowed(params), dryRun: params.flag('DryRun'), signal };
  const serve = ec2Actions.get(action);
  try {
    const fields = await wire.ask(order, (region) => {
      if (serve === undefined) return refuse('InvalidAction', `The action ${action} is not served.`);
      if (ENDING.has(action)) hooks.onTerminate(params.list('InstanceId'));
      const answer = serve(region, params);
      if (BRINGING.has(action)) hooks.onLaunch();
      return answer;
    });
    return { status: 200, body: answerXml(action, REQUEST_ID, fields) };
  } catch (error) {
    if (!(error instanceof Ec2Error)) throw error;
    return { status: error.status, body: errorXml(error.code, error.message, REQUEST_ID) };
  }
}

/** SSM and Service Quotas. */
async function serveJson(
  { wire, world }: Pick<SdkParts, 'wire' | 'world'>,
  target: string,
  body: string,
  signal: AbortSignal,
): Promise<CarriedAnswer> {
  const [service = '', action = ''] = target.split('.');
  try {
    const answer = await wire.ask({ action, signal }, (region) =>
      service === 'AmazonSSM' ? answerSsm(region, action, body) : answerQuotas(world, action, body),
    );
    return { status: 200, body: JSON.stringify(answer) };
  } catch (error) {
    if (!(error instanceof SsmError || error instanceof QuotaError || error instanceof Ec2Error)) throw error;
    // The region's own failures speak EC2; these services have their own word for throttling.
    const code = error.code === 'RequestLimitExceeded' ? 'ThrottlingException' : error.code;
    const status = error instanceof Ec2Error && error.status >= 500 ? error.status : 400;
    return { status, body: JSON.stringify({ __type: code, message: error.message }) };
  }
}

const wires = new WeakMap<object, SimWire>();

/** The wire of a client that was made here. */
export function wireOf(client: object): SimWire {
  const wire = wires.get(client);
  if (wire === undefined) throw new Error('a client of another making');
  return wire;
}

export type SdkParts = {
  wire: SimWire;
  world: World;
  hooks: SdkHooks;
  /** Told the world's time with each answer, as the Date header of a real one tells it. */
  heard(at: number): void;
};

/** The clients of one process for one region. */
export function simClients({ wire, world, hooks, heard }: SdkParts): SdkClients {
  const clients = carriedClients(async ({ target, body }: CarriedRequest, signal) => {
    if (target !== null) return await serveJson({ wire, world }, target, body, signal);
    const answer = await serveEc2(wire, body, hooks, signal);
    heard(world.now());
    return answer;
  });
  for (const client of [clients.launch, clients.terminate, clients.describe]) wires.set(client, wire);
  return clients;
}
