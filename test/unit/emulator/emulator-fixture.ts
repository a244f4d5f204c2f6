// An emulator on a free port with hosts that only note their comings and goings, and the AWS SDK's own clients for it.
import { EC2Client, RunInstancesCommand, type RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { SSMClient } from '@aws-sdk/client-ssm';
import { onTestFinished, vi } from 'vitest';
import type { HostOptions } from '../../../src/emulator/host-keeper.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../../src/emulator/start-emulator.ts';

export type Rig = {
  emulator: Emulator;
  ec2: EC2Client;
  ssm: SSMClient;
  hosts: { started: HostOptions[]; closed: string[] };
  trouble: string[];
};

/** Client settings for the emulator: one attempt a call, so that a test sees what the wire says. */
export const clientConfig = (endpoint: string, accessKeyId = 'AKIDEXAMPLE') => ({
  endpoint,
  region: 'eu-central-1',
  maxAttempts: 1,
  credentials: { accessKeyId, secretAccessKey: 'any' },
});

/** Ends with the test. Hosts are up 200 ms after their launch and known to EC2 at once unless the options say otherwise. */
export async function startRig(options: EmulatorOptions = {}): Promise<Rig> {
  const hosts: Rig['hosts'] = { started: [], closed: [] };
  const trouble: string[] = [];
  const emulator = await startEmulator({
    bootMs: 200,
    unseenMs: 0,
    startHost: async (host) => {
      hosts.started.push(host);
      return {
        close: async () => {
          hosts.closed.push(host.instanceId);
        },
      };
    },
    onTrouble: (line) => trouble.push(line),
    ...options,
  });
  const ec2 = new EC2Client(clientConfig(emulator.endpoint));
  const ssm = new SSMClient(clientConfig(emulator.endpoint));
  onTestFinished(async () => {
    ec2.destroy();
    ssm.destroy();
    await emulator.close();
  });
  return { emulator, ec2, ssm, hosts, trouble };
}

export const launchInput = (more: Partial<RunInstancesCommandInput> = {}): RunInstancesCommandInput => ({
  ImageId: 'ami-0123456789abcdef0',
  InstanceType: 'm5.large',
  MinCount: 1,
  MaxCount: 1,
  ...more,
});

/** Launches and gives the instances' ids. */
export async function launch(
  ec2: EC2Client,
  more: Partial<RunInstancesCommandInput> = {},
): Promise<string[]> {
  const answer = await ec2.send(new RunInstancesCommand(launchInput(more)));
  return (answer.Instances ?? []).map((instance) => instance.InstanceId ?? '');
}

/** Waits until the world has come so far; the limit is for a broken one, not for a slow machine. */
export const eventually = (look: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(look, { timeout: 20_000, interval: 20 });

/** How a call fails: the SDK's error name and the HTTP status. */
export async function failureOf(
  call: Promise<unknown>,
): Promise<{ name: string; status: number | undefined }> {
  try {
    await call;
    return { name: 'done', status: 200 };
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return { name, status: $metadata?.httpStatusCode };
  }
}

/** The emulator's own paths, as JSON. */
export async function control(
  emulator: Emulator,
  path: string,
  body?: unknown,
): Promise<{ status: number; json: unknown }> {
  const init =
    body === undefined
      ? {}
      : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) };
  const response = await fetch(`${emulator.endpoint}/_emulator/${path}`, init);
  return { status: response.status, json: await response.json() };
}
