// `hostler emulate --hosts docker` as a person starts it: its line, a host behind an instance, and what is left after
// its end, after a kill too.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeInstancesCommand,
  EC2Client,
  GetConsoleOutputCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, afterEach, describe, expect, inject, test } from 'vitest';
import { createDockerClient } from '../../src/emulator/docker-hosts/docker-client.ts';
import { runInside } from '../../src/emulator/docker-hosts/docker-faults.ts';
import { clientConfig, launchInput } from '../unit/emulator/emulator-fixture.ts';
import { greets } from './hosts-world.ts';
import { leftInDocker } from './left-in-docker.ts';

const socket = inject('dockerSocket');
const main = join(import.meta.dirname, '../../src/main.ts');

describe.skipIf(socket === null)('hostler emulate --hosts docker', () => {
  const docker = createDockerClient(socket ?? '');
  const open: { child: ChildProcess; ec2: EC2Client }[] = [];
  afterEach(async () => {
    for (const { child, ec2 } of open.splice(0)) {
      ec2.destroy();
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  });
  afterAll(async () => {
    expect(await leftInDocker(docker)).toEqual([]);
  });

  async function start() {
    const child = spawn(process.execPath, [main, 'emulate', '--hosts', 'docker', '--boot', '0.1'], {
      env: { ...process.env, DOCKER_HOST: `unix://${socket ?? ''}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const ready = JSON.parse(line) as Record<string, unknown>;
    const ec2 = new EC2Client(clientConfig(String(ready['endpoint'])));
    open.push({ child, ec2 });
    const launch = async () => {
      const { Instances } = await ec2.send(new RunInstancesCommand(launchInput()));
      const [one] = Instances ?? [];
      return { id: one?.InstanceId ?? '', address: one?.PrivateIpAddress ?? '' };
    };
    return { child, ec2, ready, launch, said: () => said };
  }

  /** Looks every tenth of a second until it is so; the test's own time limit ends it. */
  async function until(look: () => Promise<boolean>): Promise<void> {
    while (!(await look())) await sleep(100);
  }

  test('boots a container at the address that RunInstances named, shows its console, and removes it', async () => {
    const { ec2, ready, launch } = await start();
    expect(ready).toMatchObject({ ssh_port: 22, docker_port: 2376 });
    const { id, address } = await launch();
    await until(() => greets(address));
    const { Output } = await ec2.send(new GetConsoleOutputCommand({ InstanceId: id }));
    expect(Buffer.from(Output ?? '', 'base64').toString()).toContain('systemd');
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await until(async () => (await leftInDocker(docker)).every((one) => one.startsWith('network ')));
  });

  test('stops an instance whose host powers itself off, boots it again when started, and when it restarts itself', async () => {
    const { ec2, ready } = await start();
    const input = launchInput({ InstanceInitiatedShutdownBehavior: 'stop' });
    const [made] = (await ec2.send(new RunInstancesCommand(input))).Instances ?? [];
    const { InstanceId: id = '', PrivateIpAddress: address = '' } = made ?? {};
    const state = async () => {
      const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
      const { State, StateReason } = Reservations?.[0]?.Instances?.[0] ?? {};
      return `${State?.Name} ${StateReason?.Code ?? ''}`;
    };
    const post = (path: string) =>
      fetch(`${String(ready['endpoint'])}/_emulator/${path}`, { method: 'POST' });
    await until(() => greets(address));
    expect((await post(`host-fault?instance=${id}&fault=power-off`)).status).toBe(200);
    await until(async () => (await state()) === 'stopped Client.InstanceInitiatedShutdown');
    expect(await greets(address)).toBe(false);

    await ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    await until(() => greets(address));
    const path = `/containers/json?filters=${encodeURIComponent(`{"label":["hostler.instance=${id}"]}`)}`;
    const container = async () =>
      (await docker.json({ method: 'GET', path })) as { Id: string; Status: string }[];
    const [host] = await container();
    await runInside(docker, host?.Id ?? '', 'touch /var/kept; systemctl reboot --no-block >/dev/null 2>&1');
    await until(async () => !(await greets(address)));
    await until(() => greets(address));
    expect(await runInside(docker, host?.Id ?? '', '[ -e /var/kept ] && [ ! -e /run/kept ]')).toBe(0);
    expect(await state()).toBe('running ');
  });

  test('removes what one that was killed left behind, and nothing of one that runs', async () => {
    const [killed, standing] = [await start(), await start()];
    await Promise.all([killed, standing].map(({ launch }) => launch()));
    const containers = async () =>
      (await leftInDocker(docker)).filter((one) => one.startsWith('container ')).length;
    await until(async () => (await containers()) === 2);
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    expect(await containers()).toBe(2);
    const next = await start();
    expect(next.said()).toContain('removed 1 host(s) that a killed emulator left');
    expect(await containers()).toBe(1);
  });
});
