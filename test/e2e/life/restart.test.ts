// The daemon leaves and comes back: jobs never notice, doors go on from their folders, creates keep their places, and
// what was noted meanwhile is done.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  dockerCall,
  folders,
  type LiveWorld,
  machineName,
  startJob,
  startWorld,
} from '../../support/live-world.ts';
import { awaitHeld, awaitReady, codesOf } from '../../support/looks.ts';

let world: LiveWorld;
let withJob = '';
let givenBack = '';
let endJob: () => Promise<void>;
let late: ReturnType<LiveWorld['startDockerMachine']>;
let lateName = '';
let heard = '';

beforeAll(async () => {
  world = await startWorld({ emulator: { bootMs: 1_000 } });
  [withJob, givenBack, lateName] = [machineName(), machineName(), machineName()];
  await Promise.all([world.create(withJob), world.create(givenBack)]);
  await awaitHeld(world, 2);
  endJob = await startJob(world, withJob, '77');
  late = world.startDockerMachine('create', '--driver', 'amazonec2', lateName);
  late.child.stdout?.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  await world.until('a third host on its way', () => world.alive().length === 3);
});
afterAll(() => world.close());

async function containers(): Promise<unknown[]> {
  const { text } = await dockerCall(world, withJob, { method: 'GET', path: '/containers/json' });
  return JSON.parse(text) as unknown[];
}

describe('SIGTERM', () => {
  test('ends the daemon with 0 within 10 s and touches no host', async () => {
    let code: number | null | undefined;
    void world.stop('SIGTERM').then((ended) => {
      code = ended;
    });
    await world.until('the exit', () => code !== undefined, 10_000);
    expect(code).toBe(0);
    expect(world.alive()).toHaveLength(3);
    expect(await containers()).toHaveLength(1);
  });
});

describe('without a daemon', () => {
  test('a job goes on, and every call that a runner makes for it is answered', async () => {
    const calls = [
      ['config', withJob],
      ['url', withJob],
      ['inspect', withJob],
      ['status', withJob],
      ['stop', withJob],
    ];
    const answers = await Promise.all(calls.map((call) => world.dockerMachine(...call)));
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    const path = await world.dockerMachine(
      'inspect',
      withJob,
      '-f',
      '{{.HostOptions.AuthOptions.StorePath}}',
    );
    expect(path.stdout).toBe(`${world.store}/machines/${withJob}\n`);
  });

  test('a host is given back at once', async () => {
    expect(await world.rm(givenBack)).toMatchObject({ code: 0, stdout: '' });
    expect(folders(world)).toEqual([withJob]);
  });

  test('a create says what it waits for', async () => {
    await world.until('a word', () => heard.includes('waiting for the hostler daemon'));
  });

  test('a command says that there is none', async () => {
    expect(await world.hostler('status')).toMatchObject({ code: 69, stdout: '' });
  });
});

describe('after the restart', () => {
  test('the waiting create is served, and nothing is launched anew', async () => {
    await world.start();
    expect(await late.done).toMatchObject({ code: 0 });
    expect(world.alive()).toHaveLength(3);
    expect(world.ec2Calls()['RunInstances']).toBe(2);
  });

  test('leases stand, jobs are seen again, and what was given back meanwhile is ready', async () => {
    await world.until('the job', async () => {
      const lease = (await world.client.leases()).find(({ name }) => name === withJob);
      return lease?.state === 'busy' && lease.jobs.some(({ id }) => id === '77');
    });
    expect((await world.client.leases()).map(({ name }) => name).toSorted()).toEqual(
      [withJob, lateName].toSorted(),
    );
    await world.until('one ready host beside the two', async () => {
      const phases = (await world.client.machines()).map(({ phase }) => phase);
      return phases.toSorted().join() === 'leased,leased,ready';
    });
    expect(await containers()).toHaveLength(1);
  });

  test('the job ends, the runner gives its host back, and it serves the next one', async () => {
    await endJob();
    await Promise.all([world.rm(withJob), world.rm(lateName)]);
    const ready = await awaitReady(world, 3);
    // Each `url` counts, since a job may be too short to be seen on its host: by the job, by hand, by this file's looks.
    expect(ready.map(({ builds }) => builds).toSorted((a, b) => a - b)).toEqual([0, 0, 3]);
    expect(world.ec2Calls()['TerminateInstances'] ?? 0).toBe(0);
  });

  test('the history tells of it, and a switch survives', async () => {
    await world.client.pause('test-runner');
    await world.stop();
    await world.start();
    expect((await world.client.pools())[0]).toMatchObject({ paused: true });
    const codes = await codesOf(world);
    expect(codes.filter((code) => code === 'started')).toHaveLength(3);
    expect(codes.filter((code) => code === 'stopping')).toHaveLength(2);
  });
});
