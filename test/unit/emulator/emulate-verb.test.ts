// `hostler emulate` as a person starts it: its flags, its one line, its end.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runProgram } from '../../../src/doors/cli/program.ts';
import { clientConfig, failureOf, launchInput } from './emulator-fixture.ts';

const main = join(import.meta.dirname, '../../../src/main.ts');

/** The verb as a process, ready: its line, parsed. */
async function start(...flags: string[]): Promise<{ child: ChildProcess; ready: Record<string, unknown> }> {
  const child = spawn(process.execPath, [main, 'emulate', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, ready: JSON.parse(line) as Record<string, unknown> };
}

describe('hostler emulate', () => {
  test('says in one JSON line where it listens, serves EC2 there, and ends cleanly when asked', async () => {
    const flags = [
      '--port',
      '0',
      '--boot',
      '30',
      '--ssh-port',
      '2022',
      '--capacity',
      'm5.large:eu-central-1a=1',
    ];
    const { child, ready } = await start(
      ...flags,
      '--fail',
      'VcpuLimitExceeded@DescribeVpcs:1',
      '--seed',
      '7',
    );
    expect(ready).toEqual({
      endpoint: `http://127.0.0.1:${String(ready['port'])}`,
      port: expect.any(Number),
      ssh_port: 2022,
      docker_port: 2376,
      boot_s: 30,
      seed: 7,
    });
    const ec2 = new EC2Client(clientConfig(String(ready['endpoint'])));
    onTestFinished(() => ec2.destroy());
    const wish = launchInput({ MaxCount: 5, Placement: { AvailabilityZone: 'eu-central-1a' } });
    expect((await ec2.send(new RunInstancesCommand(wish))).Instances).toHaveLength(1);
    expect(await failureOf(ec2.send(new RunInstancesCommand(wish)))).toMatchObject({
      name: 'InsufficientInstanceCapacity',
    });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('serves a GitLab beside EC2 where a port for it is named', async () => {
    const { child, ready } = await start(
      '--gitlab-port',
      '0',
      '--gitlab-version',
      '17.2',
      '--ssh-port',
      '2023',
    );
    const url = String(ready['gitlab']);
    await fetch(`${url}/_emulator/gitlab/jobs`, { method: 'POST', body: '{"count": 3}' });
    const headers = { 'private-token': 'any' };
    const jobs = await fetch(`${url}/api/v4/projects/1/jobs?scope[]=pending`, { headers });
    expect(await jobs.json()).toHaveLength(3);
    const version = await fetch(`${url}/api/v4/version`, { headers });
    expect(await version.json()).toMatchObject({ version: '17.2-ee' });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test.each([
    [['--port', 'http'], '--port'],
    [['--port', '70000'], '65535'],
    [['--boot', 'soon'], 'seconds'],
    [['--capacity', 'm5.large=3'], 'TYPE:ZONE=N'],
    [['--quota', 'spot'], 'MARKET=VCPU'],
    [['--quota', 'spot:huge=3'], 'MARKET=VCPU'],
    [['--fail', 'InternalError'], 'CODE:RATE'],
    [['--fail', 'InternalError:7'], 'rate from 0 to 1'],
    [['--seed', '-1'], 'whole number'],
    [['--prot', '1'], '--port'],
    [['--hosts', 'real'], 'docker'],
    [['--host-image', 'box'], '--hosts docker'],
    [['--host-disk', '512'], '--hosts docker'],
    [['--hosts', 'docker', '--host-disk', '32'], '64 MB'],
    [['--hosts', 'docker', '--ssh-port', '2222'], 'port 22'],
    [['--gitlab-port', 'x'], 'a port'],
    [['--gitlab-version', '15.1'], '16 to 19'],
    [['extra'], 'arguments'],
  ])('%j is refused in one line', async (flags, word) => {
    const said: string[] = [];
    const io = { out: (text: string) => said.push(text), err: (text: string) => said.push(text) };
    const code = await runProgram(['emulate', ...flags], { ...io, env: {}, isTty: false, now: () => 0 });
    expect(code).toBe(64);
    expect(said.join('')).toMatch(/^hostler: .+\n$/);
    expect(said.join('')).toContain(word);
  });

  test('hosts in containers without Docker are refused in one line', async () => {
    const said: string[] = [];
    const io = { out: (text: string) => said.push(text), err: (text: string) => said.push(text) };
    const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
    const code = await runProgram(['emulate', '--hosts', 'docker'], {
      ...io,
      env,
      isTty: false,
      now: () => 0,
    });
    expect(code).toBe(69);
    expect(said.join('')).toMatch(/^hostler: no Docker daemon listens on .+ \(docker-unusable\)\n$/);
  });

  test('a code that is none is refused in one line before anything listens', async () => {
    const said: string[] = [];
    const io = { out: (text: string) => said.push(text), err: (text: string) => said.push(text) };
    const code = await runProgram(['emulate', '--fail', 'nonsense:1'], {
      ...io,
      env: {},
      isTty: false,
      now: () => 0,
    });
    expect(code).toBe(64);
    expect(said.join('')).toMatch(/^hostler: no EC2 error code: "nonsense".+\n$/);
  });
});
