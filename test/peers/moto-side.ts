// moto, an EC2 stand-in that others wrote, as a side of the contract suite: hostler's adapter over real HTTP on one server,
// emptied before each case.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { createCloud } from '../../src/adapters/aws/create-cloud.ts';
import { createNotices } from '../../src/adapters/aws/create-notices.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { TAG } from '../../src/domain/instance.ts';
import type { CloudSide, Steering } from '../support/cloud/side.ts';
import { keepingLog, launchSpec, siteAt } from '../unit/adapters/aws/specimens.ts';

export type Moto = { endpoint: string; close(): Promise<void> };

/** Python with all its imports. */
const START_MS = 40_000;
/** Calls in flight while many machines are made. */
const AT_ONCE = 8;

/** An image that moto brings along, behind the parameter that AWS publishes for it. */
const AL2023 = 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64';
const credentials = { accessKeyId: 'AKIDTEST', secretAccessKey: 'x' };
const region = 'eu-central-1';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts the server on loopback. */
export async function startMoto(command: string): Promise<Moto> {
  const port = await freePort();
  const child: ChildProcess = spawn(command, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const endpoint = `http://127.0.0.1:${port}`;
  const close = async () => {
    child.kill();
    await ended;
  };
  const clock = createClock();
  for (const from = clock.now(); clock.now() - from < START_MS; await clock.sleep(200)) {
    const isUp = await fetch(`${endpoint}/moto-api/`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return { endpoint, close };
  }
  await close();
  throw new Error(`${command} did not come up within ${START_MS / 1000} s`);
}

/** What EventBridge would send to a queue. */
const events = {
  rebalance: { 'detail-type': 'EC2 Instance Rebalance Recommendation', action: {} },
  reclaim: {
    'detail-type': 'EC2 Spot Instance Interruption Warning',
    action: { 'instance-action': 'terminate' },
  },
} as const;

/** An empty account. */
export async function motoSide({ endpoint }: Moto): Promise<CloudSide> {
  await fetch(`${endpoint}/moto-api/reset`, { method: 'POST' });
  const clock = createClock();
  const site = siteAt(endpoint);
  const cloud = createCloud({ clock, log: keepingLog(), env: {}, managerAddresses: () => ['10.0.0.5'] });
  const notices = createNotices({ clock });
  const sdk = await import('@aws-sdk/client-ec2');
  const { SQSClient, CreateQueueCommand, SendMessageCommand } = await import('@aws-sdk/client-sqs');
  const ec2 = new sdk.EC2Client({ endpoint, region, credentials });
  const sqs = new SQSClient({ endpoint, region, credentials });
  onTestFinished(() => {
    for (const one of [ec2, sqs]) one.destroy();
    for (const port of [cloud, notices]) port.close();
  });
  const { Subnets = [] } = await ec2.send(new sdk.DescribeSubnetsCommand({}));
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'events' }));

  // It has no capacity, no quotas and one price: there is nothing to be set.
  const set: Steering = {
    capacity: () => undefined,
    quota: () => undefined,
    price: () => undefined,
    tell: async (what, instance) => {
      const { action, ...head } = events[what];
      const time = new Date(clock.now()).toISOString();
      const body = { ...head, time, detail: { 'instance-id': instance, ...action } };
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(body) }));
    },
  };

  async function fill(count: number): Promise<void> {
    const { Images = [] } = await ec2.send(new sdk.DescribeImagesCommand({}));
    const tags = [{ ResourceType: 'instance' as const, Tags: [{ Key: TAG.owner, Value: 'me' }] }];
    const one = { ImageId: Images[0]?.ImageId, MinCount: 1, MaxCount: 1, TagSpecifications: tags };
    let left = count;
    // Its pages are counted in reservations, so that each machine needs a call of its own.
    const maker = async () => {
      while (left > 0) {
        left -= 1;
        await ec2.send(new sdk.RunInstancesCommand(one));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, maker));
  }

  return {
    cloud,
    notices,
    queueUrl: new URL(new URL(QueueUrl).pathname, endpoint).href,
    site,
    spec: launchSpec({ site, ami: AL2023, vpcId: null, subnetId: null }),
    subnetIds: Subnets.map(({ SubnetId = '' }) => SubnetId).slice(0, 3),
    set,
    now: () => clock.now(),
    pass: () => clock.sleep(100),
    fill,
  };
}
