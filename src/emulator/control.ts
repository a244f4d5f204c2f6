// The emulator's own paths below /_emulator/: what was called, what runs, and switches for failures and capacity. For
// tests and people at a terminal; nothing of it exists in EC2.
import { messageOf } from '../domain/error.ts';
import { isQuotaClass } from '../domain/offering.ts';
import type { SimInstance } from '../sim/instance.ts';
import { placeSubnet } from '../sim/networks.ts';
import type { SpotRequest } from '../sim/spot-requests.ts';
import type { World } from '../sim/world.ts';
import { type ControlAnswer, type ControlParts, refused } from './control-answer.ts';
import { advise, reclaim, setHostFault } from './control-hosts.ts';

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

/** One instance as `GET /_emulator/instances` shows it. */
function instanceJson(instance: SimInstance) {
  return {
    id: instance.id,
    state: instance.state,
    state_reason: instance.stateReason?.code ?? null,
    type: instance.type,
    zone: instance.zone,
    market: instance.market,
    address: instance.address,
    host_up: instance.hostUp,
    image: instance.imageId,
    subnet: instance.subnetId,
    spot_request: instance.spotRequest,
    token: instance.token,
    tags: Object.fromEntries(instance.tags),
    launched_at: iso(instance.launchedAt),
    reclaim_at: iso(instance.reclaimAt),
    ending_at: iso(instance.endingAt),
    terminated_at: iso(instance.terminatedAt),
  };
}

/** One spot request as `GET /_emulator/spot-requests` shows it. */
function spotRequestJson(request: SpotRequest) {
  return {
    id: request.id,
    state: request.state,
    status: request.status,
    kind: request.kind,
    type: request.type,
    zone: request.zone,
    max_price: request.maxPrice,
    instance: request.instanceId,
    tags: Object.fromEntries(request.tags),
    created_at: iso(request.createdAt),
    updated_at: iso(request.updatedAt),
    valid_until: iso(request.validUntil),
  };
}

function fields(body: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function setFault(world: World, body: Record<string, unknown>): ControlAnswer {
  const { code, rate, action = null } = body;
  if (
    typeof code !== 'string' ||
    typeof rate !== 'number' ||
    !(action === null || typeof action === 'string')
  ) {
    return refused(400, 'expected {"code": text, "rate": 0 to 1, "action": text or absent}');
  }
  try {
    world.faults.set({ code, rate, action });
  } catch (error) {
    return refused(400, messageOf(error));
  }
  return { status: 200, body: { code, rate, action } };
}

function setCapacity(world: World, body: Record<string, unknown>): ControlAnswer {
  const { type, zone, count, market = null } = body;
  const fits = count === null || (typeof count === 'number' && Number.isInteger(count) && count >= 0);
  const marketFits = market === null || market === 'spot' || market === 'on-demand';
  if (typeof type !== 'string' || typeof zone !== 'string' || !fits || !marketFits) {
    return refused(
      400,
      'expected {"type": text, "zone": text, "count": whole number or null for plenty, "market": "spot", "on-demand" or absent}',
    );
  }
  world.capacity.set({ type, zone, market }, count);
  return { status: 200, body: { type, zone, market, count } };
}

function setPrice(world: World, body: Record<string, unknown>): ControlAnswer {
  const { type, zone, usd } = body;
  const fits = usd === null || (typeof usd === 'number' && Number.isFinite(usd) && usd > 0);
  if (typeof type !== 'string' || typeof zone !== 'string' || !fits) {
    return refused(
      400,
      'expected {"type": text, "zone": text, "usd": spot price of an hour or null for the model\'s}',
    );
  }
  world.prices.set({ type, zone }, usd);
  return { status: 200, body: { type, zone, usd } };
}

function setSubnet(world: World, body: Record<string, unknown>): ControlAnswer {
  const { id, vpc, zone } = body;
  if (typeof id !== 'string' || typeof vpc !== 'string' || typeof zone !== 'string') {
    return refused(400, 'expected {"id": "subnet-…", "vpc": "vpc-…", "zone": text}');
  }
  try {
    placeSubnet(world.region(zone.slice(0, -1)).networks, id, { vpcId: vpc, zone });
  } catch (error) {
    return refused(400, messageOf(error));
  }
  return { status: 200, body: { id, vpc, zone } };
}

function setQuota(world: World, body: Record<string, unknown>): ControlAnswer {
  const { market, vcpus, class: name = 'standard' } = body;
  const fits = vcpus === null || (typeof vcpus === 'number' && Number.isInteger(vcpus) && vcpus >= 0);
  if ((market !== 'spot' && market !== 'on-demand') || !isQuotaClass(name) || !fits) {
    return refused(
      400,
      'expected {"market": "spot" or "on-demand", "vcpus": whole number or null for none, "class": "standard" or another class}',
    );
  }
  world.quotas.set({ market, class: name }, vcpus);
  return { status: 200, body: { market, class: name, vcpus } };
}

function setOffering(world: World, body: Record<string, unknown>): ControlAnswer {
  const { type, zone, offered } = body;
  if (typeof type !== 'string' || typeof zone !== 'string' || typeof offered !== 'boolean') {
    return refused(400, 'expected {"type": text, "zone": text, "offered": true or false}');
  }
  world.offerings.set({ type, zone }, offered);
  return { status: 200, body: { type, zone, offered } };
}

const switches = new Map([
  ['quota', setQuota],
  ['offering', setOffering],
  ['subnet', setSubnet],
  ['fail', setFault],
  ['capacity', setCapacity],
  ['price', setPrice],
]);

/** Calls about one instance, told by their query. */
const aboutOne = new Map([
  ['host-fault', setHostFault],
  ['reclaim', async (parts: ControlParts, query: URLSearchParams) => reclaim(parts, query)],
  ['rebalance', async (parts: ControlParts, query: URLSearchParams) => advise(parts, query)],
]);

/** Answers a request to a path below /_emulator/. */
export async function answerControl(
  parts: ControlParts,
  request: { method: string; path: string; search: string; body: string },
): Promise<ControlAnswer> {
  const { world, dispatch } = parts;
  const name = request.path.slice('/_emulator/'.length);
  if (request.method === 'GET') {
    if (name === 'calls') return { status: 200, body: dispatch.ec2Calls() };
    if (name === 'ssm-calls') return { status: 200, body: dispatch.ssmCalls() };
    if (name === 'sqs-calls') return { status: 200, body: dispatch.sqsCalls() };
    if (name === 'instances') return { status: 200, body: world.instances().map(instanceJson) };
    if (name === 'spot-requests') return { status: 200, body: world.spotRequests().map(spotRequestJson) };
  }
  const one = request.method === 'POST' ? aboutOne.get(name) : undefined;
  if (one !== undefined) return one(parts, new URLSearchParams(request.search));
  const set = request.method === 'POST' ? switches.get(name) : undefined;
  if (set !== undefined) {
    const body = fields(request.body);
    return body === null ? refused(400, 'the body is no JSON object') : set(world, body);
  }
  return refused(
    404,
    'try GET /_emulator/instances, calls, ssm-calls, sqs-calls or spot-requests, POST /_emulator/fail, capacity, quota, offering, price, subnet, host-fault, reclaim or rebalance',
  );
}
