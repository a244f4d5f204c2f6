import {
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeSubnetsCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, test } from 'vitest';
import { control, failureOf, launch, launchInput, startRig } from './emulator-fixture.ts';

const zone = { Placement: { AvailabilityZone: 'eu-central-1a' } };

describe('errors over the wire', () => {
  test('missing capacity is a 500 with its own name', async () => {
    const { ec2, emulator } = await startRig({
      capacity: [{ type: 'm5.large', zone: 'eu-central-1a', market: null, count: 1 }],
    });
    expect(await launch(ec2, { ...zone, MaxCount: 4 })).toHaveLength(1);
    const call = () => ec2.send(new RunInstancesCommand(launchInput(zone)));
    expect(await failureOf(call())).toEqual({ name: 'InsufficientInstanceCapacity', status: 500 });
    const more = { type: 'm5.large', zone: 'eu-central-1a', count: 2 };
    expect(await control(emulator, 'capacity', more)).toEqual({
      status: 200,
      json: { ...more, market: null },
    });
    expect(await failureOf(call())).toMatchObject({ name: 'done' });
  });

  test('too many calls are a 503', async () => {
    const { ec2 } = await startRig();
    const calls = Array.from({ length: 40 }, () =>
      failureOf(ec2.send(new RunInstancesCommand(launchInput()))),
    );
    const names = (await Promise.all(calls)).filter(({ name }) => name !== 'done');
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names.map(({ name, status }) => `${name} ${status}`))).toEqual(
      new Set(['RequestLimitExceeded 503']),
    );
  });

  test.each([
    [
      'a price below the market',
      { InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { MaxPrice: '0.001' } } },
      'SpotMaxPriceTooLow',
      400,
    ],
    ['an image id of the wrong shape', { ImageId: 'ami-xxxxx' }, 'InvalidAMIID.Malformed', 400],
    ['user data that is no base64', { UserData: '#!/bin/sh' }, 'InvalidUserData.Malformed', 400],
    [
      'two network interfaces',
      { NetworkInterfaces: [{ DeviceIndex: 0 }, { DeviceIndex: 1 }] },
      'UnsupportedOperation',
      400,
    ],
    [
      'a market that is none',
      { InstanceMarketOptions: { MarketType: 'capacity-block' } },
      'InvalidParameterValue',
      400,
    ],
    ['a dry run', { DryRun: true }, 'DryRunOperation', 412],
  ] as const)('%s', async (_what, wish, name, status) => {
    const { ec2, emulator } = await startRig();
    const call = ec2.send(new RunInstancesCommand({ ...launchInput(), ...structuredClone(wish) } as never));
    expect(await failureOf(call)).toEqual({ name, status });
    expect(emulator.world.instances()).toEqual([]);
  });

  test('a mixed TerminateInstances with one unknown id ends none', async () => {
    const { ec2, emulator } = await startRig();
    const ids = await launch(ec2, { MaxCount: 2 });
    const call = ec2.send(new TerminateInstancesCommand({ InstanceIds: [...ids, 'i-0123456789abcdef0'] }));
    expect(await failureOf(call)).toEqual({ name: 'InvalidInstanceID.NotFound', status: 400 });
    expect(emulator.world.instances().every((instance) => instance.endingAt === null)).toBe(true);
  });

  test('a call that the emulator does not serve says so', async () => {
    const { ec2 } = await startRig();
    const call = ec2.send(new DescribeSnapshotsCommand({}));
    expect(await failureOf(call)).toEqual({ name: 'InvalidAction', status: 400 });
  });

  test('in a strict emulator unknown subnets do not exist', async () => {
    const { ec2 } = await startRig({ strict: true });
    const call = ec2.send(new DescribeSubnetsCommand({ SubnetIds: ['subnet-0a1b2c3d'] }));
    expect(await failureOf(call)).toEqual({ name: 'InvalidSubnetID.NotFound', status: 400 });
  });
});

describe('failures on purpose', () => {
  test('a rule set while it runs hits until it is taken back', async () => {
    const { ec2, emulator } = await startRig();
    const call = () => failureOf(ec2.send(new RunInstancesCommand(launchInput())));
    await control(emulator, 'fail', { code: 'VcpuLimitExceeded', rate: 1 });
    expect(await call()).toEqual({ name: 'VcpuLimitExceeded', status: 400 });
    await control(emulator, 'fail', { code: 'VcpuLimitExceeded', rate: 0 });
    expect(await call()).toMatchObject({ name: 'done' });
  });

  test('a lost answer leaves the launch done, and its token finds it again', async () => {
    const { ec2, emulator } = await startRig({ faults: [{ code: 'lost-answer', rate: 1, action: null }] });
    const call = () => ec2.send(new RunInstancesCommand(launchInput({ ClientToken: 'again' })));
    expect((await failureOf(call())).status).toBeUndefined();
    expect(emulator.world.instances()).toHaveLength(1);
    emulator.world.faults.set({ code: 'lost-answer', rate: 0, action: null });
    expect((await call()).Instances?.[0]?.InstanceId).toBe(emulator.world.instances()[0]?.id);
  });

  test('an empty answer is a 200 with nothing in it', async () => {
    const { ec2 } = await startRig({
      faults: [{ code: 'empty-answer', rate: 1, action: 'DescribeInstances' }],
    });
    const answer = await ec2.send(new DescribeInstancesCommand({}));
    expect(answer.$metadata.httpStatusCode).toBe(200);
    expect(answer.Reservations).toBeUndefined();
  });
});
