// Who signs a call: static keys, an assumed role, the SDK's chain; and what is said when there is nobody.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCloud } from '../../../../src/adapters/aws/create-cloud.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { Secret } from '../../../../src/domain/config.ts';
import { outcomeOf } from '../../../../src/domain/outcome.ts';
import { listAnswer, startEc2Server } from './ec2-server.ts';
import { forever, keepingLog, siteAt } from './specimens.ts';

// The SDK's chain reads the process's environment and nothing else, so these tests set it, and put it back.
const before = { ...process.env };
const ends: (() => unknown)[] = [];
beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/nonexistent/credentials';
  process.env['AWS_CONFIG_FILE'] = '/nonexistent/config';
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
});

const assumed = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;

async function stage() {
  const server = await startEc2Server(({ action }) =>
    action === 'AssumeRole' ? { body: assumed } : listAnswer([]),
  );
  const cloud = createCloud({ clock: createClock(), log: keepingLog(), env: {} });
  ends.push(
    () => server.close(),
    () => cloud.close(),
  );
  return { server, cloud };
}

test('static keys sign', async () => {
  const { server, cloud } = await stage();
  await cloud.list(siteAt(server.endpoint), 'me', forever);
  expect(server.asked[0]?.key).toBe('AKIDTEST');
});

test('rotated keys sign from the next call on', async () => {
  const { server, cloud } = await stage();
  await cloud.list(siteAt(server.endpoint), 'me', forever);
  const rotated = {
    kind: 'static',
    accessKeyId: 'AKIDNEXT',
    secretAccessKey: new Secret('n'),
    sessionToken: null,
  } as const;
  await cloud.list(siteAt(server.endpoint, { credentials: rotated }), 'me', forever);
  expect(server.asked.map((asked) => asked.key)).toEqual(['AKIDTEST', 'AKIDNEXT']);
  expect(cloud.calls()).toEqual({ DescribeInstances: 2 });
});

test('an assumed role signs, asked for with the static keys', async () => {
  const { server, cloud } = await stage();
  process.env['AWS_ENDPOINT_URL_STS'] = server.endpoint;
  const assumeRoleArn = 'arn:aws:iam::123456789012:role/hostler';
  await cloud.list(siteAt(server.endpoint, { assumeRoleArn }), 'me', forever);
  expect(server.asked.map(({ action, key }) => [action, key])).toEqual([
    ['AssumeRole', 'AKIDTEST'],
    ['DescribeInstances', 'ASIAROLE'],
  ]);
  expect(server.asked[0]?.params).toMatchObject({ RoleArn: assumeRoleArn, RoleSessionName: 'hostler' });
});

test("without keys in the options the SDK's chain signs", async () => {
  const { server, cloud } = await stage();
  process.env['AWS_ACCESS_KEY_ID'] = 'AKIDCHAIN';
  process.env['AWS_SECRET_ACCESS_KEY'] = 's';
  await cloud.list(siteAt(server.endpoint, { credentials: { kind: 'chain' } }), 'me', forever);
  expect(server.asked[0]?.key).toBe('AKIDCHAIN');
});

test('no credentials anywhere are a refusal that reaches the account, without a call', async () => {
  const { server, cloud } = await stage();
  const site = siteAt(server.endpoint, { credentials: { kind: 'chain' } });
  const error = await cloud.list(site, 'me', forever).catch((thrown: unknown) => thrown);
  expect(outcomeOf(error)).toMatchObject({
    kind: 'denied',
    scope: 'account',
    code: 'CredentialsProviderError',
  });
  expect(server.asked).toEqual([]);
});
