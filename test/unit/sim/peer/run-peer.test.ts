import { describe, expect, test } from 'vitest';
import { runPeer } from '../../../../src/sim/peer/run-peer.ts';
import { makeWorkload } from '../../../../src/sim/workload.ts';
import { MONDAY, measuredFile, peerRun } from './peer-file.ts';

const waits = (jobs: Awaited<ReturnType<typeof runPeer>>['jobs']): number[] =>
  jobs.map(({ hostAt, queuedAt }) => ((hostAt ?? Number.NaN) - (queuedAt ?? 0)) / 1_000);

const frame = { startAt: MONDAY, days: 1 / 24, seed: 5 };
const burst = makeWorkload('burst:200@0,2m,sigma=0', frame);

describe('docker+machine under 200 jobs at once, boot 40 s', () => {
  test('with ten idle machines needs twenty waves of a boot each', async () => {
    const { jobs } = await runPeer(
      peerRun({ ...frame, workload: burst, bootMs: 40_000, idle: { idleCount: 10 } }),
    );
    const worst = Math.max(...waits(jobs));
    expect(worst).toBeGreaterThan(19 * 40);
    expect(worst).toBeLessThan(20 * 42);
  });

  test('without idle machines needs one boot at best', async () => {
    const { jobs } = await runPeer(peerRun({ ...frame, workload: burst, bootMs: 40_000 }));
    const worst = Math.max(...waits(jobs));
    expect(worst).toBeGreaterThan(40);
    expect(worst).toBeLessThan(42);
  });

  test('without idle machines as GitLab’s fork is throttled by EC2 and starts its last jobs late', async () => {
    const { jobs, totals } = await runPeer(
      peerRun({ ...frame, workload: burst, bootMs: 40_000, flavour: 'gitlab' }),
    );
    expect(Math.max(...waits(jobs).filter((wait) => !Number.isNaN(wait)))).toBeGreaterThan(60);
    expect(totals.calls / totals.machines).toBeGreaterThan(18);
  });
});

describe('a run', () => {
  test('gives the same for the same options', async () => {
    const options = () => peerRun({ flavour: 'gitlab', idle: { idleCount: 3 }, odds: {} });
    const [one, two] = [await runPeer(options()), await runPeer(options())];
    expect(waits(one.jobs)).toEqual(waits(two.jobs));
    expect(one.totals).toEqual(two.totals);
    expect(one.course).toEqual(two.course);
  });

  test('counts only its own time: idle machines of an hour, no more', async () => {
    const { totals, course } = await runPeer(
      peerRun({ workload: [], idle: { idleCount: 4 }, warmUpMs: 3_600_000 }),
    );
    expect(totals.machineSeconds).toBeCloseTo(4 * 3_600, 0);
    expect(totals.idleSeconds).toBeCloseTo(4 * 3_600, 0);
    expect(totals.costUsd).toBeCloseTo(4 * 0.096, 3);
    expect([totals.machines, totals.calls]).toEqual([0, 0]);
    expect(course.every(({ machines }) => Object.values(machines).reduce((a, b) => a + b, 0) === 4)).toBe(
      true,
    );
    expect(course).toHaveLength(500);
  });

  test('busy and idle hours are all the hours, and the busy ones are the jobs’', async () => {
    const workload = makeWorkload('poisson:120/h,1m', frame);
    const { jobs, totals } = await runPeer(peerRun({ ...frame, workload, idle: { idleCount: 3 } }));
    const worked = jobs
      .filter(({ endedAt }) => (endedAt ?? Infinity) <= frame.startAt + 3_600_000)
      .reduce((sum, { hostAt, endedAt }) => sum + ((endedAt ?? 0) - (hostAt ?? 0)) / 1_000, 0);
    expect(totals.busySeconds + totals.idleSeconds).toBeCloseTo(totals.machineSeconds, 3);
    expect(totals.busySeconds).toBeGreaterThan(worked * 0.98);
    expect(totals.busySeconds).toBeLessThan(worked * 1.2);
  });

  test('loses jobs to machines that EC2 takes back, and counts them', async () => {
    const workload = makeWorkload('burst:60@0,20m,sigma=0', frame);
    const { jobs, totals } = await runPeer(
      peerRun({
        ...frame,
        workload,
        reclaimsPerHour: 0.5,
        launch: () => ({ type: 'm5.large', zone: 'eu-central-1a', market: 'spot', maxPrice: null }),
      }),
    );
    const lost = jobs.filter(({ failure }) => failure === 'runner_system_failure').length;
    expect(lost).toBeGreaterThan(4);
    expect(lost).toBeLessThan(30);
    expect(totals.interruptions).toBe(lost);
  });

  test('serves several sections, each its own jobs', async () => {
    const workload = [
      ...makeWorkload('burst:5@0,10s,sigma=0,tags=a', frame),
      ...makeWorkload('burst:5@1,10s,sigma=0,tags=b', frame),
    ];
    const { jobs } = await runPeer(
      peerRun({
        ...frame,
        workload,
        runners: [['a'], ['b']],
        settings: ([a = 0, b = 0]) => {
          const file = measuredFile(a, {});
          const [other] = measuredFile(b, {}, { token: 'glrt-other45678', machineName: 'b-%s' }).sections;
          return { ...file, sections: [...file.sections, ...(other === undefined ? [] : [other])] };
        },
      }),
    );
    expect(jobs.every(({ status }) => status === 'success')).toBe(true);
    for (const { tags, machine } of jobs) {
      expect(machine).toMatch(
        tags.includes('a') ? /^runner-abc123def-auto-/ : /^runner-other4567-b-|^runner-other45678-b-/,
      );
    }
  });
});
