// An installation for one benchmark: emulated cloud and daemon as processes of their own, ended on every way out.

import { demoRunner } from '../src/demo/config-text.ts';
import { type Installation, startInstallation } from '../src/demo/installation.ts';
import { createMachineCalls, type MachineCalls } from '../src/demo/machine-calls.ts';
import { createMachineNames } from '../src/demo/machine-name.ts';
import type { RunnerPolicy } from '../src/demo/policy.ts';
import { programs } from '../src/demo/site.ts';

/** A runner on demand whose machines never end by themselves: retirements must not mix with what is measured. */
const policy: Omit<RunnerPolicy, 'limit' | 'concurrent'> = {
  idleCount: 0,
  idleCountMin: 0,
  idleScaleFactor: 0,
  idleTimeMs: 3_600_000,
  maxBuilds: 1_000,
  maxGrowthRate: 0,
};

export type Bench = Installation & {
  calls: MachineCalls;
  newName(): string;
  /** Waits until that many machines are ready to be leased. */
  ready(count: number): Promise<void>;
};

/** Runs `work` in a fresh installation with `idle` machines kept ready and room for `limit`, 200 unless said otherwise. */
export async function withInstallation<T>(
  options: { idle: number; bootS: number; limit?: number },
  work: (bench: Bench) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const ended = (): void => stop.abort(new Error('interrupted'));
  process.once('SIGINT', ended).once('SIGTERM', ended);
  const { limit = 200 } = options;
  const at = await startInstallation(
    { policy: { ...policy, limit, concurrent: limit }, way: 'on-demand', ...options },
    { env: process.env, signal: stop.signal },
  );
  try {
    const names = createMachineNames(demoRunner);
    const ready = (count: number) =>
      at.until(
        `${count} ready machines`,
        async () => (await at.client.machines()).filter(({ phase }) => phase === 'ready').length >= count,
        120_000,
      );
    await ready(options.idle);
    const calls = createMachineCalls({
      dockerMachine: programs.dockerMachine,
      store: at.site.store,
      env: at.site.env,
    });
    return await work({ ...at, calls, newName: () => names.next(Date.now()), ready });
  } finally {
    process.off('SIGINT', ended).off('SIGTERM', ended);
    await at.close(true);
  }
}
