// How the demo looks: a block of lines that a terminal draws in place, one plain line elsewhere, and the summary.
// Pure: it gets what was seen and gives lines.
import type { DemoView } from '../../demo/demo.ts';
import type { JobRecord, JobState } from '../../demo/job-record.ts';
import type { DemoSummary, JobSummary } from '../../demo/summary.ts';
import type { Paint } from './paint.ts';
import { plain } from './paint.ts';
import { drawTable } from './text-table.ts';

export type ScreenFacts = {
  stage: string;
  elapsedMs: number;
  /** How many first hosts are shown one by one. */
  idle: number;
  view: DemoView;
};

/** Letters of the bar. */
const BAR_WIDTH = 40;

const jobStates: readonly JobState[] = ['queued', 'waiting', 'running', 'done', 'failed'];
const phases = ['requested', 'booting', 'provisioning', 'ready', 'leased', 'draining', 'terminating'];

const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

function countJobs(jobs: readonly JobRecord[]): Readonly<Record<JobState, number>> {
  const counts: Record<JobState, number> = { queued: 0, waiting: 0, running: 0, done: 0, failed: 0 };
  for (const { state } of jobs) counts[state] += 1;
  return counts;
}

/** `first 3 after 0.2 0.3 0.3 s, 12 so far, last after 8.4 s` */
function handedWords(jobs: readonly JobRecord[], idle: number): string {
  const waits = jobs
    .flatMap(({ handedAt, queuedAt }) => (handedAt === null ? [] : [handedAt - queuedAt]))
    .toSorted((a, b) => a - b);
  const last = waits.at(-1);
  if (last === undefined) return 'none handed over yet';
  const first = waits.slice(0, idle).map((ms) => (ms / 1_000).toFixed(2));
  const head = first.length === 0 ? '' : `first ${first.length} after ${first.join(' ')} s, `;
  return `${head}${waits.length} so far, last after ${inSeconds(last)}`;
}

function machineWords(machines: Readonly<Record<string, number>>): string {
  const shown = phases.filter((phase) => (machines[phase] ?? 0) > 0);
  return shown.length === 0 ? 'none' : shown.map((phase) => `${phase} ${machines[phase]}`).join('  ');
}

function bar(jobs: readonly JobRecord[], paint: Paint): string {
  const counts = countJobs(jobs);
  const total = Math.max(1, jobs.length);
  const width = (count: number) => Math.round((count / total) * BAR_WIDTH);
  const done = width(counts.done);
  const running = Math.min(BAR_WIDTH - done, width(counts.running));
  const rest = BAR_WIDTH - done - running;
  return `[${paint.green('#'.repeat(done))}${paint.yellow('='.repeat(running))}${'.'.repeat(rest)}]`;
}

/** The live block for a terminal. */
export function drawLive(facts: ScreenFacts, paint: Paint): string[] {
  const { jobs, machines } = facts.view;
  const counts = countJobs(jobs);
  const words = jobStates.map((state) => {
    const text = `${state} ${counts[state]}`;
    return state === 'failed' && counts.failed > 0 ? paint.red(text) : text;
  });
  return [
    `${paint.bold('hostler demo')}  ${paint.dim(inSeconds(facts.elapsedMs))}  ${facts.stage}`,
    `jobs      ${words.join('  ')}`,
    `          ${bar(jobs, paint)}`,
    `machines  ${machineWords(machines)}`,
    `hosts     ${handedWords(jobs, facts.idle)}`,
  ];
}

/** The same as one plain line. */
export function drawLine(facts: ScreenFacts): string {
  const counts = countJobs(facts.view.jobs);
  const words = jobStates.filter((state) => counts[state] > 0).map((state) => `${state} ${counts[state]}`);
  const jobs = words.length === 0 ? 'none yet' : words.join(' ');
  return `${inSeconds(facts.elapsedMs).padStart(7)}  ${facts.stage}: jobs ${jobs}; machines ${machineWords(facts.view.machines)}`;
}

function jobTable(jobs: readonly JobSummary[], paint: Paint): string[] {
  const after = (figure: number | null) => (figure === null ? null : figure.toFixed(2));
  return drawTable(
    jobs,
    [
      { title: 'JOB', of: (job) => Number(job.id) },
      { title: 'HOST AFTER s', of: (job) => after(job.handed_s) },
      { title: 'RUNS AFTER s', of: (job) => after(job.started_s) },
      { title: 'DONE AFTER s', of: (job) => after(job.done_s) },
      { title: 'MACHINE', of: (job) => job.machine },
      {
        title: 'STATE',
        of: (job) => (job.failure === null ? job.state : `${job.state}: ${plain(job.failure)}`),
        paint: (text, job) => (job.state === 'done' ? paint.green(text) : paint.red(text)),
      },
    ],
    paint,
  );
}

/** The table of all jobs and the headline figures with their budgets. */
export function drawSummary(summary: DemoSummary, paint: Paint): string[] {
  return [...jobTable(summary.jobs, paint), '', ...drawFigures(summary, paint)];
}

/** The headline figures with their budgets. */
export function drawFigures(summary: DemoSummary, paint: Paint): string[] {
  const verdict = (what: string, unit: string): string => {
    const found = summary.budgets.find((budget) => budget.what === what);
    if (found === undefined) return '';
    const text = `(budget ${Math.round(found.budget * 10) / 10}${unit})`;
    return found.ok ? paint.green(text) : paint.red(`${text} exceeded`);
  };
  const first = summary.first_handover_s.map((each) => each.toFixed(2)).join(' ');
  const last = summary.last_handover_s === null ? 'none' : `${summary.last_handover_s.toFixed(1)} s`;
  const calls = Object.entries(summary.ec2_calls_by_action).map(([action, count]) => `${action} ${count}`);
  return [
    `jobs      ${summary.jobs_done} of ${summary.jobs_total} done`,
    ...(first === ''
      ? []
      : [
          `hosts     first ${summary.first_handover_s.length} after ${first} s ${verdict('first_handover_s', ' s each')}`,
        ]),
    `          last after ${last}, boot ${summary.boot_s} s ${verdict('last_handover_s', ' s')}`,
    `machines  ${summary.machines_launched} launched, ${summary.machines_reused} ran more than one job`,
    `EC2       ${summary.ec2_calls} calls ${verdict('ec2_calls', '')}: ${calls.join(', ')}`,
    ...(summary.leaked === null
      ? []
      : [
          `left      ${summary.leaked === 0 ? paint.green('nothing') : paint.red(`${summary.leaked} instances`)}`,
        ]),
  ];
}
