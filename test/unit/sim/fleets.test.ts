// Fleets, launch templates, quotas, volumes and events of the modelled EC2, on a timeline moved by hand.
import { describe, expect, test } from 'vitest';
import type { FleetOverride, FleetWish } from '../../../src/sim/fleet-wish.ts';
import { ask, codeOf, createFixture, type Fixture, one, query, spot } from './sim-fixture.ts';

const override = (over: Partial<FleetOverride> = {}): FleetOverride => ({
  type: 'm5.large',
  subnetId: null,
  zone: 'eu-central-1a',
  maxPrice: null,
  priority: null,
  imageId: null,
  keyName: null,
  profile: null,
  volumes: [],
  metadata: null,
  ...over,
});

const key = { id: null, name: 'tmpl' };

function withTemplate(options: Parameters<typeof createFixture>[0] = {}): Fixture {
  const fixture = createFixture(options);
  fixture.region.templates.create({
    name: 'tmpl',
    description: 'first',
    data: ask({ minCount: null, maxCount: null, type: null }),
    tags: [],
  });
  return fixture;
}

const wish = (
  over: Partial<FleetWish> = {},
  overrides: readonly FleetOverride[] = [override()],
): FleetWish => ({
  type: 'instant',
  total: 1,
  market: 'spot',
  strategy: 'price-capacity-optimized',
  maxTotalPrice: null,
  configs: [{ template: key, version: '1', userData: null, overrides }],
  token: null,
  tags: [],
  ...over,
});

describe('fleets', () => {
  test('place errors tell type and zone, and stand beside what was launched', () => {
    const { region, world } = withTemplate();
    world.capacity.set({ type: 'm5.large', zone: 'eu-central-1a', market: 'spot' }, 1);
    world.prices.set({ type: 'm5.large', zone: 'eu-central-1b' }, 9);
    const places = [override(), override({ zone: 'eu-central-1b', maxPrice: '0.5' })];
    const { launched, errors } = region.createFleet(wish({ total: 3 }, places));
    expect(launched.map(({ instances }) => instances.length)).toEqual([1]);
    expect(errors.map(({ code, place }) => `${code} ${place.override.zone}`)).toEqual([
      'SpotMaxPriceTooLow eu-central-1b',
    ]);
  });

  test('a price for all together bounds their number', () => {
    const { region, world } = withTemplate();
    world.prices.set({ type: 'm5.large', zone: 'eu-central-1a' }, 0.1);
    const { launched } = region.createFleet(wish({ total: 5, maxTotalPrice: 0.3 }));
    expect(launched.flatMap(({ instances }) => instances)).toHaveLength(3);
  });

  test('user data and fields of an override go over the template', () => {
    const { region } = withTemplate();
    const places = [override({ keyName: 'ops', imageId: 'ami-0aaaaaaaaaaaaaaaa' })];
    const config = { template: key, version: '$Latest', userData: 'aGk=', overrides: places };
    const { launched } = region.createFleet(wish({ configs: [config] }));
    expect(one(launched.flatMap(({ instances }) => instances))).toMatchObject({
      keyName: 'ops',
      imageId: 'ami-0aaaaaaaaaaaaaaaa',
      userData: 'aGk=',
    });
  });

  test('a token brings the same machines, another wish with it is refused', () => {
    const { region } = withTemplate();
    const first = region.createFleet(wish({ token: 't' }));
    expect(region.createFleet(wish({ token: 't' }))).toBe(first);
    expect(codeOf(() => region.createFleet(wish({ token: 't', total: 2 })))).toBe(
      'IdempotentParameterMismatch',
    );
  });

  test.each<[string, FleetWish, string]>([
    ['that maintains a size', wish({ type: 'maintain' }), 'UnsupportedOperation'],
    ['of nothing', wish({ total: 0 }), 'InvalidParameterValue'],
    ['without a number', wish({ total: null }), 'MissingParameter'],
    ['by a strategy of the other market', wish({ strategy: 'prioritized' }), 'InvalidParameterValue'],
    ['without a template', wish({ configs: [] }), 'MissingParameter'],
    [
      'over a template that is not there',
      wish({
        configs: [{ template: { id: null, name: 'other' }, version: '1', userData: null, overrides: [] }],
      }),
      'InvalidLaunchTemplateName.NotFoundException',
    ],
    [
      'over a version that is not there',
      wish({ configs: [{ template: key, version: '7', userData: null, overrides: [] }] }),
      'InvalidLaunchTemplateId.VersionNotFound',
    ],
    [
      'that tags what it does not make',
      wish({ tags: [{ resource: 'spot-instances-request', tags: [] }] }),
      'InvalidParameterValue',
    ],
  ])('one %s is refused', (_what, asked, code) => {
    const { region } = withTemplate();
    expect(codeOf(() => region.createFleet(asked))).toBe(code);
  });

  test('two subnets of one zone are refused', () => {
    const { region } = withTemplate();
    const [home] = region.networks.defaultSubnets();
    region.networks.addSubnet('subnet-0a1b2c3d', home?.vpcId ?? '', 'eu-central-1a');
    const places = [home?.id ?? '', 'subnet-0a1b2c3d'].map((subnetId) => override({ subnetId }));
    expect(codeOf(() => region.createFleet(wish({}, places)))).toBe('InvalidParameterCombination');
  });

  test('on demand over a template that tags spot requests is refused, as EC2 does', () => {
    const { region } = createFixture();
    const tags = [{ resource: 'spot-instances-request', tags: [{ key: 'a', value: 'b' }] }];
    region.templates.create({ name: 'tmpl', description: '', data: ask({ tags }), tags: [] });
    const asked = wish({ market: 'on-demand', strategy: 'lowest-price' });
    expect(codeOf(() => region.createFleet(asked))).toBe('InvalidParameterValue');
  });
});

describe('launch templates', () => {
  test('number their versions for ever and keep the default', () => {
    const { region } = withTemplate();
    const { templates } = region;
    const data = ask();
    expect(templates.createVersion(key, 'second', data).number).toBe(2);
    expect(templates.removeVersions(key, ['2', '1', '9']).map(({ isDeleted }) => isDeleted)).toEqual([
      true,
      false,
      false,
    ]);
    expect(templates.createVersion(key, 'third', data).number).toBe(3);
    expect(templates.version(key, '$Latest').number).toBe(3);
    expect(templates.version(key, '$Default').number).toBe(1);
  });

  test('page their versions from the newest', () => {
    const { region } = withTemplate();
    const { templates } = region;
    for (let more = 0; more < 7; more += 1) templates.createVersion(key, `more ${more}`, ask());
    const first = templates.describeVersions(key, {
      ...query({ page: { maxResults: 5, nextToken: null } }),
      numbers: [],
    });
    expect(first.things.map(({ number }) => number)).toEqual([8, 7, 6, 5, 4]);
    const page = { maxResults: 5, nextToken: first.nextToken };
    const second = templates.describeVersions(key, { ...query({ page }), numbers: [] });
    expect(second.things.map(({ number }) => number)).toEqual([3, 2, 1]);
  });

  test('share no name', () => {
    const { region } = withTemplate();
    const again = { name: 'tmpl', description: '', data: ask(), tags: [] };
    expect(codeOf(() => region.templates.create(again))).toBe(
      'InvalidLaunchTemplateName.AlreadyExistsException',
    );
  });
});

describe('quotas', () => {
  test('count placed machines by class and market, and open spot requests', () => {
    const { world, region, timeline } = createFixture();
    world.quotas.set({ market: 'spot', class: 'standard' }, 8);
    expect(region.runInstances(ask({ spot: spot(), maxCount: 9 }))).toHaveLength(4);
    expect(codeOf(() => region.runInstances(ask({ spot: spot() })))).toBe('MaxSpotInstanceCountExceeded');
    expect(region.runInstances(ask({ spot: spot(), type: 'g5.xlarge' }))).toHaveLength(1);
    expect(region.runInstances(ask())).toHaveLength(1);
    timeline.advance(3_000);
    const [first] = region.instances.all();
    region.terminateInstances([first?.id ?? '']);
    expect(codeOf(() => region.runInstances(ask({ spot: spot() })))).toBe('MaxSpotInstanceCountExceeded');
    timeline.advance(2_000);
    expect(region.runInstances(ask({ spot: spot() }))).toHaveLength(1);
  });

  test('on demand say their value', () => {
    const { world, region } = createFixture();
    world.quotas.set({ market: 'on-demand', class: 'standard' }, 1);
    expect(() => region.runInstances(ask())).toThrow(/vCPU limit of 1 allows/);
    world.quotas.set({ market: 'on-demand', class: 'standard' }, null);
    expect(region.runInstances(ask())).toHaveLength(1);
  });
});

describe('offerings', () => {
  test('what a zone does not offer is unsupported there', () => {
    const { world, region } = createFixture();
    world.offerings.set({ type: 'm5.large', zone: 'eu-central-1a' }, false);
    expect(codeOf(() => region.runInstances(ask({ zone: 'eu-central-1a' })))).toBe('Unsupported');
    expect(region.runInstances(ask({ zone: 'eu-central-1b' }))).toHaveLength(1);
  });
});

describe('volumes', () => {
  test('go with their machine, or stay where the launch said so', () => {
    const { region, timeline } = createFixture();
    const volume = { device: '/dev/sda1', sizeGb: 20, type: 'gp3', encrypted: true };
    const stays = ask({ volumes: [{ ...volume, deleteOnTermination: false }] });
    const made = [...region.runInstances(ask()), ...region.runInstances(stays)];
    timeline.advance(3_000);
    expect(codeOf(() => region.volumes.remove(made[1]?.volume.id ?? ''))).toBe('VolumeInUse');
    region.terminateInstances(made.map(({ id }) => id));
    timeline.advance(2_000);
    const left = region.volumes.describe(query()).things;
    expect(left).toMatchObject([
      { id: made[1]?.volume.id, state: 'available', instanceId: null, sizeGb: 20 },
    ]);
    region.volumes.remove(left[0]?.id ?? '');
    expect(codeOf(() => region.volumes.remove(left[0]?.id ?? ''))).toBe('InvalidVolume.NotFound');
  });
});

describe('events', () => {
  test('tell what befalls an instance in its order, to those who come later too', () => {
    const { world, region, timeline } = createFixture();
    const instance = one(region.runInstances(ask({ spot: spot() })));
    timeline.advance(3_000);
    region.unaskedEnds.advise(instance);
    region.unaskedEnds.reclaim(instance, 120_000);
    timeline.advance(122_000);
    const kinds = world.events
      .after(0)
      .map(({ kind, state }) => (state === null ? kind : `${kind} ${state}`));
    expect(kinds).toEqual([
      'state running',
      'rebalance',
      'interruption',
      'state shutting-down',
      'state terminated',
    ]);
    expect(world.events.after(3)).toHaveLength(2);
  });
});
