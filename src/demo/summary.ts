// From the records of a burst to its figures. Everything here was measured: records of the stand-in runner, and what the
// emulated cloud counted. Keys of the JSON are documented in docs/demo.md and stay.
import { SECOND_MS } from '../domain/units.ts';
import type { JobRecord } from './job-record.ts';

/** Seconds that the budgets allow: an idle host at once, every other one after a boot and this much more. */
const FIRST_WITHIN_S = 1;
const LAST_BEYOND_BOOT_S = 5;
/** EC2 calls for a burst of N machines, launch to end: 20 + 0.1 × N. */
const CALLS_BASE = 20;
const CALLS_PER_MACHINE = 0.1;

/** One job; seconds count from the moment it was queued. */
export type JobSummary = {
  id: string;
  state: JobRecord['state'];
  /** Until it had its host; null = never. */
  handed_s: number | null;
  started_s: number | null;
  done_s: number | null;
  /** hostler's id of its machine. */
  machine: string | null;
  failure: string | null;
};

export type DemoSummary = {
  jobs_total: number;
  jobs_done: number;
  /** Of the first jobs, as many as idle machines were kept. */
  first_handover_s: readonly number[];
  last_handover_s: number | null;
  /** Launch to a host that answers, as the emulated cloud was told. */
  boot_s: number;
  ec2_calls: number;
  ec2_calls_by_action: Readonly<Record<string, number>>;
  machines_launched: number;
  /** Machines that ran more than one job. */
  machines_reused: number;
  /** Instances that had not ended at the end; null = not looked yet. */
  leaked: number | null;
  budgets: readonly { what: string; figure: number; budget: number; ok: boolean }[];
  jobs: readonly JobSummary[];
};

export type SummaryInput = {
  records: readonly JobRecord[];
  /** docker-machine's name → hostler's machine id, as read when the job got its host. */
  machineIds: ReadonlyMap<string, string>;
  idle: number;
  bootS: number;
  calls: Readonly<Record<string, number>>;
  launched: number;
  leaked: number | null;
};

function seconds(record: JobRecord, at: number | null): number | null {
  return at === null ? null : Math.round(at - record.queuedAt) / SECOND_MS;
}

function countReused(jobs: readonly JobSummary[]): number {
  const uses = new Map<string, number>();
  for (const { machine } of jobs) if (machine !== null) uses.set(machine, (uses.get(machine) ?? 0) + 1);
  return [...uses.values()].filter((count) => count > 1).length;
}

/** The figures of a burst. */
export function summarise(input: SummaryInput): DemoSummary {
  const jobs = input.records.map(
    (record): JobSummary => ({
      id: record.order.id,
      state: record.state,
      handed_s: seconds(record, record.handedAt),
      started_s: seconds(record, record.startedAt),
      done_s: seconds(record, record.doneAt),
      machine: record.machine === null ? null : (input.machineIds.get(record.machine) ?? record.machine),
      failure: record.failure,
    }),
  );
  const handed = jobs
    .flatMap(({ handed_s }) => (handed_s === null ? [] : [handed_s]))
    .toSorted((a, b) => a - b);
  const first = handed.slice(0, input.idle);
  const last = handed.at(-1) ?? null;
  const calls = Object.values(input.calls).reduce((sum, count) => sum + count, 0);
  const budget = (what: string, figure: number, limit: number) => ({
    what,
    figure,
    budget: limit,
    ok: figure <= limit,
  });
  return {
    jobs_total: jobs.length,
    jobs_done: jobs.filter(({ state }) => state === 'done').length,
    first_handover_s: first,
    last_handover_s: last,
    boot_s: input.bootS,
    ec2_calls: calls,
    ec2_calls_by_action: input.calls,
    machines_launched: input.launched,
    machines_reused: countReused(jobs),
    leaked: input.leaked,
    budgets: [
      ...(first.length === 0 ? [] : [budget('first_handover_s', Math.max(...first), FIRST_WITHIN_S)]),
      ...(last === null ? [] : [budget('last_handover_s', last, input.bootS + LAST_BEYOND_BOOT_S)]),
      budget('ec2_calls', calls, CALLS_BASE + CALLS_PER_MACHINE * input.launched),
      ...(input.leaked === null ? [] : [budget('leaked', input.leaked, 0)]),
    ],
    jobs,
  };
}
