// One `docker-machine create` on EC2, step by step: its calls in their order, its looks with their sleeps, the wait for
// SSH, the setting up. What it knows is written to the store only at two moments: before the launch and once the instance
// runs. A process that dies between them leaves an instance that nobody knows.
import { Ec2Error } from '../ec2-error.ts';
import type { SimInstance } from '../instance.ts';
import type { Region } from '../region.ts';
import type { Market, RunRequest } from '../run-request.ts';
import type { Seeded } from '../seeded.ts';
import type { SpotRequest } from '../spot-requests.ts';
import { pause, type Timeline } from '../timeline.ts';
import type { PeerEc2 } from './peer-ec2.ts';
import type { PeerFlavour } from './peer-flavour.ts';

/** What a section's MachineOptions ask for. */
export type PeerLaunch = {
  type: string;
  zone: string;
  market: Market;
  /** USD an hour; null: up to the on-demand price. */
  maxPrice: string | null;
};

export type CreateParts = {
  timeline: Timeline;
  random: Seeded;
  region: Region;
  ec2: PeerEc2;
  flavour: PeerFlavour;
  launch: PeerLaunch;
  name: string;
  /** The process was killed: nothing of it may go on. */
  dead(): boolean;
  /** Settles when that host begins to answer or ends, at once when it does. */
  changes(instance: SimInstance): Promise<void>;
  /** Written to config.json. */
  save(instance: SimInstance): void;
};

/** Why a create ends without a host; its process exits with 1. */
export class CreateFailed extends Error {}

/** A try of SSH at a host that does not answer yet: three attempts, a second apart. */
const SSH_FAILS_MS = 3_000;
const SSH_WORKS_MS = 500;
/** The SDK's waiter for a spot request: 40 looks, 15 s apart. */
const SPOT_LOOK_MS = 15_000;
const SPOT_LOOKS = 40;

function requestFor({ launch, name }: CreateParts, spot: boolean): RunRequest {
  const { maxPrice } = launch;
  const wish = { maxPrice, requestType: null, interruption: null, validUntil: null, blockMinutes: null };
  return {
    imageId: 'ami-0123456789abcdef0',
    type: launch.type,
    minCount: 1,
    maxCount: 1,
    token: null,
    dryRun: false,
    zone: launch.zone,
    subnetId: null,
    groupIds: [],
    groupNames: [],
    card: null,
    keyName: null,
    userData: null,
    profile: null,
    shutdown: null,
    monitoring: false,
    ebsOptimized: false,
    metadata: { tokens: null, hopLimit: null },
    volumes: [],
    spot: spot ? wish : null,
    tags: spot ? [] : [{ resource: 'instance', tags: [{ key: 'Name', value: name }] }],
  };
}

/** Goes on only in a process that lives. */
async function step<T>(parts: CreateParts, work: Promise<T>): Promise<T> {
  const value = await work;
  if (parts.dead()) throw new CreateFailed('killed');
  return value;
}

/** Looks until `there` gives something. */
async function lookFor<T>(parts: CreateParts, look: () => Promise<T | null>): Promise<T> {
  const { timeline, flavour, random } = parts;
  for (let looks = 0; looks < flavour.looks; looks += 1) {
    const found = await step(parts, look());
    if (found !== null) return found;
    await step(parts, pause(timeline, flavour.lookMs(random.float())));
  }
  throw new CreateFailed('too many looks');
}

/** One DescribeInstances of the machine; null while EC2 does not know it yet. */
async function describe({ ec2, region }: CreateParts, id: string): Promise<SimInstance | null> {
  try {
    return await ec2.call('DescribeInstances', () => region.instances.known([id])[0] ?? null);
  } catch (error) {
    if (error instanceof Ec2Error && error.code === 'InvalidInstanceID.NotFound') return null;
    throw error;
  }
}

/** RequestSpotInstances, then the waiter. A request that is not filled in time stays open, and may be filled later. */
async function bySpotRequest(parts: CreateParts): Promise<SimInstance> {
  const { ec2, region, timeline } = parts;
  const wish = requestFor(parts, true);
  const order = { count: 1, kind: null, interruption: null, validFrom: null, validUntil: null, token: null };
  const ask = (): readonly SpotRequest[] => region.spotMarket.request({ ...order, wish, tags: [] });
  const [request] = await step(parts, ec2.call('RequestSpotInstances', ask));
  if (request === undefined) throw new CreateFailed('no spot request');
  const look = (): Promise<void> =>
    step(
      parts,
      ec2.call('DescribeSpotInstanceRequests', () => undefined),
    );
  await look();
  for (let looks = 1; request.state !== 'active'; looks += 1) {
    if (looks === SPOT_LOOKS || request.state === 'failed') throw new CreateFailed('spot request not filled');
    await step(parts, pause(timeline, SPOT_LOOK_MS));
    await look();
  }
  await look();
  return await lookFor(parts, () => describe(parts, request.instanceId ?? ''));
}

async function byRunInstances(parts: CreateParts): Promise<SimInstance> {
  const { ec2, region, launch } = parts;
  const wish = requestFor(parts, launch.market === 'spot');
  const [instance] = await step(
    parts,
    ec2.call('RunInstances', () => region.runInstances(wish)),
  );
  if (instance === undefined) throw new CreateFailed('no instance');
  return instance;
}

/** From the launch to an instance that EC2 calls running. */
async function launched(parts: CreateParts): Promise<SimInstance> {
  const { ec2, flavour, launch, region, name } = parts;
  for (const action of flavour.before)
    await step(
      parts,
      ec2.call(action, () => undefined),
    );
  const spot = launch.market === 'spot';
  const instance = await (spot && flavour.spotByRequest ? bySpotRequest(parts) : byRunInstances(parts));
  if (spot ? flavour.tagCall.spot : flavour.tagCall.onDemand) {
    const tag = (): void => region.createTags([instance.id], [{ key: 'Name', value: name }]);
    await step(parts, ec2.call('CreateTags', tag)).catch((error: unknown) => {
      // Too early for EC2 to know it: the machine goes without a name.
      if (!(error instanceof Ec2Error)) throw error;
    });
  }
  if (flavour.before.length === 0) return instance;
  await lookFor(parts, () => describe(parts, instance.id));
  for (let twice = 0; twice < 2; twice += 1) {
    await lookFor(parts, async () => {
      const seen = await describe(parts, instance.id);
      if (seen !== null && seen.endingAt !== null) throw new CreateFailed('instance ended');
      return seen?.state === 'running' ? seen : null;
    });
  }
  return instance;
}

/** Until SSH works. */
async function reached(parts: CreateParts, instance: SimInstance): Promise<void> {
  const { timeline, flavour } = parts;
  const answers = (): boolean => instance.hostUp && instance.endingAt === null;
  if (flavour.before.length === 0) {
    await step(parts, parts.changes(instance));
    if (!answers()) throw new CreateFailed('instance ended');
    return;
  }
  await lookFor(parts, async () => {
    if (instance.endingAt !== null) throw new CreateFailed('instance ended');
    await pause(timeline, answers() ? SSH_WORKS_MS : SSH_FAILS_MS);
    return answers() ? instance : null;
  });
}

/** A Docker host, or a CreateFailed or EC2's error. */
export async function createOnEc2(parts: CreateParts): Promise<SimInstance> {
  const { timeline, flavour, random, ec2 } = parts;
  const instance = await launched(parts);
  parts.save(instance);
  await reached(parts, instance);
  for (let lookup = 0; lookup < flavour.lookups; lookup += 1) {
    await step(
      parts,
      ec2.call('DescribeInstances', () => undefined),
    );
  }
  // The lookups are part of the time that was measured.
  const provisionMs = flavour.provisionMs(random.float()) - flavour.lookups * flavour.callMs;
  await step(parts, pause(timeline, Math.max(0, provisionMs)));
  if (!instance.hostUp || instance.endingAt !== null) throw new CreateFailed('host does not answer');
  return instance;
}
