// What a case of the contract suite (test/contract/cloud-cases.ts) meets: a cloud port, means to move what stands behind it,
// and time that passes. The simulator, the emulated cloud and moto are such sides.
import { buildRequest } from '../../../src/domain/build-request.ts';
import type { CloudSite, LaunchSpec } from '../../../src/domain/config.ts';
import { type Instance, type Offering, TAG } from '../../../src/domain/instance.ts';
import type { Cloud, LaunchAnswer } from '../../../src/ports/cloud.ts';
import type { Notices } from '../../../src/ports/notices.ts';
import { forever } from '../../unit/adapters/aws/specimens.ts';

/** Moves what the cloud is made of. On a cloud that has no such thing nothing happens, and the case sees that. */
export type Steering = {
  /** Machines that an offering still has; null = plenty. */
  capacity(offering: Offering & { zone: string }, count: number | null): void;
  /** vCPUs of the standard classes. */
  quota(market: Offering['market'], vcpus: number): void;
  /** Spot, USD an hour. */
  price(place: { type: string; zone: string }, usd: number): void;
  /** EC2 takes a spot machine back, or advises to move on from it; both send their event to the queue. */
  tell(what: 'reclaim' | 'rebalance', instance: string): Promise<void>;
};

export type CloudSide = {
  /** Its promises settle while the side's time goes on. */
  cloud: Cloud;
  notices: Notices;
  queueUrl: string;
  site: CloudSite;
  /** One machine on demand, with image, network and group looked up. */
  spec: LaunchSpec;
  /** A subnet of each of the zones a to c. */
  subnetIds: readonly string[];
  set: Steering;
  now(): number;
  /** Lets the side's time go on by a step that fits it: tenths of a second where time is real. */
  pass(): Promise<unknown>;
  /** Makes machines of the owner `me` in as many calls as it takes, past hostler where that is quicker. */
  fill(count: number): Promise<void>;
};

export type SideOptions = {
  /** How long EC2 does not know what was just made; default: shorter than any case notices. */
  unseenMs?: number;
};

/** A rule of the cloud port, as a story that throws where it does not hold. */
export type CloudCase = { name: string; options?: SideOptions; run(side: CloudSide): Promise<void> };

/** Looks before a case gives up: 12 s of real time, minutes of virtual time. */
const LOOKS = 120;

/** A side with the words in which cases are told. */
export function wordsOf(side: CloudSide) {
  const { cloud, site } = side;

  const order = async (token: string, count: number, more: Partial<LaunchSpec> = {}) => {
    const spec = { ...side.spec, ...more };
    const request = buildRequest(spec, await cloud.resolve(spec, forever), {
      userData: Buffer.from('#!/bin/sh\n').toString('base64'),
      tags: { [TAG.owner]: 'me', [TAG.manager]: 'manager-1', [TAG.launch]: token, [TAG.pool]: 'build' },
      at: side.now(),
    });
    return { token, count, request };
  };

  const launch = async (token: string, count: number, more: Partial<LaunchSpec> = {}) =>
    await cloud.launch(site, await order(token, count, more), forever);

  /** Looks until it holds; then, or when it never does, what was seen last. */
  const until = async <T>(ask: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> => {
    for (let look = 0; ; look += 1) {
      const seen = await ask();
      if (holds(seen) || look === LOOKS) return seen;
      await side.pass();
    }
  };

  const listed = () => cloud.list(site, 'me', forever);

  return {
    ...side,
    order,
    launch,
    until,
    listed,
    /** Spot machines of three types in three zones. */
    many: {
      instanceType: 'm5.large',
      instanceTypes: types,
      subnetIds: side.subnetIds,
      subnetId: side.subnetIds[0] ?? null,
      market: 'spot',
      markets: ['spot'],
    } satisfies Partial<LaunchSpec>,
    /** Launched, listed and running; throws what EC2 said otherwise. */
    running: async (token: string, count: number, more: Partial<LaunchSpec> = {}) => {
      const answer = await launch(token, count, more);
      if (answer.kind !== 'launched') throw new Error(JSON.stringify(answer));
      return await until(
        () => cloud.listLaunches(site, [token], forever),
        (list) => list.length >= count && list.every(({ state }) => state === 'running'),
      );
    },
    /** That many machines of each of the nine spot places. */
    capacityOfMany: (count: (type: string) => number) => {
      for (const { type, zone } of places()) side.set.capacity({ type, zone, market: 'spot' }, count(type));
    },
  };
}

export const types = ['m5.large', 'm6i.large', 'm5a.large'];
export const zones = ['a', 'b', 'c'].map((letter) => `eu-central-1${letter}`);
export const places = () => types.flatMap((type) => zones.map((zone) => ({ type, zone })));

export const idsOf = (answer: LaunchAnswer | readonly Instance[]): string[] => {
  const instances = 'kind' in answer ? (answer.kind === 'launched' ? answer.instances : []) : answer;
  return instances.map(({ id }) => id).toSorted();
};
