import { connect } from 'node:net';
import { DescribeImagesCommand, DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAddressBlocks } from '../../../src/emulator/address-blocks.ts';
import { userDataText } from '../../../src/emulator/host-keeper.ts';
import { startEmulator } from '../../../src/emulator/start-emulator.ts';
import { clientConfig, control, failureOf, launch, startRig } from './emulator-fixture.ts';

describe('who may call', () => {
  test('any credentials are taken', async () => {
    const { ec2 } = await startRig();
    expect(await failureOf(ec2.send(new DescribeInstancesCommand({})))).toMatchObject({ name: 'done' });
  });

  test('with a required access key all others are refused, by EC2 and SSM in their own words', async () => {
    const { emulator } = await startRig({ accessKey: 'AKIDGOOD' });
    const call = (key: string) => {
      const client = new EC2Client(clientConfig(emulator.endpoint, key));
      onTestFinished(() => client.destroy());
      return failureOf(client.send(new DescribeInstancesCommand({})));
    };
    expect(await call('AKIDGOOD')).toMatchObject({ name: 'done' });
    expect(await call('AKIDBAD')).toEqual({ name: 'AuthFailure', status: 401 });
    const ssm = new SSMClient(clientConfig(emulator.endpoint, 'AKIDBAD'));
    onTestFinished(() => ssm.destroy());
    const read = ssm.send(new GetParameterCommand({ Name: '/a' }));
    expect(await failureOf(read)).toEqual({ name: 'UnrecognizedClientException', status: 400 });
  });
});

describe("the emulator's own paths", () => {
  test('calls are counted by action, refused ones too, SSM apart', async () => {
    const { ec2, ssm, emulator } = await startRig();
    await launch(ec2);
    await failureOf(ec2.send(new DescribeImagesCommand({ ImageIds: ['x'] })));
    await ssm.send(new GetParameterCommand({ Name: '/a' }));
    expect(await control(emulator, 'calls')).toEqual({
      status: 200,
      json: { RunInstances: 1, DescribeImages: 1 },
    });
    expect(await control(emulator, 'ssm-calls')).toEqual({ status: 200, json: { GetParameter: 1 } });
    expect(emulator.calls()).toEqual({ RunInstances: 1, DescribeImages: 1 });
  });

  test('instances are listed with state, place, tags and times', async () => {
    const { ec2, emulator } = await startRig({ bootMs: 60_000 });
    const [id] = await launch(ec2, {
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'a', Value: 'b' }] }],
    });
    expect((await control(emulator, 'instances')).json).toEqual([
      expect.objectContaining({
        id,
        state: 'pending',
        type: 'm5.large',
        zone: 'eu-central-1a',
        market: 'on-demand',
        address: expect.stringMatching(/^127\.0\./),
        tags: { a: 'b' },
        launched_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        terminated_at: null,
      }),
    ]);
  });

  test.each<[string, unknown]>([
    ['fail', '{'],
    ['fail', {}],
    ['fail', { code: 'InternalError', rate: 2 }],
    ['fail', { code: 'not a code', rate: 1 }],
    ['capacity', { type: 'm5.large', zone: 'eu-central-1a', count: -1 }],
    ['capacity', { type: 'm5.large', zone: 'eu-central-1a', count: 1, market: 'black' }],
  ])('POST %s %j is refused in one line', async (path, body) => {
    const { emulator } = await startRig();
    expect(await control(emulator, path, body)).toEqual({
      status: 400,
      json: { error: expect.stringMatching(/^.+$/) },
    });
  });

  test('an unknown path names the known ones', async () => {
    const { emulator } = await startRig();
    const { status, json } = await control(emulator, 'nonsense');
    expect(status).toBe(404);
    expect(JSON.stringify(json)).toContain('/_emulator/instances');
  });
});

describe('what does not belong', () => {
  const post = (endpoint: string, body: string, headers: Record<string, string> = {}) =>
    fetch(endpoint, { method: 'POST', body, headers });

  test.each([
    ['', 'InvalidAction'],
    ['Action=constructor', 'InvalidAction'],
    ['Action=RunInstances&MinCount=many', 'InvalidParameterValue'],
    ['Action=DescribeInstances&DryRun=perhaps', 'InvalidParameterValue'],
    [`Action=DescribeInstances&${'x.1=1&'.repeat(3)}${'y'.repeat(300)}=1`, 'MalformedQueryString'],
    ['Action=DescribeInstances&Filter.1.Name=constructor&Filter.1.Value.1=x', 'InvalidParameterValue'],
  ])('the body %j is answered with %s', async (body, code) => {
    const { emulator, trouble } = await startRig();
    const response = await post(emulator.endpoint, body);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(`<Code>${code}</Code>`);
    expect(trouble).toEqual([]);
  });

  test('a body over 1 MiB is refused', async () => {
    const { emulator } = await startRig();
    expect((await post(emulator.endpoint, 'x'.repeat(1_048_577))).status).toBe(413);
  });

  test('an unknown SSM action and a body that is no JSON are errors of the caller', async () => {
    const { emulator, trouble } = await startRig();
    const answers = await Promise.all(
      ['constructor', 'GetParameter'].map(async (action) => {
        const response = await post(emulator.endpoint, action === 'constructor' ? '{}' : '[', {
          'x-amz-target': `AmazonSSM.${action}`,
        });
        return [response.status, ((await response.json()) as { __type: string }).__type];
      }),
    );
    expect(answers).toEqual([
      [400, 'UnknownOperationException'],
      [400, 'SerializationException'],
    ]);
    expect(trouble).toEqual([]);
  });

  test('a port that is taken is said in words', async () => {
    const { emulator } = await startRig();
    await expect(startEmulator({ port: emulator.port })).rejects.toMatchObject({
      code: 'port-in-use',
      message: expect.stringContaining(`127.0.0.1:${emulator.port}`),
    });
  });

  test('a bad failure rule is refused at the start and nothing stays open', async () => {
    const { emulator } = await startRig();
    await emulator.close();
    const faults = [{ code: 'InternalError', rate: 3, action: null }];
    await expect(startEmulator({ port: emulator.port, faults })).rejects.toMatchObject({ code: 'usage' });
    await expect(reach('127.0.0.1', emulator.port)).resolves.toBe(false);
  });
});

function reach(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('addresses', () => {
  test('two emulators never share an address, wherever they begin', async () => {
    const books = [createAddressBlocks(41, 23_760), createAddressBlocks(41, 23_760)];
    onTestFinished(async () => {
      await Promise.all(books.map((book) => book.close()));
    });
    await Promise.all(books.map((book) => book.prepare(300)));
    const taken = books.flatMap((book) => Array.from({ length: 300 }, () => book.take()));
    expect(taken).not.toContain(null);
    expect(new Set(taken).size).toBe(600);
  });

  test('a returned address is used again only when fresh ones are out', async () => {
    const book = createAddressBlocks(80, 23_761);
    onTestFinished(() => book.close());
    await book.prepare(1);
    const first = book.take();
    if (first === null) throw new Error('no address');
    book.give(first);
    const rest = Array.from({ length: 249 }, () => book.take());
    expect(rest).not.toContain(first);
    expect(book.take()).toBe(first);
    expect(book.take()).toBeNull();
  });
});

test('user data is decoded and unzipped for the host', () => {
  expect(userDataText(null)).toBe('');
  expect(userDataText(Buffer.from('#!/bin/sh\n').toString('base64'))).toBe('#!/bin/sh\n');
});
