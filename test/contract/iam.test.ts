// The printed policy against the calls that are really made, in both directions: each configuration is put through all
// that the cloud port can do for it on the emulated cloud, and every call that the adapter holds must be in the table.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createCloud } from '../../src/adapters/aws/create-cloud.ts';
import { createNotices } from '../../src/adapters/aws/create-notices.ts';
import { createSecretParameters } from '../../src/adapters/aws/secret-parameters.ts';
import { createSsmParameters } from '../../src/adapters/aws/ssm-parameters.ts';
import { loadConfig } from '../../src/adapters/config/load.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { buildRequest } from '../../src/domain/build-request.ts';
import type { CloudSite, Config, PoolSpec } from '../../src/domain/config.ts';
import { callsOf, type Feature, featuresOf, grants } from '../../src/domain/iam-grants.ts';
import { iamPolicy } from '../../src/domain/iam-policy.ts';
import { TAG } from '../../src/domain/instance.ts';
import type { ResolvedLaunch } from '../../src/domain/launch.ts';
import { type Emulator, startEmulator } from '../../src/emulator/start-emulator.ts';
import { createConfigFolder, runnerText } from '../support/config-folder.ts';
import { forever, keepingLog } from '../unit/adapters/aws/specimens.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

const clock = createClock();

async function read(options: readonly string[], own: string): Promise<Config> {
  const runner = folder.write('runner.toml', runnerText({ options }));
  const text = `[hostler]\nowner = "me"\nrunner_config = "${runner}"\n${own}`;
  return await loadConfig({ path: folder.write('own.toml', text), env: { HOME: '/nowhere' }, zone: 'UTC' });
}

/** All that a daemon does with one pool. */
async function live(
  pool: PoolSpec,
  cloud: ReturnType<typeof createCloud>,
  emulator: Emulator,
): Promise<void> {
  const { launch } = pool;
  const { site } = launch;
  const resolved = await cloud.resolve(launch, forever);
  const tags = { [TAG.owner]: 'me', [TAG.manager]: 'm', [TAG.pool]: pool.id };
  for (const market of launch.markets) {
    const all = resolved.places.filter((place) => place.market === market);
    // Twice all places with another disk, and once a single one, as when the others rest.
    for (const [rootSizeGb, places] of [
      [16, all],
      [17, all],
      [18, all.slice(0, 1)],
    ] as const) {
      const token = `t-${market}-${rootSizeGb}`;
      const extra = { userData: '', tags: { ...tags, [TAG.launch]: token }, places, at: clock.now() };
      const request = buildRequest({ ...launch, rootSizeGb }, resolved, extra);
      const answer = await cloud.launch(site, { token, count: 1, request }, forever);
      expect(answer).toMatchObject({ kind: 'launched' });
    }
  }
  await cloud.listLaunches(site, ['t-spot-16'], forever);
  if (launch.markets.includes('spot')) {
    await meetSpotQuota(cloud, emulator, site, { pool, resolved, tags });
    const offerings = resolved.places.map(({ type, zone, market }) => ({ type, zone, market }));
    await cloud.prices(site, { offerings, own: null }, forever);
    const requests = await cloud.listSpotRequests(site, 'me', forever);
    if (launch.way === 'spot-request') {
      const instances = emulator.world.instances().map(({ id }) => id);
      await cloud.tagInstances(site, instances, tags, forever);
    }
    await cloud.cancelSpotRequests(
      site,
      requests.map(({ id }) => id),
      forever,
    );
  }
  const instances = await cloud.list(site, 'me', forever);
  const ids = instances.map(({ id }) => id);
  await cloud.consoleOutput(site, ids[0] ?? '', forever);
  await cloud.terminate(site, ids, forever);
  const leftovers = await cloud.listLeftovers(site, 'me', forever);
  const volume = { kind: 'volume', id: 'vol-0123456789abcdef0', detail: '', createdAt: 0, tags: {} } as const;
  await cloud.removeLeftovers(site, [...leftovers, volume], forever);
}

/** A refused launch, whose message names the quota with its value. */
async function meetSpotQuota(
  cloud: ReturnType<typeof createCloud>,
  emulator: Emulator,
  site: CloudSite,
  of: { pool: PoolSpec; resolved: ResolvedLaunch; tags: Readonly<Record<string, string>> },
): Promise<void> {
  const quota = { market: 'spot', class: 'standard' } as const;
  emulator.world.quotas.set(quota, 1);
  const places = of.resolved.places.filter(({ market }) => market === 'spot');
  const token = 't-quota';
  const extra = { userData: '', tags: { ...of.tags, [TAG.launch]: token }, places, at: clock.now() };
  const request = buildRequest(of.pool.launch, of.resolved, extra);
  const answer = await cloud.launch(site, { token, count: 1, request }, forever);
  emulator.world.quotas.set(quota, null);
  const message = expect.stringContaining('quota L-34B43A08, All Standard');
  expect(answer).toMatchObject({ kind: 'refused', outcome: { kind: 'quota', message } });
  expect(answer).toMatchObject({ outcome: { quota: { vcpus: 1 } } });
}

/** Every call that a daemon with this configuration makes. */
async function callsMade(config: Config, emulator: Emulator): Promise<string[]> {
  const cloud = createCloud({ clock, log: keepingLog(), env: {}, managerAddresses: () => ['10.0.0.5'] });
  const notices = createNotices({ clock });
  const secrets = createSecretParameters({ clock, log: keepingLog(), env: {}, onCall: () => undefined });
  for (const pool of config.pools) {
    await live(pool, cloud, emulator);
    const { interruptionQueue: url, launch } = pool;
    const token = pool.queue?.token;
    if (token?.kind === 'ssm') {
      const { parameters } = emulator.world.region(token.site.region);
      const secure = { type: 'SecureString', tier: 'Standard', overwrite: false } as const;
      parameters.put({ name: token.name, value: 'glpat-token', ...secure });
      await secrets.read(token, forever);
    }
    if (url !== null) await (await notices.poll({ site: launch.site, url }, forever)).acknowledge(forever);
  }
  const [first] = config.pools;
  if (config.settings.keys.startsWith('ssm:') && first !== undefined) {
    const path = config.settings.keys.slice('ssm:'.length);
    const deps = { clock, log: keepingLog(), env: {}, stop: forever };
    const parameters = createSsmParameters(first.launch.site, path, deps);
    await parameters.create('ca', 'x', 'SecureString');
    await parameters.get('ca');
    parameters.close();
  }
  cloud.close();
  notices.close();
  secrets.close();
  const made = {
    ...emulator.calls(),
    ...emulator.ssmCalls(),
    ...emulator.sqsCalls(),
    ...emulator.quotaCalls(),
  };
  return Object.keys(made).toSorted((a, b) => (a < b ? -1 : 1));
}

/** `strict`: groups and subnets that nobody made do not exist, so that they are made. */
async function stage(options: readonly string[], own: (emulator: Emulator) => string, strict = true) {
  const emulator = await startEmulator({
    bootMs: 0,
    unseenMs: 0,
    strict,
    startHost: async () => await Promise.resolve({ close: async () => await Promise.resolve() }),
  });
  try {
    const at = ['amazonec2-region=eu-central-1', `amazonec2-endpoint=${emulator.endpoint}`];
    const keys = ['amazonec2-access-key=AKIDTEST', 'amazonec2-secret-key=not-for-any-log'];
    const config = await read([...at, ...keys, ...options], own(emulator));
    return { config, calls: await callsMade(config, emulator) };
  } finally {
    await emulator.close();
  }
}

const subnets = (emulator: Emulator) =>
  emulator.world
    .region('eu-central-1')
    .networks.defaultSubnets()
    .map(({ id }) => `"${id}"`)
    .join(', ');

describe('the policy', () => {
  test.each<[string, readonly string[], (emulator: Emulator) => string, strict?: false]>([
    ['a plain file on demand', ['amazonec2-instance-type=m5.large'], () => ''],
    [
      'a plain spot file with ids for all',
      [
        'amazonec2-ami=ami-0123456789abcdef0',
        'amazonec2-vpc-id=vpc-0a1b2c3d',
        'amazonec2-subnet-id=subnet-0a1b2c3d',
        'amazonec2-security-group=sg-0123456789abcdef0',
        'amazonec2-request-spot-instance=true',
        'amazonec2-spot-price=',
      ],
      () => '',
      false,
    ],
    [
      'fleets over many places with fallback, events and keys in SSM',
      ['amazonec2-iam-instance-profile=ci-hosts'],
      (emulator) =>
        `keys = "ssm:/hostler/ci"
interruption_queue = "${emulator.endpoint}/123456789012/events"
[[pools]]
name = "build"
instance_types = ["m5.large", "m6i.large"]
subnets = [${subnets(emulator)}]
markets = ["spot", "on-demand"]`,
    ],
    [
      'a GitLab token in SSM beside an image by id',
      [
        'amazonec2-ami=ami-0123456789abcdef0',
        'amazonec2-instance-type=m5.large',
        'amazonec2-security-group-readonly=true',
        'amazonec2-security-group=default',
      ],
      () => '[[pools]]\nname = "build"\n[pools.queue]\ntoken = "ssm:/ci/token"',
      false,
    ],
    [
      'spot requests',
      [
        'amazonec2-request-spot-instance=true',
        'amazonec2-spot-price=',
        'amazonec2-security-group-readonly=true',
        'amazonec2-security-group=default',
      ],
      () => '[[pools]]\nname = "build"\nlaunch = "spot-request"',
      false,
    ],
  ])('of %s allows exactly the calls that are made', async (_name, options, own, strict) => {
    const { config, calls } = await stage(options, own, strict);
    // Old versions go when there are more than twenty; nobody makes as many here.
    const allowed = callsOf(featuresOf(config)).filter((call) => call !== 'DeleteLaunchTemplateVersions');
    expect(calls).toEqual(allowed);
  });

  test('knows every call that the adapter holds, and no other', () => {
    const source = join(import.meta.dirname, '../../src/adapters/aws');
    const texts = readdirSync(source).map((file) => readFileSync(join(source, file), 'utf8'));
    const imports = texts.flatMap((text) => [
      ...text.matchAll(/const \{([^}]*)\} = await import\(\s*'@aws-sdk\//g),
    ]);
    const held = imports.flatMap(([, names = '']) =>
      [...names.matchAll(/(\w+)Command\b/g)].map(([, name]) => name),
    );
    const all = new Set(grants.flatMap(({ features }) => features)) as ReadonlySet<Feature>;
    expect([...new Set(held)].toSorted((a = '', b = '') => (a < b ? -1 : 1))).toEqual(callsOf(all));
  });

  test('holds no permission to end, change or tag what is not the owner’s', async () => {
    const { config } = await stage(
      ['amazonec2-instance-type=m5.large', 'amazonec2-request-spot-instance=true', 'amazonec2-spot-price='],
      () => '',
    );
    const { Statement } = iamPolicy(config);
    for (const { Action, Condition, Sid } of Statement) {
      if (!Action.some((action) => /^ec2:(Terminate|Delete|Cancel|CreateTags|GetConsole)/.test(action)))
        continue;
      expect([Sid, JSON.stringify(Condition)]).toEqual([Sid, expect.stringMatching(/hostler:owner":"me"/)]);
    }
  });
});
