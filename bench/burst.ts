// 200 jobs at once with ten idle machines and a boot of 40 s, in the simulated world: when the last one has its host, by
// hostler and by docker+machine, with the same jobs and seed. Seconds are the world's own: a busy machine changes nothing.
import type { Config } from '../src/domain/config.ts';
import { SECOND_MS } from '../src/domain/units.ts';
import type { Job } from '../src/sim/gitlab/job.ts';
import type { PeerFlavourName } from '../src/sim/peer/peer-flavour.ts';
import { runPeer } from '../src/sim/peer/run-peer.ts';
import { makeWorkload } from '../src/sim/workload.ts';
import { configOf } from '../src/simulator/run/config-of.ts';
import { runnerSettings } from '../src/simulator/run/runner-file.ts';
import { type SimulateOptions, simulate } from '../src/simulator/simulate.ts';
import { atLeast, atMost, informs, type Row } from './row.ts';

const JOBS = 200;
const BOOT_S = 40;
const IDLE = 10;
/** Jobs that outlast the burst: no machine serves two of them. */
const frame = { startAt: Date.UTC(2026, 0, 5, 9), days: 1 / 24, seed: 11 };
const workload = makeWorkload(`burst:${JOBS}@0,20m,sigma=0`, frame);
/** The runner's first poll, 5 s after its start, and all others then fall on whole check_intervals before the first job. */
const WARM_UP_MS = 905 * SECOND_MS;
const DAY_S = 86_400;
/** Boot, job, two idle times and the ends; all machines must be gone by then. */
const CALLS_MEASURED_S = 420;

/** A runner's file without periods, whose limits leave room for all. */
function burstFile(idle: number): string {
  return `concurrent = 250
check_interval = 3

[[runners]]
  name = "burst"
  url = "https://gitlab.example.com"
  token = "glrt-burst0000000000000000"
  executor = "docker+machine"
  limit = 250
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = ${idle}
    IdleTime = 60
    MaxBuilds = 100
    MachineDriver = "amazonec2"
    MachineName = "ci-%s"
    MachineOptions = [
      "amazonec2-region=eu-central-1", "amazonec2-zone=a",
      "amazonec2-use-private-address=true", "amazonec2-instance-type=m5.large",
    ]
`;
}

/** Seconds from queue to host of the job that waited longest; one without a host waits for ever. */
function last(jobs: readonly Job[]): number {
  if (jobs.length < JOBS) return Number.POSITIVE_INFINITY;
  return Math.max(
    ...jobs.map(({ hostAt, queuedAt, createdAt }) =>
      hostAt === null ? Number.POSITIVE_INFINITY : (hostAt - (queuedAt ?? createdAt)) / SECOND_MS,
    ),
  );
}

/** docker+machine with the same file and jobs. It asks GitLab ten at a time, as the runner on demand does. */
async function peer(config: Config, flavour: PeerFlavourName): Promise<number> {
  const { jobs } = await runPeer({
    ...frame,
    workload,
    runners: [[]],
    settings: (ids) =>
      runnerSettings(config, new Map(config.pools.map(({ id }, at) => [id, ids[at] ?? 0])), 'on-demand'),
    region: 'eu-central-1',
    launch: () => ({ type: 'm5.large', zone: 'eu-central-1a', market: 'on-demand', maxPrice: null }),
    bootMs: BOOT_S * SECOND_MS,
    flavour,
    odds: { missedWord: 0, ownCreateFirst: 0 },
  });
  return last(jobs);
}

type OnCall = NonNullable<SimulateOptions['onCall']>;

function own(config: Config, jobs: typeof workload, days: number, onCall?: OnCall) {
  const { startAt, seed } = frame;
  return simulate({
    config,
    workload: jobs,
    startAt,
    days,
    seed,
    warmUpMs: WARM_UP_MS,
    bootMs: BOOT_S * SECOND_MS,
    runner: 'on-demand',
    ...(onCall === undefined ? {} : { onCall }),
  });
}

/** Every call to EC2 from a burst of jobs on an empty pool until its last machine has ended, sweeps included. */
async function callsOfBurst(cold: Config): Promise<Row> {
  const jobs = makeWorkload(`burst:${JOBS}@0,2m,sigma=0`, frame);
  const { ec2Calls, machines, course } = await own(cold, jobs, CALLS_MEASURED_S / DAY_S);
  const left = Object.values(course.at(-1)?.machines ?? {}).reduce((sum, count) => sum + count, 0);
  const calls = left === 0 ? ec2Calls.total : Number.POSITIVE_INFINITY;
  return atMost(
    `EC2 calls for a burst of ${machines} machines, launch to end`,
    calls,
    'calls',
    20 + 0.1 * machines,
  );
}

/** Beyond what EC2 launches at once: 1,000 instances, then two a second. */
const MANY = 1_500;
/** The other 500 at two a second, and what the calls themselves take. */
const MANY_S = 275;

/** A burst beyond the published buckets: calls that EC2 refused for their rate, and the last job's host. */
async function burstOfMany(): Promise<readonly Row[]> {
  let calls = 0;
  let throttled = 0;
  const file = burstFile(0).replaceAll('250', '2000');
  const jobs = makeWorkload(`burst:${MANY}@0,20m,sigma=0`, frame);
  const { jobs: ends, waitS } = await own(await configOf(file), jobs, 1 / 48, (answer) => {
    calls += 1;
    if (answer === 'throttled') throttled += 1;
  });
  const lastS = ends.served < MANY ? Number.POSITIVE_INFINITY : waitS.max;
  const named = `burst of ${MANY}, boot ${BOOT_S} s, EC2's published rates (simulated)`;
  return [
    atMost(`${named}: calls that EC2 refused for their rate`, (100 * throttled) / calls, '%', 2),
    atMost(`${named}: last job handed a host`, lastS, 's', MANY_S + BOOT_S),
  ];
}

/** Waits of the last job against docker+machine's, and EC2's calls. */
export async function burst(): Promise<readonly Row[]> {
  const [warm, cold] = [await configOf(burstFile(IDLE)), await configOf(burstFile(0))];
  const { jobs, waitS } = await own(warm, workload, frame.days);
  const ownLast = jobs.served < JOBS ? Number.POSITIVE_INFINITY : waitS.max;
  const peerWarm = await peer(warm, 'bare');
  const [peerCold, bareCold] = [await peer(cold, 'gitlab'), await peer(cold, 'bare')];
  const named = `burst of ${JOBS}, boot ${BOOT_S} s, idle ${IDLE} (simulated)`;
  return [
    atMost(`${named}: last job handed a host`, ownLast, 's', BOOT_S + 5),
    atLeast(`${named}: sooner than docker+machine at its best, idle ${IDLE}`, peerWarm / ownLast, 'x', 15),
    atMost(`${named}: time of the last job / docker+machine's at idle 0`, ownLast / peerCold, 'x', 1),
    informs(`${named}: docker+machine at its best, idle ${IDLE}: last job`, peerWarm, 's'),
    informs(`${named}: docker+machine, idle 0: last job`, peerCold, 's'),
    informs(`${named}: docker+machine without EC2's and its own delays, idle 0: last job`, bareCold, 's'),
    await callsOfBurst(cold),
    ...(await burstOfMany()),
  ];
}
