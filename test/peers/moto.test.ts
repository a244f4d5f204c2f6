// A second opinion on the wire format: the cloud port against moto, an EC2 stand-in that others wrote. Not on behaviour:
// moto ignores client tokens, launches MinCount only and knows no capacity. Needs `moto_server` on the PATH, or its path
// in HOSTLER_MOTO_SERVER (pip install 'moto[server]'); without it everything here is skipped.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCloud } from '../../src/adapters/aws/create-cloud.ts';
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
});
