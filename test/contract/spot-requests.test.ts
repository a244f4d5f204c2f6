// EC2's old way to spot machines through the cloud port: requests that are open, filled late, cancelled, found by tag;
// and what else an owner leaves in its account.
import { describe, expect, test } from 'vitest';
import type { LaunchSpec } from '../../src/domain/config.ts';
import { TAG } from '../../src/domain/instance.ts';
import { isOpenRequest } from '../../src/domain/spot-request.ts';
import { startCloudStage } from '../support/cloud-stage.ts';
import { forever } from '../unit/adapters/aws/specimens.ts';

const spec: Partial<LaunchSpec> = {
  market: 'spot',
  markets: ['spot'],
  way: 'spot-request',
  zone: 'eu-central-1a',
};
const place = { type: 'm5.large', zone: 'eu-central-1a', market: 'spot' } as const;
const empty = { capacity: [{ ...place, count: 0 }] };

const stage = (options: Parameters<typeof startCloudStage>[0] = {}) => startCloudStage(options, spec);

describe('launch = "spot-request"', () => {
  test('answers with open requests, tagged, one-time, valid for minutes', async () => {
    const { launch, cloud, site, look, emulator } = await stage(empty);
    const answer = await launch('t-1', 3);
    expect(answer).toMatchObject({ kind: 'launched', instances: [], short: 0 });
    const open = await look(
      () => cloud.listSpotRequests(site, 'me', forever),
      (seen) => seen.length === 3 && seen.every(({ status }) => status === 'capacity-not-available'),
    );
    expect(new Set(open.map(({ id }) => id))).toEqual(
      new Set(answer.kind === 'launched' ? answer.requests : []),
    );
    expect(open.every(isOpenRequest)).toBe(true);
    for (const request of open) {
      expect(request.tags).toMatchObject({ [TAG.owner]: 'me', [TAG.launch]: 't-1' });
      expect((request.validUntil ?? 0) - request.createdAt).toBeLessThanOrEqual(300_000);
    }
    expect(emulator.world.spotRequests().map(({ kind }) => kind)).toEqual(
      Array.from({ length: 3 }, () => 'one-time'),
    );
    expect(cloud.calls()['RequestSpotInstances']).toBe(1);
  });

  test('sent again with its token makes no further request', async () => {
    const { cloud, site, request, emulator } = await stage(empty);
    const order = { token: 't-1', count: 2, request: await request('t-1') };
    const first = await cloud.launch(site, order, forever);
    const again = await cloud.launch(site, order, forever);
    expect(again).toEqual(first);
    expect(emulator.world.spotRequests()).toHaveLength(2);
  });

  test('filled late, its machine is found by the request and known by tag once tagged', async () => {
    const { launch, cloud, site, look, emulator } = await stage(empty);
    await launch('t-1', 1);
    const requests = () => cloud.listSpotRequests(site, 'me', forever);
    await look(requests, (seen) => seen[0]?.status === 'capacity-not-available');
    emulator.world.capacity.set(place, 1);
    const [filled] = await look(requests, (seen) => seen[0]?.state === 'active');
    expect(await cloud.list(site, 'me', forever)).toEqual([]);
    await cloud.tagInstances(site, [filled?.instance ?? ''], filled?.tags ?? {}, forever);
    const listed = await look(
      () => cloud.listLaunches(site, ['t-1'], forever),
      (list) => list.length === 1,
    );
    expect(listed[0]).toMatchObject({ id: filled?.instance, market: 'spot' });
  });

  test('cancelled is over, also with an unknown one among them, and no machine is ended by it', async () => {
    const { launch, cloud, site, look, emulator } = await stage({ capacity: [{ ...place, count: 1 }] });
    const answer = await launch('t-1', 2);
    const ids = answer.kind === 'launched' ? [...(answer.requests ?? [])] : [];
    await look(
      () => cloud.listSpotRequests(site, 'me', forever),
      (seen) => seen.some(({ state }) => state === 'active'),
    );
    const done = await cloud.cancelSpotRequests(site, [...ids, 'sir-00000000'], forever);
    const byId = new Map(done.map((one) => [one.id, one]));
    expect(ids.map((id) => byId.get(id)?.kind)).toEqual(['done', 'done']);
    expect(byId.get('sir-00000000')).toMatchObject({ kind: 'failed', outcome: { kind: 'not-found' } });
    const states = (await cloud.listSpotRequests(site, 'me', forever)).map(({ status }) => status);
    expect(new Set(states)).toEqual(
      new Set(['canceled-before-fulfillment', 'request-canceled-and-instance-running']),
    );
    expect(emulator.world.instances().every(({ endingAt }) => endingAt === null)).toBe(true);
  });

  test('too new for EC2 to know it is not taken for cancelled', async () => {
    const { launch, cloud, site } = await stage({ ...empty, unseenMs: 60_000 });
    const answer = await launch('t-1', 1);
    const ids = answer.kind === 'launched' ? (answer.requests ?? []) : [];
    expect(await cloud.cancelSpotRequests(site, ids, forever)).toMatchObject([
      { kind: 'failed', outcome: { kind: 'not-found' } },
    ]);
  });

  test('at a full quota is refused: open requests count like machines', async () => {
    const { launch } = await stage({ ...empty, quotas: [{ market: 'spot', class: 'standard', vcpus: 6 }] });
    expect(await launch('t-1', 3)).toMatchObject({ kind: 'launched', short: 0 });
    expect(await launch('t-2', 1)).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'quota', scope: 'market', quota: { id: 'L-34B43A08' } },
    });
  });

  test('whose requests are over brings the reason when it is sent again', async () => {
    const { cloud, site, request, launch } = await stage({ ...empty, unseenMs: 0 });
    const order = { token: 't-1', count: 1, request: await request('t-1') };
    const first = await cloud.launch(site, order, forever);
    await cloud.cancelSpotRequests(site, first.kind === 'launched' ? (first.requests ?? []) : [], forever);
    expect(await cloud.launch(site, order, forever)).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'insufficient-capacity', scope: 'offering' },
    });
    expect(await launch('t-2', 1)).toMatchObject({ kind: 'launched' });
  });

  test('machines on demand of the same pool go the plain way', async () => {
    const { launch, cloud } = await stage(empty);
    expect(await launch('t-1', 1, { market: 'on-demand', markets: ['on-demand'] })).toMatchObject({
      kind: 'launched',
      instances: [{ market: 'on-demand' }],
    });
    expect(cloud.calls()).toMatchObject({ RunInstances: 1 });
  });
});

describe('leftovers', () => {
  test('are volumes without an instance, open requests and templates of the owner, and go', async () => {
    const { launch, cloud, site, look, emulator } = await stage(empty);
    await launch('t-1', 1);
    await launch('t-2', 1, {
      way: 'fleet',
      market: 'on-demand',
      markets: ['on-demand'],
      instanceTypes: ['m5.xlarge'],
    });
    const { volumes } = emulator.world.region('eu-central-1');
    const [instance] = emulator.world.instances();
    Object.assign(volumes.find(instance?.volume.id ?? '') ?? {}, { deleteOnTermination: false });
    expect((await cloud.listLeftovers(site, 'me', forever)).map(({ kind }) => kind).toSorted()).toEqual([
      'launch-template',
      'spot-request',
    ]);
    await look(
      () => cloud.list(site, 'me', forever),
      (list) => list[0]?.state === 'running',
    );
    await cloud.terminate(site, [instance?.id ?? ''], forever);
    const found = await look(
      () => cloud.listLeftovers(site, 'me', forever),
      (seen) => seen.length === 3,
    );
    expect(found.map(({ kind }) => kind).toSorted()).toEqual(['launch-template', 'spot-request', 'volume']);
    expect(await cloud.listLeftovers(site, 'somebody', forever)).toEqual([]);
    const removed = await cloud.removeLeftovers(site, found, forever);
    expect(removed.map(({ kind }) => kind)).toEqual(['done', 'done', 'done']);
    expect(await cloud.listLeftovers(site, 'me', forever)).toEqual([]);
    expect((await cloud.removeLeftovers(site, found, forever)).map(({ kind }) => kind)).toEqual([
      'done',
      'done',
      'done',
    ]);
  });

  test('that cannot be removed say why, and the others still go', async () => {
    const { launch, cloud, site, emulator } = await stage({ ...empty, unseenMs: 0 });
    await launch('t-1', 1, { market: 'on-demand', markets: ['on-demand'] });
    await launch('t-2', 1);
    const id = emulator.world.instances()[0]?.volume.id ?? '';
    const attached = { kind: 'volume', id, detail: 'available', createdAt: 0, tags: {} } as const;
    const removed = await cloud.removeLeftovers(
      site,
      [attached, ...(await cloud.listLeftovers(site, 'me', forever))],
      forever,
    );
    expect(removed.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toMatchObject([
      { kind: 'done' },
      { id, kind: 'failed', outcome: { code: 'VolumeInUse' } },
    ]);
  });
});

describe('prices', () => {
  const offering = (type: string, market: 'spot' | 'on-demand', zone: string | null = 'eu-central-1a') => ({
    type,
    zone,
    market,
  });

  test('of spot come from the history at once for all types, and are remembered', async () => {
    const { cloud, site, emulator } = await stage();
    emulator.world.prices.set({ type: 'm5.large', zone: 'eu-central-1a' }, 0.031);
    const offerings = ['m5.large', 'c5.large'].map((type) => offering(type, 'spot'));
    const found = await cloud.prices(site, { offerings, own: null }, forever);
    expect(found.get('m5.large:eu-central-1a:spot')).toMatchObject({
      usdPerHour: 0.031,
      source: 'EC2 spot price history',
    });
    expect(found.get('c5.large:eu-central-1a:spot')?.usdPerHour).toBeGreaterThan(0);
    await cloud.prices(site, { offerings, own: null }, forever);
    expect(cloud.calls()).toEqual({ DescribeSpotPriceHistory: 1 });
  });

  test('that nobody knows are unknown; the own table goes before the one that comes along', async () => {
    const { cloud, site } = await stage();
    const offerings = [offering('m5zn.large', 'on-demand'), offering('m5zn.large', 'spot', null)];
    const none = await cloud.prices(site, { offerings, own: null }, forever);
    expect([...none.values()]).toEqual([null, null]);
    const own = {
      source: 'ours',
      asOf: '2026-11-01',
      prices: ['m5zn.large', 'm5.large'].map((type) => ({ region: 'eu-central-1', type, usdPerHour: 0.2 })),
    };
    const known = offering('m5.large', 'on-demand');
    const before = await cloud.prices(site, { offerings: [known], own: null }, forever);
    expect([...before.values()]).toMatchObject([{ usdPerHour: 0.115 }]);
    const found = await cloud.prices(site, { offerings: [...offerings, known], own }, forever);
    expect(found.get('m5zn.large:eu-central-1a:on-demand')?.source).toBe('ours');
    expect(found.get('m5.large:eu-central-1a:on-demand')).toEqual({
      usdPerHour: 0.2,
      source: 'ours',
      asOf: '2026-11-01',
    });
  });

  test('that cannot be looked up are an error before the first time only', async () => {
    const { cloud, site, emulator } = await stage();
    const fault = { code: 'UnauthorizedOperation', action: 'DescribeSpotPriceHistory' };
    emulator.world.faults.set({ ...fault, rate: 1 });
    const asked = { offerings: [offering('m5.large', 'spot')], own: null };
    await expect(cloud.prices(site, asked, forever)).rejects.toThrow(/UnauthorizedOperation/);
  });
});
