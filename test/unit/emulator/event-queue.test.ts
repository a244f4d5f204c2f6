// The emulator's SQS as a client meets it: long polls, hidden messages, receipts; and the switches beside it.
import {
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { clientConfig, control, eventually, failureOf, launch, startRig } from './emulator-fixture.ts';

async function rig() {
  const it = await startRig();
  const sqs = new SQSClient(clientConfig(it.emulator.endpoint));
  onTestFinished(() => sqs.destroy());
  const QueueUrl = `${it.emulator.endpoint}/123456789012/events`;
  const receive = async (more: object = {}) =>
    (await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, ...more }))).Messages ??
    [];
  return { ...it, sqs, QueueUrl, receive };
}

const spotOptions = { InstanceMarketOptions: { MarketType: 'spot' as const } };

describe('a queue', () => {
  test('hides what was received, brings it again, and forgets it once deleted', async () => {
    const { ec2, sqs, QueueUrl, receive } = await rig();
    await launch(ec2);
    const [message] = await receive({ WaitTimeSeconds: 20, VisibilityTimeout: 1 });
    expect(JSON.parse(message?.Body ?? '{}')).toMatchObject({
      source: 'aws.ec2',
      'detail-type': 'EC2 Instance State-change Notification',
      detail: { state: 'running' },
    });
    expect(await receive()).toEqual([]);
    const [again] = await eventuallyOne(() => receive({ VisibilityTimeout: 30 }));
    expect(again?.MessageId).toBe(message?.MessageId);
    const stale = { QueueUrl, Entries: [{ Id: '1', ReceiptHandle: message?.ReceiptHandle ?? '' }] };
    expect((await sqs.send(new DeleteMessageBatchCommand(stale))).Failed).toMatchObject([{ Id: '1' }]);
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: again?.ReceiptHandle }));
    expect(await receive()).toEqual([]);
  });

  test('each URL is a queue of its own', async () => {
    const { ec2, receive } = await rig();
    await launch(ec2);
    expect(await receive({ WaitTimeSeconds: 20 })).toHaveLength(1);
    expect(await receive({ QueueUrl: 'http://127.0.0.1/123456789012/second' })).toHaveLength(1);
  });

  test('refuses what SQS refuses', async () => {
    const { sqs, QueueUrl } = await rig();
    const wrong = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 11 });
    expect(await failureOf(sqs.send(wrong))).toMatchObject({ name: 'InvalidParameterValue', status: 400 });
  });

  async function eventuallyOne<T>(look: () => Promise<T[]>): Promise<T[]> {
    let seen: T[] = [];
    await eventually(async () => {
      seen = await look();
      expect(seen).toHaveLength(1);
    });
    return seen;
  }
});

describe('switches', () => {
  test('set a quota, an offering, and advise to rebalance', async () => {
    const { emulator, ec2 } = await rig();
    expect((await control(emulator, 'quota', { market: 'spot', vcpus: 2 })).status).toBe(200);
    const [id = ''] = await launch(ec2, spotOptions);
    expect(await failureOf(launch(ec2, spotOptions))).toMatchObject({ name: 'MaxSpotInstanceCountExceeded' });
    await eventually(() => expect(emulator.world.find(id)?.instance.state).toBe('running'));
    const advised = await fetch(`${emulator.endpoint}/_emulator/rebalance?instance=${id}`, {
      method: 'POST',
    });
    expect(advised.status).toBe(200);
    const off = { type: 'c5.large', zone: 'eu-central-1a', offered: false };
    expect((await control(emulator, 'offering', off)).status).toBe(200);
    const there = { InstanceType: 'c5.large' as const, Placement: { AvailabilityZone: 'eu-central-1a' } };
    expect(await failureOf(launch(ec2, there))).toMatchObject({ name: 'Unsupported' });
  });

  test.each([
    ['quota', { market: 'spot', vcpus: -1 }],
    ['quota', { market: 'spot', vcpus: 1, class: 'huge' }],
    ['quota', { market: 'reserved', vcpus: 1 }],
    ['offering', { type: 'm5.large', zone: 'eu-central-1a' }],
  ])('%s %j is refused in words', async (path, body) => {
    const { emulator } = await rig();
    expect(await control(emulator, path, body)).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/^expected/) as string },
    });
  });
});
