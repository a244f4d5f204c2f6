// Types, subnets, markets, ways and the rules beside them: what each key comes to, and what contradicts itself.
import { afterAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../../../src/adapters/config/load.ts';
import type { ConfigIssue, PoolSpec } from '../../../../src/domain/config.ts';
import { createConfigFolder, plainOptions, runnerText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

async function read(
  own: string,
  options: readonly string[] = plainOptions,
  env: Record<string, string> = {},
  daemon = '',
): Promise<{ pool: PoolSpec | undefined; issues: readonly ConfigIssue[] }> {
  const runner = folder.write('runner.toml', runnerText({ options }));
  const text = `[hostler]\nrunner_config = "${runner}"\n${daemon}\n[[pools]]\nname = "build"\n${own}\n`;
  const path = folder.write('own.toml', text);
  const { config, issues } = await readConfig({ path, env: { HOME: '/nowhere', ...env }, zone: 'UTC' });
  return { pool: config?.pools[0], issues };
}

async function good(...args: Parameters<typeof read>): Promise<PoolSpec> {
  const { pool, issues } = await read(...args);
  if (pool === undefined) throw new Error(JSON.stringify(issues));
  return pool;
}

const refusal = async (...args: Parameters<typeof read>) =>
  (await read(...args)).issues.map(({ message }) => message)[0];
const spot = [...plainOptions, 'amazonec2-request-spot-instance=true', 'amazonec2-spot-price='];
const codes = async (...args: Parameters<typeof read>) =>
  (await read(...args)).issues.map(({ code }) => code);

describe('without a key of ours', () => {
  test('a pool has one type, one subnet, one market, and launches by itself', async () => {
    expect(await good('')).toMatchObject({
      launch: {
        instanceType: 'm5.large',
        instanceTypes: ['m5.large'],
        needs: null,
        subnetIds: ['subnet-0a1b2c3d'],
        market: 'on-demand',
        markets: ['on-demand'],
        way: 'auto',
        template: null,
      },
      onDemand: { kind: 'never' },
      fallbackAfterMs: 60_000,
      rebalance: 'drain',
      failedLaunchesPerMinute: 6,
      interruptionQueue: null,
    });
  });

  test("CKI's repeated options are a choice, and its words for fleets count", async () => {
    const options = [
      ...spot,
      'amazonec2-instance-type=m6i.large',
      'amazonec2-subnet-id=subnet-0b',
      'amazonec2-use-fleet=true',
      'amazonec2-launch-template=ci-hosts',
      'amazonec2-root-size=40',
      'amazonec2-metadata-token=optional',
    ];
    const { launch } = await good('', options);
    expect(launch).toMatchObject({
      instanceTypes: ['m5.large', 'm6i.large'],
      subnetIds: ['subnet-0a1b2c3d', 'subnet-0b'],
      zone: null,
      way: 'fleet',
      template: { name: 'ci-hosts', overrides: ['disk', 'metadata'] },
    });
    expect(await codes('', options)).toEqual([]);
  });
});

describe('types', () => {
  test('by name go before the options', async () => {
    const { launch } = await good('instance_types = ["c5.large", "c6i.large", "c5.large"]');
    expect([launch.instanceType, launch.instanceTypes]).toEqual(['c5.large', ['c5.large', 'c6i.large']]);
  });

  test('by need leave the options behind', async () => {
    const { launch } = await good('vcpus = "4-8"\nmemory_gib = 16\narchitecture = "arm64"');
    expect(launch).toMatchObject({
      instanceTypes: [],
      needs: {
        vcpus: { least: 4, most: 8 },
        memoryGib: { least: 16, most: 16 },
        architecture: 'arm64',
      },
    });
  });

  test('a range may be open above, and come from the environment', async () => {
    const env = { HOSTLER_POOL_BUILD__VCPUS: '8-' };
    expect((await good('', plainOptions, env)).launch.needs).toMatchObject({
      vcpus: { least: 8, most: null },
      memoryGib: { least: 1, most: null },
    });
  });

  test.each([
    ['vcpus = "8-4"', /must be vCPUs: a number, a range/],
    ['vcpus = 0', /must be vCPUs/],
    ['vcpus = "many"', /must be vCPUs/],
    ['instance_types = []', /must name one at least/],
    ['instance_types = ["m5"]', /must be a list of instance types/],
    ['instance_types = "m5.large"', /must be a list of instance types/],
    ['instance_types = ["m5.large", "m6g.large"]', /m5\.large and m6g\.large have different processors/],
    ['instance_types = ["m5.large"]\nvcpus = 4', /give one of both/],
    ['architecture = "riscv"\nvcpus = 4', /must be one of x86_64, arm64/],
  ])('%s is refused in words', async (own, words) => {
    expect(await refusal(own)).toMatch(words);
  });

  test('an architecture alone has no effect, and that is said', async () => {
    expect(await codes('architecture = "arm64"')).toEqual(['architecture-alone']);
  });
});

describe('markets', () => {
  test.each<[string, readonly string[], object]>([
    ['', spot, { markets: ['spot'], rule: 'never' }],
    ['markets = ["spot"]', plainOptions, { markets: ['spot'], rule: 'never' }],
    ['markets = ["on-demand", "spot"]', plainOptions, { markets: ['spot', 'on-demand'], rule: 'when-short' }],
    ['on_demand = "when-short"', spot, { markets: ['spot', 'on-demand'], rule: 'when-short' }],
    ['on_demand = "30%"', spot, { markets: ['spot', 'on-demand'], rule: 'share' }],
    ['on_demand = 2', spot, { markets: ['spot', 'on-demand'], rule: 'base' }],
    ['on_demand = "2"', spot, { markets: ['spot', 'on-demand'], rule: 'base' }],
    ['on_demand = 0', spot, { markets: ['spot'], rule: 'never' }],
    ['markets = ["on-demand"]', spot, { markets: ['on-demand'], rule: 'never' }],
  ])('%s', async (own, options, wanted) => {
    const { launch, onDemand } = await good(own, options);
    expect({ markets: launch.markets, rule: onDemand.kind }).toEqual(wanted);
    expect(launch.market).toBe(launch.markets[0]);
  });

  test("spot by our own key has no cap unless one is given; docker-machine's way brings its default", async () => {
    expect((await good('markets = ["spot"]')).launch.maxPriceUsd).toBeNull();
    const priced = [...plainOptions, 'amazonec2-spot-price=0.04'];
    expect((await good('markets = ["spot"]', priced)).launch.maxPriceUsd).toBe('0.04');
    const asked = [...plainOptions, 'amazonec2-request-spot-instance=true'];
    expect((await good('', asked)).launch.maxPriceUsd).toBe('0.50');
  });

  test.each([
    ['markets = ["spot"]\non_demand = "when-short"', /leaves "on-demand" out/],
    ['markets = ["spot", "on-demand"]\non_demand = "never"', /contradicts markets/],
    ['markets = ["reserved"]', /must be a list of "spot", "on-demand" or both/],
    ['on_demand = "130%"', /must be "never", "when-short", a share/],
    ['on_demand = "sometimes"', /must be "never"/],
    ['on_demand = -1', /must be "never"/],
  ])('%s is refused in words', async (own, words) => {
    expect(await refusal(own, spot)).toMatch(words);
  });

  test('a rule for machines on demand has no effect where all are, and that is said', async () => {
    expect(await codes('on_demand = "when-short"')).toEqual(['on-demand-alone']);
  });
});

describe('ways', () => {
  test.each(['persistent', 'maintain', 'request'])('launch = "%s" is refused, and why', async (way) => {
    expect(await refusal(`launch = "${way}"`, spot)).toMatch(
      /must not be persistent: EC2 starts an untagged copy/,
    );
  });

  test('another word is refused with those there are', async () => {
    expect(await refusal('launch = "asg"', spot)).toMatch(
      /must be one of auto, run-instances, fleet, spot-request/,
    );
  });

  test('a spot request needs a spot pool', async () => {
    expect(await refusal('launch = "spot-request"')).toMatch(/needs a spot pool/);
    expect((await good('launch = "spot-request"', spot)).launch.way).toBe('spot-request');
  });

  test('a launch template needs a fleet, and decides what an override cannot', async () => {
    const options = [...spot, 'amazonec2-launch-template=ci-hosts', 'amazonec2-monitoring=true'];
    expect(await codes('', options)).toEqual(['template-decides']);
    expect(await codes('launch = "run-instances"', options)).toEqual(['template-unused']);
    expect((await good('launch = "run-instances"', options)).launch.template).toBeNull();
  });

  test('a zone beside several subnets has no effect, and that is said', async () => {
    const options = [...plainOptions, 'amazonec2-subnet-id=subnet-0b', 'amazonec2-zone=c'];
    expect(await codes('', options)).toEqual(['zone-beside-subnets']);
    expect((await good('', options)).launch.zone).toBeNull();
  });
});

describe('the queue of events', () => {
  const url = 'https://sqs.eu-central-1.amazonaws.com/123456789012/hostler';

  test('of the daemon is for pools of its region, one of the pool for the pool', async () => {
    expect((await good('', plainOptions, {}, `interruption_queue = "${url}"`)).interruptionQueue).toBe(url);
    const elsewhere = url.replace('eu-central-1', 'us-east-1');
    expect(
      (await good('', plainOptions, {}, `interruption_queue = "${elsewhere}"`)).interruptionQueue,
    ).toBeNull();
    const own = 'http://127.0.0.1:8900/123456789012/q';
    const pool = await good(
      `interruption_queue = "${own}"`,
      plainOptions,
      {},
      `interruption_queue = "${url}"`,
    );
    expect(pool.interruptionQueue).toBe(own);
  });

  test('of a pool in another region is a slip', async () => {
    const elsewhere = url.replace('eu-central-1', 'us-east-1');
    expect(await refusal(`interruption_queue = "${elsewhere}"`)).toMatch(
      /is in us-east-1, the pool's machines are in/,
    );
    expect(await refusal('interruption_queue = "hostler"')).toMatch(/must be the URL of an SQS queue/);
  });
});

describe('the file of prices', () => {
  const withPrices = (text: string) => {
    const path = folder.write('prices.toml', text);
    return readConfig({
      path: folder.write(
        'priced.toml',
        `[hostler]\nprices = "prices.toml"\nrunner_config = "${folder.write('runner.toml', runnerText())}"\n`,
      ),
      env: { HOME: '/nowhere' },
      zone: 'UTC',
    }).then(({ config, issues }) => ({ config, issues, path }));
  };

  test('is read with its source and date, below the folder of our file', async () => {
    const { config, path } = await withPrices(
      'source = "our list"\ndate = 2026-11-01\n[prices.eu-central-1]\n"m5.large" = 0.115\n',
    );
    expect(config?.settings.prices).toEqual({
      source: 'our list',
      asOf: '2026-11-01',
      prices: [{ region: 'eu-central-1', type: 'm5.large', usdPerHour: 0.115 }],
    });
    expect(config?.files).toContain(path);
  });

  test.each([
    ['source = "x"\ndate = "soon"\n[prices]', /must be a date/],
    ['source = "x"\ndate = 2026-11-01\n[prices.eu-central-1]\n"m5.large" = "cheap"\n', /must be USD an hour/],
    ['source = "x"\ndate = 2026-11-01\n[prices.eu-central-1]\n"m5.large" = -1\n', /must be above 0/],
    ['source = "x"\ndate = 2026-11-01\ncurrency = "EUR"\n[prices]', /unknown key "currency"/],
    ['source = "x"\ndate = 2026-11-01\n[prices.Frankfurt]\n"m5.large" = 1\n', /region/],
    ['source = ', /TOML syntax/],
  ])('%j is refused with its place', async (text, words) => {
    const { config, issues } = await withPrices(text);
    expect(config).toBeNull();
    expect(issues[0]?.message).toMatch(words);
    expect(issues[0]?.where).toMatch(/prices\.toml/);
  });

  test('that is not there is refused', async () => {
    const { pool, issues } = await read('', plainOptions, {}, 'prices = "/no/such/file"');
    expect([pool, issues[0]?.message]).toEqual([undefined, expect.stringMatching(/no such file/)]);
  });
});
