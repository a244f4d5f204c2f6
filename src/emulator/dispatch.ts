// One call from its HTTP request to its answer: who calls, which service, limits and failures, the action, the words of
// success or error. Knows no sockets.
import { randomUUID } from 'node:crypto';
import { Ec2Error, refuse } from '../sim/ec2-error.ts';
import { EMPTY_ANSWER, LOST_ANSWER } from '../sim/faults.ts';
import { SUBNET_ADDRESSES } from '../sim/networks.ts';
import type { World } from '../sim/world.ts';
import { type Caller, callerOf, unsigned } from './caller.ts';
import { ec2Actions } from './ec2-actions.ts';
import { isNarrowed } from './ec2-requests.ts';
import type { EventQueues } from './event-queues.ts';
import { parseQuery, type QueryParams } from './query-params.ts';
import { answerQuotas, QuotaError } from './quota-actions.ts';
import { answerSqs, SqsError } from './sqs-actions.ts';
import { answerSsm, SsmError } from './ssm-actions.ts';
import { answerXml, errorXml } from './xml.ts';

export type HttpCall = {
  authorization: string | undefined;
  target: string | undefined;
  /** What stands behind the `?` of the address: a call may be signed there. */
  search: string;
  body: string;
};

export type HttpAnswer =
  | { kind: 'answer'; status: number; type: string; requestId: string; body: string }
  /** The call is done; the connection breaks without an answer. */
  | { kind: 'lost' };

export type DispatchParts = {
  world: World;
  /** The only access key that is let in; null = any. */
  accessKey: string | null;
  /** Makes sure that so many addresses are free for new instances. */
  prepareAddresses: (count: number) => Promise<void>;
  queues: EventQueues;
  /** A bug of the emulator itself, one line. */
  onTrouble: (line: string) => void;
};

export type Dispatch = {
  answer(call: HttpCall): Promise<HttpAnswer>;
  /** Calls so far by action, refused ones included. */
  ec2Calls: () => Readonly<Record<string, number>>;
  ssmCalls: () => Readonly<Record<string, number>>;
  sqsCalls: () => Readonly<Record<string, number>>;
  quotaCalls: () => Readonly<Record<string, number>>;
};

type ServiceCall = { caller: Caller; body: string; requestId: string };

const XML = 'text/xml;charset=UTF-8';
const JSON_TYPE = 'application/x-amz-json-1.1';
const SQS_TYPE = 'application/x-amz-json-1.0';

const stranger = (parts: DispatchParts, caller: Caller): boolean =>
  parts.accessKey !== null && caller.accessKey !== parts.accessKey;

/** The action by name; counting comes first, since a refused call is a call. */
function ec2Action(action: string, count: (action: string) => void) {
  const serve = ec2Actions.get(action);
  if (serve === undefined) {
    refuse('InvalidAction', `The action ${action.slice(0, 60)} is not valid for this web service.`);
  }
  count(action);
  return serve;
}

/** How many machines a call may bring, or null when it brings none. */
function machinesOf(action: string, params: QueryParams): number | null {
  if (action === 'RunInstances') return params.number('MaxCount') ?? 1;
  if (action === 'CreateFleet') {
    return params.struct('TargetCapacitySpecification')?.number('TotalTargetCapacity') ?? 1;
  }
  return action === 'RequestSpotInstances' ? (params.number('InstanceCount') ?? 1) : null;
}

async function answerEc2(
  parts: DispatchParts,
  { caller, body, requestId }: ServiceCall,
  count: (action: string) => void,
): Promise<HttpAnswer> {
  const { world } = parts;
  let action = '';
  const say = (status: number, text: string): HttpAnswer => ({
    kind: 'answer',
    status,
    type: XML,
    requestId,
    body: text,
  });
  try {
    const params = parseQuery(body);
    action = params.text('Action') ?? '';
    const serve = ec2Action(action, count);
    if (stranger(parts, caller)) {
      refuse('AuthFailure', 'AWS was not able to validate the provided access credentials');
    }
    const region = world.region(caller.region);
    region.admit({ action, narrowed: isNarrowed(params), dryRun: params.flag('DryRun') });
    const wanted = machinesOf(action, params);
    // Open spot requests become machines outside of any call, when nobody can wait for addresses.
    if (wanted !== null) {
      await parts.prepareAddresses(Math.min(SUBNET_ADDRESSES, wanted) + region.spotRequests.open().length);
    }
    const answered = answerXml(action, requestId, serve(region, params));
    const failure = world.faults.answer(action);
    if (failure === LOST_ANSWER) return { kind: 'lost' };
    return say(200, failure === EMPTY_ANSWER ? '' : answered);
  } catch (error) {
    if (error instanceof Ec2Error) return say(error.status, errorXml(error.code, error.message, requestId));
    parts.onTrouble(`${action} failed inside the emulator: ${String(error)}`);
    return say(500, errorXml('InternalError', 'An internal error has occurred', requestId));
  }
}

function ssmError(error: unknown, onTrouble: (line: string) => void): { status: number; body: unknown } {
  if (error instanceof SsmError) {
    return { status: 400, body: { __type: error.code, message: error.message } };
  }
  if (error instanceof Ec2Error) {
    // The region's limits and failures speak EC2; SSM has its own word for throttling.
    const code = error.code === 'RequestLimitExceeded' ? 'ThrottlingException' : error.code;
    return {
      status: error.status >= 500 ? error.status : 400,
      body: { __type: code, message: error.message },
    };
  }
  onTrouble(`SSM failed inside the emulator: ${String(error)}`);
  return { status: 500, body: { __type: 'InternalServerError', message: 'An internal error has occurred' } };
}

/** Answers of one call to a service that speaks JSON. */
function jsonSpeaker(requestId: string): (status: number, answer: unknown) => HttpAnswer {
  return (status, answer) => ({
    kind: 'answer',
    status,
    type: JSON_TYPE,
    requestId,
    body: JSON.stringify(answer),
  });
}

function answerSsmCall(
  parts: DispatchParts,
  action: string,
  { caller, body, requestId }: ServiceCall,
): HttpAnswer {
  const say = jsonSpeaker(requestId);
  try {
    if (stranger(parts, caller)) {
      throw new SsmError(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    }
    const region = parts.world.region(caller.region);
    region.admit({ action, narrowed: false, dryRun: false });
    const answered = answerSsm(region, action, body);
    const failure = parts.world.faults.answer(action);
    if (failure === LOST_ANSWER) return { kind: 'lost' };
    return say(200, failure === EMPTY_ANSWER ? {} : answered);
  } catch (error) {
    const { status, body: answer } = ssmError(error, parts.onTrouble);
    return say(status, answer);
  }
}

/** Service Quotas is global to the account here: a value of one region is that of all. */
function answerQuotaCall(
  parts: DispatchParts,
  action: string,
  { caller, body, requestId }: ServiceCall,
): HttpAnswer {
  const say = jsonSpeaker(requestId);
  try {
    if (stranger(parts, caller))
      throw new QuotaError('UnrecognizedClientException', 'The security token is invalid.');
    parts.world.region(caller.region).admit({ action, narrowed: false, dryRun: false });
    return say(200, answerQuotas(parts.world, action, body));
  } catch (error) {
    if (error instanceof QuotaError || error instanceof Ec2Error)
      return say(400, { __type: error.code, message: error.message });
    parts.onTrouble(`Service Quotas failed inside the emulator: ${String(error)}`);
    return say(500, { __type: 'ServiceException', message: 'An internal error has occurred' });
  }
}

async function answerSqsCall(
  parts: DispatchParts,
  action: string,
  { caller, body, requestId }: ServiceCall,
): Promise<HttpAnswer> {
  const say = (status: number, answer: unknown): HttpAnswer => ({
    kind: 'answer',
    status,
    type: SQS_TYPE,
    requestId,
    body: JSON.stringify(answer),
  });
  try {
    if (stranger(parts, caller)) throw new SqsError('InvalidClientTokenId', 'The access key is not valid.');
    parts.world.faults.strike(action, 'own');
    return say(200, await answerSqs(parts.queues, action, body));
  } catch (error) {
    if (error instanceof SqsError || error instanceof Ec2Error) {
      return say(400, { __type: `com.amazonaws.sqs#${error.code}`, message: error.message });
    }
    parts.onTrouble(`SQS failed inside the emulator: ${String(error)}`);
    return say(500, { __type: 'InternalError', message: 'An internal error has occurred' });
  }
}

export function createDispatch(parts: DispatchParts): Dispatch {
  const ec2Calls = new Map<string, number>();
  const ssmCalls = new Map<string, number>();
  const sqsCalls = new Map<string, number>();
  const quotaCalls = new Map<string, number>();
  const countIn = (calls: Map<string, number>) => (action: string) => {
    calls.set(action, (calls.get(action) ?? 0) + 1);
  };

  return {
    async answer(call) {
      const service = {
        caller: callerOf(call) ?? unsigned,
        body: call.body,
        requestId: randomUUID(),
      };
      const queued = /^AmazonSQS\.([A-Za-z]{1,60})$/.exec(call.target ?? '')?.[1];
      if (queued !== undefined) {
        countIn(sqsCalls)(queued);
        return answerSqsCall(parts, queued, service);
      }
      const asked = /^ServiceQuotasV20190624\.([A-Za-z]{1,60})$/.exec(call.target ?? '')?.[1];
      if (asked !== undefined) {
        countIn(quotaCalls)(asked);
        return answerQuotaCall(parts, asked, service);
      }
      const target = /^AmazonSSM\.([A-Za-z]{1,60})$/.exec(call.target ?? '')?.[1];
      if (target === undefined) return answerEc2(parts, service, countIn(ec2Calls));
      countIn(ssmCalls)(target);
      return answerSsmCall(parts, target, service);
    },
    ec2Calls: () => Object.fromEntries(ec2Calls),
    ssmCalls: () => Object.fromEntries(ssmCalls),
    sqsCalls: () => Object.fromEntries(sqsCalls),
    quotaCalls: () => Object.fromEntries(quotaCalls),
  };
}
