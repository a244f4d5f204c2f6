// The first days of a working week, made from a seed: idle machine-hours of hostler and of docker+machine, each with the
// cheapest IdleCount and IdleTime that keep the 95th percentile of the waits within 15 s. `hostler simulate` sweeps; this
// plays what a sweep found, so that a change of the policy shows.
import type { Config } from '../src/domain/config.ts';
import { SECOND_MS } from '../src/domain/units.ts';
import { runPeer } from '../src/sim/peer/run-peer.ts';
import { makeWorkload } from '../src/sim/workload.ts';
import { configOf } from '../src/simulator/run/config-of.ts';
import { runnerSettings } from '../src/simulator/run/runner-file.ts';
import { simulate } from '../src/simulator/simulate.ts';
import { atMost, informs, quantile, type Row } from './row.ts';

const WAIT_P95_S = 15;
const BOOT_MS = 40 * SECOND_MS;
const frame = { startAt: Date.UTC(2026, 0, 5), days: 2, seed: 11 };
const workload = makeWorkload('week:60/h,stages=1', frame);

type Setting = { idleCount: number; idleTimeS: number };
type Outcome = { waitP95S: number; idleHours: number };

/** The cheapest that keep the wait, of IdleCounts 6 to 18 with IdleTimes of one, five, ten and twenty minutes. */
const cheapest = {
  hostler: { idleCount: 16, idleTimeS: 60 },
  dockerMachine: { idleCount: 14, idleTimeS: 300 },
} satisfies Record<string, Setting>;

function weekFile({ idleCount, idleTimeS }: Setting): string {
  return `concurrent = 400
check_interval = 3

[[runners]]
  name = "week"
  url = "https://gitlab.example.com"
  token = "glrt-week00000000000000000"
  executor = "docker+machine"
  limit = 400
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = ${idleCount}
    IdleTime = ${idleTimeS}
    MaxBuilds = 100
    MachineDriver = "amazonec2"
    MachineName = "ci-%s"
    MachineOptions = [
      "amazonec2-region=eu-central-1", "amazonec2-zone=a",
      "amazonec2-use-private-address=true", "amazonec2-instance-type=m5.large",
    ]
`;
}

async function own(config: Config): Promise<Outcome> {
  const { waitS, machineHours } = await simulate({
    ...frame,
    config,
    workload,
    bootMs: BOOT_MS,
    runner: 'on-demand',
  });
  return { waitP95S: waitS.p95, idleHours: machineHours.idle };
}

/** docker+machine as GitLab's fork is, with its own calls and EC2's limits. */
async function peer(config: Config): Promise<Outcome> {
  const { jobs, totals } = await runPeer({
    ...frame,
    workload,
    runners: [[]],
    settings: (ids) =>
      runnerSettings(config, new Map(config.pools.map(({ id }, at) => [id, ids[at] ?? 0])), 'on-demand'),
    region: 'eu-central-1',
    launch: () => ({ type: 'm5.large', zone: 'eu-central-1a', market: 'on-demand', maxPrice: null }),
    bootMs: BOOT_MS,
    flavour: 'gitlab',
    odds: { missedWord: 0, ownCreateFirst: 0 },
  });
  const waits = jobs.map(({ hostAt, queuedAt, createdAt }) =>
    hostAt === null ? Number.POSITIVE_INFINITY : (hostAt - (queuedAt ?? createdAt)) / SECOND_MS,
  );
  return { waitP95S: quantile(waits, 0.95), idleHours: totals.idleSeconds / 3_600 };
}

/** Rows for the idle hours of both and their ratio. A policy that misses the wait has none to compare. */
export async function week(): Promise<readonly Row[]> {
  const [ours, theirs] = [
    await own(await configOf(weekFile(cheapest.hostler))),
    await peer(await configOf(weekFile(cheapest.dockerMachine))),
  ];
  const isKept = ours.waitP95S <= WAIT_P95_S && theirs.waitP95S <= WAIT_P95_S;
  const ratio = isKept ? ours.idleHours / theirs.idleHours : Number.POSITIVE_INFINITY;
  const named = `${frame.days} days of a week, p95 wait within ${WAIT_P95_S} s (simulated)`;
  return [
    atMost(`${named}: idle machine-hours / docker+machine's`, ratio, 'x', 0.7),
    informs(`${named}: idle machine-hours`, ours.idleHours, 'h'),
    informs(`${named}: p95 wait`, ours.waitP95S, 's'),
    informs(`${named}: docker+machine's idle machine-hours`, theirs.idleHours, 'h'),
    informs(`${named}: docker+machine's p95 wait`, theirs.waitP95S, 's'),
  ];
}
