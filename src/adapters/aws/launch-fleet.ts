// One CreateFleet of type instant for a batch of equal machines that may come from several places, and what its answer
// means: instances, and for each place that gave none the reason.
// Traps: HTTP 200 may hold instances and errors together; errors speak of places, not of numbers; the answer has no
// addresses, so a look or two at the listing brings them.
import type { CreateFleetError, CreateFleetInstance, CreateFleetResult } from '@aws-sdk/client-ec2';
import type { Instance, Market } from '../../domain/instance.ts';
import type { LaunchRequest } from '../../domain/launch.ts';
import type { Place } from '../../domain/offering.ts';
import type { Outcome, OutcomeScope, Refusal } from '../../domain/outcome.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LaunchAnswer } from '../../ports/cloud.ts';
import {
  isTemplateGone,
  outcomeOfCode,
  outcomeOfError,
  spoilsResolution,
  unreadableAnswer,
  withQuota,
} from './errors.ts';
import type { FleetAnswers } from './fleet-answers.ts';
import { fleetInput, type TemplateRef } from './fleet-input.ts';
import { placesOf } from './launch-parts.ts';
import type { LaunchTemplates } from './launch-templates.ts';
import { listByLaunch } from './list-instances.ts';
import type { SiteCalls } from './site-calls.ts';

/** Milliseconds a launch may wait for its tokens: the planner asks `budget` first, so this covers races only. */
const LAUNCH_WAIT_MS: DurationMs = 3 * SECOND_MS;

/** Pauses before each look for the addresses: EC2 lists new instances within about a second. Later listings bring the rest. */
const LOOKS_MS: readonly DurationMs[] = [500, 1_500];

/** CreateFleet as far as its answer goes; the user's template is taken as it is now. */
const LATEST = '$Latest';

type Order = { token: string; count: number; request: LaunchRequest };

export type FleetDeps = {
  site: string;
  calls: SiteCalls;
  answers: FleetAnswers;
  templates: LaunchTemplates;
  clock: Clock;
  signal: AbortSignal;
  /** What the launch was resolved to may be stale: look it up anew before the next one. */
  spoiled(): void;
};

/** One attempt, never throws. */
export async function launchFleet(order: Order, deps: FleetDeps): Promise<LaunchAnswer> {
  const { request } = order;
  let template: TemplateRef;
  try {
    template = await templateFor(request, deps);
  } catch (error) {
    return failed(order, outcomeOfError(error), deps);
  }
  let answer = await send(order, template, deps);
  if ('kind' in answer && isTemplateGone(answer) && request.template === undefined) {
    // Somebody removed our template. EC2 refused before it looked at the token, so the same one goes out again, once.
    deps.templates.forget(deps.site, template.name);
    try {
      template = await templateFor(request, deps);
    } catch (error) {
      return failed(order, outcomeOfError(error), deps);
    }
    answer = await send(order, template, deps);
  }
  return 'kind' in answer ? failed(order, answer, deps) : await read(order, answer, deps);
}

async function templateFor(request: LaunchRequest, deps: FleetDeps): Promise<TemplateRef> {
  if (request.template !== undefined) return { name: request.template.name, version: LATEST };
  return await deps.templates.ensure(request, deps);
}

async function send(
  order: Order,
  template: TemplateRef,
  deps: FleetDeps,
): Promise<CreateFleetResult | Outcome> {
  const action = 'CreateFleet';
  const { calls, signal } = deps;
  try {
    const { CreateFleetCommand } = await import('@aws-sdk/client-ec2');
    const command = new CreateFleetCommand(fleetInput(order, template));
    return await calls.call(
      { action, signal, instances: order.count, maxWaitMs: LAUNCH_WAIT_MS },
      (clients, limit) => clients.launch.send(command, { abortSignal: limit }),
    );
  } catch (error) {
    const outcome = outcomeOfError(error);
    // EC2 charges for instances that it launches; a refusal launched none, and our own rate took no token.
    if (outcome.kind !== 'unknown' && outcome.kind !== 'throttled')
      calls.refundInstances(action, order.count);
    return outcome;
  }
}

/** A call that failed as a whole. What would reach one offering only reaches all that the fleet might have taken. */
function failed({ request }: Order, outcome: Outcome, deps: FleetDeps): LaunchAnswer {
  if (outcome.kind === 'unknown') return { kind: 'unknown', outcome };
  if (spoilsResolution(outcome)) deps.spoiled();
  const places = placesOf(request);
  const isOfPlaces = outcome.scope === 'offering' || outcome.scope === 'subnet';
  const refusals = isOfPlaces ? places.map((place) => refusalOf(place, outcome)) : [];
  return { kind: 'refused', outcome: withQuota(outcome, places[0]), refusals };
}

function refusalOf(place: Place, outcome: Outcome): Refusal {
  const { type, zone, market, subnetId } = place;
  return { offering: { type, zone, market }, subnetId, outcome: withQuota(outcome, place) };
}

async function read(order: Order, answer: CreateFleetResult, deps: FleetDeps): Promise<LaunchAnswer> {
  const { request, count } = order;
  const action = 'CreateFleet';
  if (answer.FleetId === undefined)
    return { kind: 'unknown', outcome: unreadableAnswer(action, 'without a fleet') };
  const now = deps.clock.now();
  const refusals = readErrors(answer.Errors ?? [], placesOf(request));
  const instances = (answer.Instances ?? []).flatMap((group) => readGroup(group, request, now));
  deps.calls.refundInstances(action, Math.max(0, count - instances.length));
  if (refusals.some(({ outcome }) => spoilsResolution(outcome))) deps.spoiled();
  if (instances.length === 0) return { kind: 'refused', outcome: furthest(refusals), refusals };
  const shown = await withAddresses(order.token, instances, deps);
  return { kind: 'launched', instances: shown, short: Math.max(0, count - instances.length), refusals };
}

/** One refusal for each place and code, however often EC2 repeats it. */
function readErrors(errors: readonly CreateFleetError[], places: readonly [Place, ...Place[]]): Refusal[] {
  // An error without a place is the whole fleet's; its quota is the one of most pools, whose types share a class.
  const [whole] = places;
  const found = new Map<string, Refusal>();
  for (const error of errors) {
    const outcome = outcomeOfCode(error.ErrorCode ?? 'Unknown', error.ErrorMessage ?? '');
    const over = error.LaunchTemplateAndOverrides?.Overrides;
    const place = places.find(
      (one) =>
        one.type === over?.InstanceType &&
        (over.SubnetId === undefined || one.subnetId === over.SubnetId) &&
        (over.AvailabilityZone === undefined || one.zone === over.AvailabilityZone),
    );
    const refusal =
      place === undefined
        ? { offering: null, subnetId: null, outcome: withQuota(outcome, whole) }
        : refusalOf(place, outcome);
    found.set(JSON.stringify([refusal.offering, refusal.subnetId, outcome.code]), refusal);
  }
  return [...found.values()];
}

/** Widest first. */
const scopes: readonly OutcomeScope[] = ['account', 'market', 'pool', 'subnet', 'offering', 'call'];

/** The outcome that stands for a fleet which brought nothing: the one that reaches furthest. */
function furthest(refusals: readonly Refusal[]): Outcome {
  const sorted = refusals.toSorted(
    (a, b) => scopes.indexOf(a.outcome.scope) - scopes.indexOf(b.outcome.scope),
  );
  return (
    sorted[0]?.outcome ?? {
      kind: 'insufficient-capacity',
      scope: 'offering',
      code: 'UnfulfillableCapacity',
      message: 'the fleet brought no instance and no reason',
    }
  );
}

function readGroup(group: CreateFleetInstance, request: LaunchRequest, now: number): Instance[] {
  const over = group.LaunchTemplateAndOverrides?.Overrides;
  const market: Market = group.Lifecycle === 'spot' ? 'spot' : 'on-demand';
  const subnet = group.SubnetId ?? over?.SubnetId;
  const place = placesOf(request).find((one) => one.subnetId === subnet);
  return (group.InstanceIds ?? []).map((id) => ({
    id,
    state: 'pending',
    stateReason: null,
    type: group.InstanceType ?? over?.InstanceType ?? '',
    zone: group.AvailabilityZone ?? over?.AvailabilityZone ?? place?.zone ?? null,
    market,
    imageId: request.imageId,
    privateAddress: null,
    publicAddress: null,
    launchedAt: now,
    tags: request.tags,
  }));
}

/** The instances as listings show them, as far as they do within two looks. A failed look loses nothing. */
async function withAddresses(token: string, bare: readonly Instance[], deps: FleetDeps): Promise<Instance[]> {
  const found = new Map(bare.map((instance) => [instance.id, instance]));
  for (const pause of LOOKS_MS) {
    try {
      await deps.clock.sleep(pause, deps.signal);
      for (const instance of await listByLaunch([token], deps)) {
        if (found.has(instance.id)) found.set(instance.id, instance);
      }
    } catch {
      break;
    }
    if ([...found.values()].every((instance) => instance.privateAddress !== null)) break;
  }
  return [...found.values()];
}
