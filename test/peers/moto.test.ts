// A second opinion on the wire format: the cloud port against moto, an EC2 stand-in that others wrote. Not on behaviour:
// moto ignores client tokens and user data of fleets, launches MinCount only, takes a fleet's first override whatever it
// costs, fills spot requests at once and never closes them, has one price for all, and knows no capacity. Needs `moto_server` on the PATH, or its path
// in HOSTLER_MOTO_SERVER (pip install 'moto[server]'); without it everything here is skipped.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCloud } from '../../src/adapters/aws/create-cloud.ts';
import { createNotices } from '../../src/adapters/aws/create-notices.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { buildRequest } from '../../src/domain/build-request.ts';
import { TAG } from '../../src/domain/instance.ts';
import { outcomeOf } from '../../src/domain/outcome.ts';
import { forever, keepingLog, launchSpec, siteAt } from '../unit/adapters/aws/specimens.ts';

const command = process.env['HOSTLER_MOTO_SERVER'] ?? 'moto_server';
const isThere = (() => {
  try {
    execFileSync(command, ['--help'], { stdio: 'ignore', timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
})();
if (!isThere)
  console.warn(`skipped: ${command} is not installed (pip install 'moto[server]', HOSTLER_MOTO_SERVER=path)`);

/** An image that moto brings along, behind the parameter that AWS publishes for it. */
const AL2023 = 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe.skipIf(!isThere)('the cloud port against moto', () => {
  const clock = createClock();
  const cloud = createCloud({ clock, log: keepingLog(), env: {}, managerAddresses: () => ['10.0.0.5'] });
  let moto: ChildProcess;
  let site = siteAt(null);

  beforeAll(async () => {
    const port = await freePort();
    moto = spawn(command, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
    const endpoint = `http://127.0.0.1:${port}`;
    site = siteAt(endpoint);
    for (let look = 0; look < 200; look += 1) {
      if (
        await fetch(`${endpoint}/moto-api/`).then(
          (answer) => answer.ok,
          () => false,
        )
      )
        return;
      await clock.sleep(200);
    }
    throw new Error('moto did not come up');
  }, 60_000);

  afterAll(() => {
    cloud.close();
    moto.kill();
  });

  const spec = () =>
    launchSpec({ site, ami: AL2023, vpcId: null, subnetId: null, securityGroups: ['hosts'] });
  const launch = async (token: string, more: Partial<ReturnType<typeof launchSpec>> = {}) =>
    await cloud.launch(
      site,
      {
        token,
        count: 1,
        request: buildRequest({ ...spec(), ...more }, await cloud.resolve(spec(), forever), {
          userData: 'aGk=',
          tags: { [TAG.owner]: 'me', [TAG.launch]: token },
        }),
      },
      forever,
    );

  test('launch options resolve: SSM parameter, image, default VPC, subnet, a new group with its rules', async () => {
    const resolved = await cloud.resolve(spec(), forever);
    expect(resolved).toMatchObject({
      imageId: expect.stringMatching(/^ami-/) as string,
      rootDevice: expect.stringMatching(/^\/dev\//) as string,
      subnetId: expect.stringMatching(/^subnet-/) as string,
      zone: expect.stringMatching(/^eu-central-1/) as string,
    });
    expect(resolved.securityGroupIds[0]).toMatch(/^sg-/);
    const again = await cloud.resolve({ ...spec(), openPorts: ['8080/tcp'] }, forever);
    expect(again.securityGroupIds).toEqual(resolved.securityGroupIds);
    expect(cloud.calls()).toMatchObject({ CreateSecurityGroup: 1, AuthorizeSecurityGroupIngress: 2 });
  });

  test.each(['on-demand', 'spot'] as const)(
    'an %s launch is listed with its tags and ends',
    async (market) => {
      const answer = await launch(`t-${market}`, { market });
      expect(answer).toMatchObject({ kind: 'launched', instances: [{ market }] });
      const [found] = await cloud.listLaunches(site, [`t-${market}`], forever);
      expect(found).toMatchObject({
        state: 'running',
        market,
        type: 'm5.large',
        tags: { [TAG.owner]: 'me' },
      });
      expect(found?.privateAddress).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      const [ended] = await cloud.terminate(site, [found?.id ?? ''], forever);
      expect(ended).toMatchObject({ kind: 'accepted' });
      const [after] = await cloud.listLaunches(site, [`t-${market}`], forever);
      expect(after?.state).toBe('terminated');
    },
  );

  test('one unknown id in a batch fails alone', async () => {
    const answer = await launch('t-mixed');
    const id = answer.kind === 'launched' ? (answer.instances[0]?.id ?? '') : '';
    const answers = await cloud.terminate(site, ['i-0123456789abcdef0', id], forever);
    expect(answers).toMatchObject([{ kind: 'failed', outcome: { kind: 'not-found' } }, { kind: 'accepted' }]);
  });

  test('the console of an instance is text', async () => {
    const answer = await launch('t-console');
    const id = answer.kind === 'launched' ? (answer.instances[0]?.id ?? '') : '';
    expect(await cloud.consoleOutput(site, id, forever)).toBeTypeOf('string');
  });

  test('a subnet and a parameter that do not exist are configuration errors', async () => {
    const refused = async (more: Partial<ReturnType<typeof launchSpec>>) =>
      outcomeOf(await cloud.resolve({ ...spec(), ...more }, forever).catch((error: unknown) => error));
    expect(await refused({ subnetId: 'subnet-0123456789abcdef0' })).toMatchObject({ kind: 'invalid' });
    expect(await refused({ ami: 'resolve:ssm:/no/such' })).toMatchObject({ kind: 'invalid' });
  });

  const subnetsOf = async () => {
    const { EC2Client, DescribeSubnetsCommand } = await import('@aws-sdk/client-ec2');
    const credentials = { accessKeyId: 'AKIDTEST', secretAccessKey: 'x' };
    const client = new EC2Client({ endpoint: site.endpoint ?? '', region: site.region, credentials });
    const { Subnets = [] } = await client.send(new DescribeSubnetsCommand({}));
    client.destroy();
    return Subnets.map(({ SubnetId = '' }) => SubnetId).slice(0, 2);
  };

  test('types, offerings and subnets come to places', async () => {
    const subnetIds = await subnetsOf();
    const { places } = await cloud.resolve(
      { ...spec(), instanceTypes: ['m5.large', 'c5.xlarge'], subnetIds, subnetId: subnetIds[0] ?? null },
      forever,
    );
    expect(places).toHaveLength(4);
    expect(places.find(({ type }) => type === 'c5.xlarge')).toMatchObject({
      vcpus: 4,
      market: 'on-demand',
      zone: expect.stringMatching(/^eu-central-1/) as string,
    });
  });

  test('types by need are found by their size', async () => {
    const needs = {
      vcpus: { least: 8, most: 8 },
      memoryGib: { least: 32, most: 32 },
      architecture: 'x86_64',
    } as const;
    const { places } = await cloud.resolve(
      { ...spec(), needs, instanceTypes: [], instanceType: 'by-need' },
      forever,
    );
    const found = new Set(places.map(({ type }) => type));
    expect(found).toContain('m5.2xlarge');
    expect(found).toContain('m7i.2xlarge');
    expect([...found].filter((type) => !/^m\d/.test(type) || /metal/.test(type))).toEqual([]);
  });

  test.each(['on-demand', 'spot'] as const)(
    'an %s fleet over a template of ours is listed with its tags',
    async (market) => {
      const subnetIds = await subnetsOf();
      const wanted = {
        ...spec(),
        instanceTypes: ['m5.large', 'c5.xlarge'],
        subnetIds,
        subnetId: subnetIds[0] ?? null,
        market,
        markets: [market],
        maxPriceUsd: market === 'spot' ? '0.2' : null,
      };
      const token = `t-fleet-${market}`;
      const tags = { [TAG.owner]: 'me', [TAG.manager]: 'm', [TAG.pool]: 'build', [TAG.launch]: token };
      const request = buildRequest(wanted, await cloud.resolve(wanted, forever), { userData: 'aGk=', tags });
      const answer = await cloud.launch(site, { token, count: 2, request }, forever);
      expect(answer).toMatchObject({ kind: 'launched', short: 0, refusals: [] });
      const listed = await cloud.listLaunches(site, [token], forever);
      expect(listed).toHaveLength(2);
      expect(listed[0]).toMatchObject({ market, tags: { [TAG.owner]: 'me', [TAG.launch]: token } });
      expect(listed[0]?.privateAddress).toMatch(/^\d+\./);
    },
  );

  test('leftovers are listed by tag and removed', async () => {
    const found = await cloud.listLeftovers(site, 'me', forever);
    expect(found.map(({ kind }) => kind)).toContain('launch-template');
    const templates = found.filter(({ kind }) => kind === 'launch-template');
    expect(await cloud.removeLeftovers(site, templates, forever)).toMatchObject([{ kind: 'done' }]);
    const left = await cloud.listLeftovers(site, 'me', forever);
    expect(left.map(({ kind }) => kind)).not.toContain('launch-template');
  });

  test('a spot request is answered, listed with its tags, and cancelled', async () => {
    const wanted = { ...spec(), market: 'spot', markets: ['spot'], way: 'spot-request' } as const;
    const tags = { [TAG.owner]: 'spotter', [TAG.launch]: 't-request' };
    const extra = { userData: 'aGk=', tags, at: clock.now() };
    const request = buildRequest(wanted, await cloud.resolve(wanted, forever), extra);
    const answer = await cloud.launch(site, { token: 't-request', count: 1, request }, forever);
    expect(answer).toMatchObject({
      kind: 'launched',
      instances: [],
      requests: [expect.stringMatching(/^sir-/)],
    });
    const [listed] = await cloud.listSpotRequests(site, 'spotter', forever);
    expect(listed).toMatchObject({ state: 'active', status: 'fulfilled', tags, type: 'm5.large' });
    await cloud.tagInstances(site, [listed?.instance ?? ''], tags, forever);
    expect(await cloud.list(site, 'spotter', forever)).toHaveLength(1);
    expect(await cloud.cancelSpotRequests(site, [listed?.id ?? ''], forever)).toMatchObject([
      { kind: 'done' },
    ]);
  });

  test('spot prices are read', async () => {
    const offerings = [{ type: 'm5.large', zone: 'eu-central-1a', market: 'spot' as const }];
    const prices = await cloud.prices(site, { offerings, own: null }, forever);
    expect(prices.get('m5.large:eu-central-1a:spot')?.usdPerHour).toBeGreaterThan(0);
  });

  test('messages of a queue are received and taken off it', async () => {
    const { SQSClient, CreateQueueCommand, SendMessageCommand } = await import('@aws-sdk/client-sqs');
    const credentials = { accessKeyId: 'AKIDTEST', secretAccessKey: 'x' };
    const sqs = new SQSClient({ endpoint: site.endpoint ?? '', region: site.region, credentials });
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'events' }));
    const body = {
      'detail-type': 'EC2 Instance Rebalance Recommendation',
      time: '2026-11-22T12:00:00Z',
      detail: { 'instance-id': 'i-0b662ef9931388ba0' },
    };
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(body) }));
    sqs.destroy();
    const notices = createNotices({ clock });
    const url = new URL(new URL(QueueUrl).pathname, site.endpoint ?? '').href;
    const batch = await notices.poll({ site, url }, forever);
    expect(batch.notices).toMatchObject([{ instance: 'i-0b662ef9931388ba0', kind: 'rebalance' }]);
    await batch.acknowledge(forever);
    notices.close();
  });
});
