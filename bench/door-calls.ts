// The nine docker-machine calls of one job on a warm pool, one job after the other, against a bare `node -e 0` of the same
// Node started in between: what the door costs, whatever the machine.
import { spawn } from 'node:child_process';
import type { Call } from '../src/demo/machine-calls.ts';
import { type Bench, withInstallation } from './install.ts';
import { atMost, informs, median, type Row } from './row.ts';

/** Jobs measured; the first ones bring the pool to rest and count for nothing. */
const JOBS = 50;
const WARM_UP = 5;

function bareNode(): Promise<number> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(process.execPath, ['-e', '0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.on('error', reject);
    child.on('close', () => resolve(performance.now() - begun));
  });
}

/** The calls of one job in the runner's order. Throws when one fails. */
async function oneJob({ calls, machineOptions, newName }: Bench): Promise<readonly [string, number][]> {
  const name = newName();
  const samples: [string, number][] = [];
  const note = async (verb: string, call: Promise<Call>): Promise<void> => {
    const { code, ms, complaint } = await call;
    if (code !== 0) throw new Error(`docker-machine ${verb} ended with ${code}: ${complaint}`);
    samples.push([verb, ms]);
  };
  await note('create', calls.create(name, { driver: 'amazonec2', machineOptions }));
  await note('config', calls.config(name));
  await note('config', calls.config(name));
  await note('url', calls.url(name));
  await note('inspect -f', calls.storePath(name));
  await note('config', calls.config(name));
  await note('inspect', calls.inspect(name));
  await note('stop', calls.stop(name));
  await note('rm -y', calls.remove(name));
  return samples;
}

/** Rows for the ratio and each verb. */
export function doorCalls(): Promise<readonly Row[]> {
  return withInstallation({ idle: 3, bootS: 1 }, async (bench) => {
    const byVerb = new Map<string, number[]>();
    const jobs: number[] = [];
    const bare: number[] = [];
    for (let job = 0; job < WARM_UP + JOBS; job += 1) {
      await bench.ready(1);
      const samples = await oneJob(bench);
      bare.push(await bareNode());
      if (job < WARM_UP) continue;
      jobs.push(samples.reduce((sum, [, ms]) => sum + ms, 0));
      for (const [verb, ms] of samples) byVerb.set(verb, [...(byVerb.get(verb) ?? []), ms]);
    }
    const node = median(bare);
    return [
      atMost('door: nine calls of a job / node -e 0', median(jobs) / node, 'x', 5),
      informs('door: nine calls of a job, p50', median(jobs), 'ms'),
      informs('door: node -e 0, p50', node, 'ms'),
      ...[...byVerb].map(([verb, samples]) =>
        verb === 'create'
          ? informs('door: create, p50', median(samples), 'ms')
          : atMost(`door: ${verb}, p50`, median(samples), 'ms', 10),
      ),
    ];
  });
}
