// A secret in SSM's parameter store, read decrypted from the emulated SSM; what cannot be read is said without the value.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSecretParameters } from '../../../../src/adapters/aws/secret-parameters.ts';
import { createSsmParameters } from '../../../../src/adapters/aws/ssm-parameters.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { createLog } from '../../../../src/adapters/telemetry/log.ts';
import { type CloudSite, Secret } from '../../../../src/domain/config.ts';
import { messageOf } from '../../../../src/domain/error.ts';
import { type Emulator, startEmulator } from '../../../../src/emulator/start-emulator.ts';

const TOKEN = 'glpat-insidessm0000000';
const signal = new AbortController().signal;
const clock = createClock();
const deps = { clock, log: createLog({ level: 'error', pretty: false, clock }), env: {} };
let emulator: Emulator;
let site: CloudSite;

beforeAll(async () => {
  emulator = await startEmulator({});
  site = {
    key: 'eu-central-1',
    region: 'eu-central-1',
    endpoint: emulator.endpoint,
    credentials: {
      kind: 'static',
      accessKeyId: 'AKIAEXAMPLE',
      secretAccessKey: new Secret('example-secret'),
      sessionToken: null,
    },
    assumeRoleArn: null,
  };
  const put = createSsmParameters(site, '/hostler/test', { ...deps, stop: signal });
  await put.create('token', `${TOKEN}\n`, 'SecureString');
  await put.create('words', 'two words', 'SecureString');
  put.close();
});
afterAll(() => emulator.close());

async function read(name: string): Promise<Secret> {
  const calls: string[] = [];
  const secrets = createSecretParameters({ ...deps, onCall: ({ action }) => void calls.push(action) });
  try {
    return await secrets.read({ site, name }, signal);
  } finally {
    expect(calls).toEqual(['GetParameter']);
    secrets.close();
  }
}

async function failure(name: string): Promise<string> {
  return await read(name).then(
    () => 'it was read',
    (error: unknown) => messageOf(error),
  );
}

describe('a secret in SSM', () => {
  test('is read decrypted, without the line break that people leave in it', async () => {
    expect((await read('/hostler/test/token')).reveal()).toBe(TOKEN);
  });

  test('that is not there is named, with the code of SSM', async () => {
    expect(await failure('/hostler/test/none')).toMatch(
      /^the secret ssm:\/hostler\/test\/none in eu-central-1 cannot be read: ParameterNotFound: /,
    );
  });

  test('that is no token is refused without being quoted', async () => {
    const said = await failure('/hostler/test/words');
    expect(said).toBe(
      'the secret ssm:/hostler/test/words in eu-central-1 cannot be read: it holds no single word of text',
    );
  });
});
