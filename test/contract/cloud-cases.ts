// The rules of the cloud port, each a story told once and held against three clouds: the simulator's port and the adapter on
// the emulated cloud (both-clouds.test.ts), and the adapter on moto for the wire format (test/peers/moto.test.ts). What a seed
// proves holds on the wire, and the wire holds for people who do not know our model.
// Trap: moto lacks much of EC2; keep each case to one rule, so that a known difference hides nothing else.
import { expect } from 'vitest';
import type { LaunchSpec } from '../../src/domain/config.ts';
import { TAG } from '../../src/domain/instance.ts';
import { outcomeOf } from '../../src/domain/outcome.ts';
import type { Price } from '../../src/domain/price.ts';
import {
  type CloudCase,
  type CloudSide,
  idsOf,
  places,
  types,
  wordsOf,
  zones,
} from '../support/cloud/side.ts';
import { forever } from '../unit/adapters/aws/specimens.ts';
import { spotRequestCases } from './spot-request-cases.ts';

const onSpot = { market: 'spot', markets: ['spot'] } satisfies Partial<LaunchSpec>;

/** More than EC2 puts on one page of a listing. */
const SEVERAL_PAGES = 1_010;
/** Long enough to be met between two calls, also where calls take seconds. */
const UNSEEN_MS = 4_000;

/** What a look-up is refused with. */
const refusedLookUp = async ({ cloud, spec }: CloudSide, more: Partial<LaunchSpec>) =>
  outcomeOf(await cloud.resolve({ ...spec, ...more }, forever).catch((error: unknown) => error));

const priceAt = async ({ cloud, site }: CloudSide, zone: string): Promise<Price | null | undefined> => {
  const offering = { type: 'm5.large', zone, market: 'spot' } as const;
  const found = await cloud.prices(site, { offerings: [offering], own: null }, forever);
  return [...found.values()][0];
};

const lookUps: readonly CloudCase[] = [
  {
    name: 'launch options resolve: parameter, image, network, and a group of its own with its rules',
    async run({ cloud, spec }) {
      const asked = { ...spec, securityGroups: ['hosts'] };
      const resolved = await cloud.resolve(asked, forever);
      expect(resolved).toMatchObject({
        imageId: expect.stringMatching(/^ami-/) as string,
        rootDevice: expect.stringMatching(/^\/dev\//) as string,
        subnetId: expect.stringMatching(/^subnet-/) as string,
        zone: expect.stringMatching(/^eu-central-1/) as string,
        securityGroupIds: [expect.stringMatching(/^sg-/) as string],
      });
      const again = await cloud.resolve({ ...asked, openPorts: ['8080/tcp'] }, forever);
      expect(again.securityGroupIds).toEqual(resolved.securityGroupIds);
      expect(cloud.calls()).toMatchObject({ CreateSecurityGroup: 1, AuthorizeSecurityGroupIngress: 2 });
    },
  },
  {
    name: 'a subnet that does not exist is a wrong configuration',
    async run(side) {
      const refused = await refusedLookUp(side, { subnetId: 'subnet-0123456789abcdef0' });
      expect(refused).toMatchObject({ kind: 'invalid' });
    },
  },
  {
    name: 'a parameter that does not exist is a wrong configuration',
    async run(side) {
      expect(await refusedLookUp(side, { ami: 'resolve:ssm:/no/such' })).toMatchObject({ kind: 'invalid' });
    },
  },
  {
    name: 'types, offerings and subnets come to places with their vCPUs',
    async run({ cloud, spec, subnetIds }) {
      const subnets = { subnetIds: subnetIds.slice(0, 2), subnetId: subnetIds[0] ?? null };
      const asked = { ...spec, ...subnets, instanceTypes: ['m5.large', 'c5.xlarge'] };
      const found = await cloud.resolve(asked, forever);
      expect(found.places).toHaveLength(4);
      expect(found.places.find(({ type }) => type === 'c5.xlarge')).toMatchObject({
        vcpus: 4,
        market: 'on-demand',
        zone: expect.stringMatching(/^eu-central-1/) as string,
      });
    },
  },
  {
    name: 'types by need are found by their size',
    async run({ cloud, spec }) {
      const needs = {
        vcpus: { least: 8, most: 8 },
        memoryGib: { least: 32, most: 32 },
        architecture: 'x86_64',
      } as const;
      const asked = { ...spec, needs, instanceTypes: [], instanceType: 'by-need' };
      const found = new Set((await cloud.resolve(asked, forever)).places.map(({ type }) => type));
      expect(found).toContain('m5.2xlarge');
      expect(found).toContain('m7i.2xlarge');
      expect([...found].filter((type) => !/^m\d/.test(type) || /metal/.test(type))).toEqual([]);
    },
  },
];

const launches: readonly CloudCase[] = [
  ...(['on-demand', 'spot'] as const).map(
    (market): CloudCase => ({
      name: `one machine (${market}) is launched, listed with tags and address, and ends`,
      async run(side) {
        const { cloud, site, launch, running, until } = wordsOf(side);
        expect(await launch('t-1', 1, { market, markets: [market] })).toMatchObject({
          kind: 'launched',
          short: 0,
          instances: [{ market }],
        });
        const [found] = await running('t-2', 1, { market, markets: [market] });
        expect(found).toMatchObject({
          state: 'running',
          market,
          type: 'm5.large',
          zone: expect.stringMatching(/^eu-central-1/) as string,
          tags: { [TAG.owner]: 'me', [TAG.launch]: 't-2', Name: 'hostler-build' },
          privateAddress: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/) as string,
        });
        expect(await cloud.terminate(site, [found?.id ?? ''], forever)).toMatchObject([{ kind: 'accepted' }]);
        const [after] = await until(
          () => cloud.listLaunches(site, ['t-2'], forever),
          ([one]) => one?.state === 'terminated',
        );
        expect(after?.state).toBe('terminated');
      },
    }),
  ),
  {
    name: 'one call brings a batch, one call ends it',
    async run(side) {
      const { cloud, site, launch, listed, until } = wordsOf(side);
      const made = idsOf(await launch('t-1', 5));
      expect(made).toHaveLength(5);
      expect(idsOf(await until(listed, (list) => list.length === 5))).toEqual(made);
      const ended = await cloud.terminate(site, made, forever);
      expect(ended.map(({ kind }) => kind)).toEqual(made.map(() => 'accepted'));
      expect(cloud.calls()).toMatchObject({ RunInstances: 1, TerminateInstances: 1 });
    },
  },
  {
    name: 'the token brings the same machine again, and no other',
    async run(side) {
      const { launch, running } = wordsOf(side);
      const first = await launch('t-1', 1);
      expect(idsOf(await launch('t-1', 1))).toEqual(idsOf(first));
      expect(idsOf(await running('t-1', 1))).toEqual(idsOf(first));
    },
  },
  {
    name: 'the token with other parameters is told apart',
    async run(side) {
      const { launch } = wordsOf(side);
      await launch('t-1', 1);
      expect(await launch('t-1', 2)).toMatchObject({
        kind: 'refused',
        outcome: { kind: 'token-mismatch' },
      });
    },
  },
  {
    name: 'a part comes where capacity ends, then a refusal',
    async run(side) {
      const { launch, set } = wordsOf(side);
      for (const zone of zones) set.capacity({ type: 'm5.large', zone, market: 'on-demand' }, 2);
      expect(await launch('t-1', 5)).toMatchObject({ kind: 'launched', short: 3 });
      expect(await launch('t-2', 1)).toMatchObject({
        kind: 'refused',
        outcome: { kind: 'insufficient-capacity', scope: 'offering' },
      });
    },
  },
  {
    name: 'a full quota is named with its value',
    async run(side) {
      const { launch, set } = wordsOf(side);
      set.quota('spot', 2);
      expect(await launch('t-1', 1, onSpot)).toMatchObject({ kind: 'launched' });
      expect(await launch('t-2', 1, onSpot)).toMatchObject({
        kind: 'refused',
        outcome: { kind: 'quota', quota: { vcpus: 2 } },
      });
    },
  },
];

const ends: readonly CloudCase[] = [
  {
    name: 'one unknown id in a batch fails alone',
    async run(side) {
      const { cloud, site, running } = wordsOf(side);
      const [one = ''] = idsOf(await running('t-1', 1));
      const [two = ''] = idsOf(await running('t-2', 1));
      const answers = await cloud.terminate(site, [one, 'i-0123456789abcdef0', two], forever);
      expect(answers).toMatchObject([
        { kind: 'accepted' },
        { kind: 'failed', outcome: { kind: 'not-found' } },
        { kind: 'accepted' },
      ]);
    },
  },
  {
    name: 'what has ended may be ended again',
    async run(side) {
      const { cloud, site, running, until } = wordsOf(side);
      const [id = ''] = idsOf(await running('t-1', 1));
      expect(await cloud.terminate(site, [id], forever)).toMatchObject([{ kind: 'accepted' }]);
      await until(
        () => cloud.listLaunches(site, ['t-1'], forever),
        ([one]) => one?.state === 'terminated',
      );
      expect(await cloud.terminate(site, [id], forever)).toMatchObject([{ kind: 'accepted' }]);
    },
  },
  {
    name: 'a machine that was just launched is not known yet, and soon is',
    options: { unseenMs: UNSEEN_MS },
    async run(side) {
      const { cloud, site, launch, listed, until } = wordsOf(side);
      const [id = ''] = idsOf(await launch('t-1', 1));
      expect(await listed()).toEqual([]);
      expect(await cloud.terminate(site, [id], forever)).toMatchObject([
        { kind: 'failed', outcome: { kind: 'not-found' } },
      ]);
      expect(idsOf(await until(listed, (list) => list.length > 0))).toEqual([id]);
      expect(await cloud.terminate(site, [id], forever)).toMatchObject([{ kind: 'accepted' }]);
    },
  },
  {
    name: 'the token finds its machine while EC2 does not list it yet',
    options: { unseenMs: UNSEEN_MS },
    async run(side) {
      const { launch, listed } = wordsOf(side);
      const first = await launch('t-1', 1);
      expect(await listed()).toEqual([]);
      expect(idsOf(await launch('t-1', 1))).toEqual(idsOf(first));
    },
  },
];

const listings: readonly CloudCase[] = [
  {
    name: 'a listing holds its own launches and its own owner only',
    async run(side) {
      const { cloud, site, running } = wordsOf(side);
      await running('t-1', 1);
      const second = await running('t-2', 1);
      expect(idsOf(await cloud.listLaunches(site, ['t-2'], forever))).toEqual(idsOf(second));
      expect(await cloud.list(site, 'me', forever)).toHaveLength(2);
      expect(await cloud.list(site, 'somebody', forever)).toEqual([]);
      expect(await cloud.list(site, 'm*', forever)).toEqual([]);
    },
  },
  {
    name: 'many machines come over several pages, each once',
    async run(side) {
      const { cloud, fill, listed, until } = wordsOf(side);
      const asked = () => cloud.calls()['DescribeInstances'] ?? 0;
      const look = async () => {
        const before = asked();
        const list = await listed();
        return { list, pages: asked() - before };
      };
      await fill(SEVERAL_PAGES);
      const { list, pages } = await until(look, (seen) => seen.list.length >= SEVERAL_PAGES);
      expect(list).toHaveLength(SEVERAL_PAGES);
      expect(new Set(list.map(({ id }) => id)).size).toBe(SEVERAL_PAGES);
      expect(pages).toBe(2);
    },
  },
  {
    name: 'the console of a machine is text or nothing',
    async run(side) {
      const { cloud, site, running } = wordsOf(side);
      const [id = ''] = idsOf(await running('t-1', 1));
      const words = await cloud.consoleOutput(site, id, forever);
      expect(words === null || typeof words === 'string').toBe(true);
    },
  },
];

const fleets: readonly CloudCase[] = [
  ...(['on-demand', 'spot'] as const).map(
    (market): CloudCase => ({
      name: `a fleet (${market}) over a template of ours is listed with its tags`,
      async run(side) {
        const { cloud, site, launch, running, many } = wordsOf(side);
        const maxPriceUsd = market === 'spot' ? '0.5' : null;
        const wanted = { ...many, market, markets: [market], maxPriceUsd };
        expect(await launch('t-1', 2, wanted)).toMatchObject({ kind: 'launched', short: 0, refusals: [] });
        const listed = await running('t-2', 2, wanted);
        expect(listed).toHaveLength(2);
        expect(listed[0]).toMatchObject({ market, tags: { [TAG.owner]: 'me', [TAG.launch]: 't-2' } });
        expect(listed[0]?.privateAddress).toMatch(/^\d+\./);
        expect(cloud.calls()).toMatchObject({ CreateFleet: 2, CreateLaunchTemplate: 1 });
        expect(await cloud.list(site, 'me', forever)).toHaveLength(4);
      },
    }),
  ),
  {
    name: 'a fleet sent again with its token brings the same machines',
    async run(side) {
      const { launch, many } = wordsOf(side);
      const first = await launch('t-1', 3, many);
      expect(idsOf(first)).toHaveLength(3);
      expect(idsOf(await launch('t-1', 3, many))).toEqual(idsOf(first));
    },
  },
  {
    name: 'a spot fleet takes the cheapest place that has room',
    async run(side) {
      const { launch, many, set } = wordsOf(side);
      set.price({ type: 'm5a.large', zone: 'eu-central-1b' }, 0.001);
      const answer = await launch('t-1', 3, many);
      const taken = answer.kind === 'launched' ? answer.instances : [];
      expect(taken.map(({ type, zone }) => `${type}:${zone}`)).toEqual(
        taken.map(() => 'm5a.large:eu-central-1b'),
      );
    },
  },
  {
    name: 'a fleet takes the last places with room',
    async run(side) {
      const { launch, many, capacityOfMany } = wordsOf(side);
      capacityOfMany((type) => (type === 'm5a.large' ? 4 : 0));
      const answer = await launch('t-1', 4, many);
      expect(answer).toMatchObject({ kind: 'launched', short: 0 });
      expect(new Set(answer.kind === 'launched' ? answer.instances.map(({ type }) => type) : [])).toEqual(
        new Set(['m5a.large']),
      );
    },
  },
  {
    name: 'a fleet without any room is refused, each place with its reason',
    async run(side) {
      const { launch, many, capacityOfMany } = wordsOf(side);
      capacityOfMany(() => 0);
      const refused = await launch('t-1', 4, many);
      expect(refused).toMatchObject({ kind: 'refused', outcome: { kind: 'insufficient-capacity' } });
      expect(refused.kind === 'refused' && refused.refusals?.length).toBe(places().length);
    },
  },
  {
    name: 'a fleet gives a part where capacity ends',
    async run(side) {
      const { launch, many, capacityOfMany } = wordsOf(side);
      capacityOfMany((type) => (type === types[0] ? 1 : 0));
      const answer = await launch('t-1', 5, many);
      expect(answer).toMatchObject({ kind: 'launched', short: 2 });
      expect(idsOf(answer)).toHaveLength(3);
    },
  },
  {
    name: 'the launch template is found among the leftovers, and removed',
    async run(side) {
      const { cloud, site, launch, many } = wordsOf(side);
      await launch('t-1', 1, many);
      const found = await cloud.listLeftovers(site, 'me', forever);
      expect(found.map(({ kind }) => kind)).toContain('launch-template');
      const templates = found.filter(({ kind }) => kind === 'launch-template');
      expect(await cloud.removeLeftovers(site, templates, forever)).toMatchObject([{ kind: 'done' }]);
      const left = await cloud.listLeftovers(site, 'me', forever);
      expect(left.map(({ kind }) => kind)).not.toContain('launch-template');
    },
  },
  {
    name: 'nothing but the launch template is left over while machines run',
    async run(side) {
      const { cloud, site, running, many } = wordsOf(side);
      await running('t-1', 1, many);
      const found = await cloud.listLeftovers(site, 'me', forever);
      expect(found.map(({ kind }) => kind)).toEqual(['launch-template']);
    },
  },
];

const readings: readonly CloudCase[] = [
  {
    name: 'the spot price of a place is known',
    async run(side) {
      expect((await priceAt(side, 'eu-central-1a'))?.usdPerHour).toBeGreaterThan(0);
    },
  },
  {
    name: 'each place has the spot price that it has now',
    async run(side) {
      side.set.price({ type: 'm5.large', zone: 'eu-central-1b' }, 0.0123);
      expect(await priceAt(side, 'eu-central-1b')).toMatchObject({ usdPerHour: 0.0123 });
      expect(await priceAt(side, 'eu-central-1a')).not.toMatchObject({ usdPerHour: 0.0123 });
    },
  },
  {
    name: 'advice to move on is heard from the queue, and taken off it',
    async run(side) {
      const { notices, site, queueUrl, set, running } = wordsOf(side);
      const queue = { site, url: queueUrl };
      const [id = ''] = idsOf(await running('t-1', 1, onSpot));
      await set.tell('rebalance', id);
      const batch = await notices.poll(queue, forever);
      const advice = batch.notices.filter(({ kind }) => kind === 'rebalance');
      expect(advice).toMatchObject([{ instance: id, source: 'queue', deadline: null }]);
      await batch.acknowledge(forever);
      await set.tell('reclaim', id);
      const next = await notices.poll(queue, forever);
      expect(next.notices.map(({ kind }) => kind)).toEqual(['interruption']);
    },
  },
];

/** Every case, by subject. */
export const cloudCases: readonly CloudCase[] = [
  ...lookUps,
  ...launches,
  ...ends,
  ...listings,
  ...fleets,
  ...spotRequestCases,
  ...readings,
];
