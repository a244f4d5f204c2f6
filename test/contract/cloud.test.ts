// The cloud port against the emulated cloud: what the loop relies on, over real HTTP, with EC2's own habits.
import { afterEach, describe, expect, test } from 'vitest';
import { createCloud } from '../../src/adapters/aws/create-cloud.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { buildRequest } from '../../src/domain/build-request.ts';
import type { LaunchSpec } from '../../src/domain/config.ts';
import { type Instance, TAG } from '../../src/domain/instance.ts';
import { outcomeOf } from '../../src/domain/outcome.ts';
import { type EmulatorOptions, startEmulator } from '../../src/emulator/start-emulator.ts';
import { forever, keepingLog, launchSpec, resolvedLaunch, siteAt } from '../unit/adapters/aws/specimens.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function stage(options: EmulatorOptions = {}, spec: Partial<LaunchSpec> = {}) {
  const emulator = await startEmulator({
    bootMs: 200,
    startHost: async () => await Promise.resolve({ close: async () => await Promise.resolve() }),
    ...options,
  });
  const clock = createClock();
  const cloud = createCloud({ clock, log: keepingLog(), env: {}, managerAddresses: () => ['10.0.0.5'] });
  ends.push(
    () => emulator.close(),
    () => cloud.close(),
  );
  const site = siteAt(emulator.endpoint);
  const asked = launchSpec({ site, vpcId: null, subnetId: null, ...spec });
  const order = async (token: string, count: number) => ({
    token,
    count,
    request: buildRequest(asked, await cloud.resolve(asked, forever), {
      userData: Buffer.from('#!/bin/sh\n').toString('base64'),
      tags: { [TAG.owner]: 'me', [TAG.launch]: token, [TAG.pool]: 'build' },
    }),
  });
  /** Launched, or the test fails with what EC2 said. */
  const launched = async (token: string, count: number): Promise<readonly Instance[]> => {
    const answer = await cloud.launch(site, await order(token, count), forever);
    if (answer.kind !== 'launched') throw new Error(JSON.stringify(answer));
    return answer.instances;
  };
  /** Lists until it holds; EC2 does not know new instances at once. */
  const listed = async (holds: (list: readonly Instance[]) => boolean): Promise<readonly Instance[]> => {
    for (let look = 0; ; look += 1) {
      const list = await cloud.list(site, 'me', forever);
      if (holds(list) || look === 80) return list;
      await clock.sleep(100);
    }
  };
  return { emulator, cloud, site, order, launched, listed };
}

const running = (list: readonly Instance[]) => list.filter((instance) => instance.state === 'running');

describe('launch, list, terminate', () => {
  test('one call brings a batch, a listing shows it with tags and addresses, one call ends it', async () => {
    const { cloud, site, launched, listed } = await stage();
    const made = await launched('t-1', 5);
    expect(made).toHaveLength(5);
    const list = await listed((all) => running(all).length === 5);
    expect(list.map((one) => one.id).toSorted()).toEqual(made.map((one) => one.id).toSorted());
    expect(list[0]).toMatchObject({
      type: 'm5.large',
      market: 'on-demand',
      tags: { [TAG.owner]: 'me', [TAG.launch]: 't-1', Name: 'hostler-build' },
    });
    expect(list[0]?.privateAddress).toMatch(/^127\./);
    const ended = await cloud.terminate(
      site,
      list.map((one) => one.id),
      forever,
    );
    expect(ended.map((answer) => answer.kind)).toEqual(Array.from({ length: 5 }, () => 'accepted'));
    const after = await listed((all) => all.every((one) => one.state === 'terminated'));
    expect(after.every((one) => one.state === 'terminated')).toBe(true);
    expect(cloud.calls()).toMatchObject({ RunInstances: 1, TerminateInstances: 1 });
  });

  test('the same token brings the same instances, however often it is sent', async () => {
    const { launched, listed } = await stage();
    const first = await launched('t-1', 3);
    const again = await launched('t-1', 3);
    expect(again.map((one) => one.id).toSorted()).toEqual(first.map((one) => one.id).toSorted());
    expect(await listed((all) => running(all).length === 3)).toHaveLength(3);
  });

  test('the same token with other parameters is told apart', async () => {
    const { cloud, site, order, launched } = await stage();
    await launched('t-1', 1);
    const other = await order('t-1', 2);
    expect(await cloud.launch(site, other, forever)).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'token-mismatch' },
    });
  });

  test('spot instances are told from others', async () => {
    const { launched } = await stage({}, { market: 'spot', maxPriceUsd: null });
    expect((await launched('t-1', 1))[0]).toMatchObject({ market: 'spot' });
  });

  test('listing by launch finds its instances only', async () => {
    const { cloud, site, launched, listed } = await stage();
    await launched('t-1', 2);
    await launched('t-2', 1);
    await listed((all) => all.length === 3);
    expect(await cloud.listLaunches(site, ['t-2'], forever)).toHaveLength(1);
    expect(await cloud.list(site, 'somebody', forever)).toEqual([]);
  });

  test('an unknown id fails alone', async () => {
    const { cloud, site, launched, listed } = await stage();
    await launched('t-1', 2);
    const [one, two] = (await listed((all) => running(all).length === 2)).map((instance) => instance.id);
    const answers = await cloud.terminate(site, [one ?? '', 'i-0123456789abcdef0', two ?? ''], forever);
    expect(answers.map((answer) => answer.kind)).toEqual(['accepted', 'failed', 'accepted']);
  });
});

describe('refusals', () => {
  test('capacity that does not suffice gives a part, and then says so', async () => {
    const capacity = ['a', 'b', 'c'].map((zone) => ({
      type: 'm5.large',
      zone: `eu-central-1${zone}`,
      market: null,
      count: 2,
    }));
    const { cloud, site, order } = await stage({ capacity });
    expect(await cloud.launch(site, await order('t-1', 5), forever)).toMatchObject({
      kind: 'launched',
      short: 3,
    });
    expect(await cloud.launch(site, await order('t-2', 1), forever)).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'insufficient-capacity', scope: 'offering' },
    });
  });

  test('wrong credentials are denied, in a launch and in a listing', async () => {
    const { cloud, site } = await stage({ accessKey: 'AKIDRIGHT' });
    const request = buildRequest(launchSpec(), resolvedLaunch, { userData: '', tags: {} });
    expect(await cloud.launch(site, { token: 't-1', count: 1, request }, forever)).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'denied', scope: 'account' },
    });
    const error = await cloud.list(site, 'me', forever).catch((thrown: unknown) => thrown);
    expect(outcomeOf(error)).toMatchObject({ kind: 'denied', scope: 'account' });
  });

  test("our own buckets keep listings in a row below EC2's rate", async () => {
    const { cloud, site } = await stage();
    // Every one of them would throw if the emulated buckets ran dry.
    for (let look = 0; look < 110; look += 1) await cloud.list(site, 'me', forever);
    expect(cloud.calls()).toEqual({ DescribeInstances: 110 });
  });
});

describe('resolve', () => {
  test('the default image comes from SSM behind the same endpoint', async () => {
    const { order } = await stage({}, { ami: null });
    expect((await order('t-1', 1)).request.imageId).toMatch(/^ami-/);
  });

  test('a group of hostler is made once and found again', async () => {
    const { cloud, emulator, site } = await stage({ strict: true }, {});
    const spec = launchSpec({ site, ami: null, vpcId: null, subnetId: null, securityGroups: ['fresh'] });
    const first = await cloud.resolve(spec, forever);
    const second = await cloud.resolve({ ...spec, openPorts: ['8080/tcp'] }, forever);
    expect(second.securityGroupIds).toEqual(first.securityGroupIds);
    expect(emulator.calls()).toMatchObject({ CreateSecurityGroup: 1, AuthorizeSecurityGroupIngress: 2 });
  });
});
