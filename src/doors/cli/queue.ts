// `hostler queue`: the job queue of each pool: where jobs wait, what the pool may take of them, and why not the rest.
// Must not count anything itself: it prints the daemon's figures.
import { type Command, InvalidArgumentError } from 'commander';
import type { QueueJobReply, QueueProjectReply, QueueReply } from '../../contract/api.ts';
import { HostlerError } from '../../domain/error.ts';
import { SECOND_MS } from '../../domain/units.ts';
import { callDaemon, printJson, printLines, type ReadOptions, withReading } from './daemon-call.ts';
import { describeDuration } from './human-time.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint, plain } from './paint.ts';
import { drawTable } from './text-table.ts';

type Flags = ReadOptions & { pool?: string; jobs?: number | true };

/** Jobs that `--jobs` alone names; the server's own bound is 5,000. */
const USUAL_JOBS = 50;
const MOST_JOBS = 5_000;

const seconds = (length: number): string => describeDuration(length * SECOND_MS);

const ways: Readonly<Record<NonNullable<QueueReply['source']>, string>> = {
  rest: 'REST, one call a project',
  graphql: 'GraphQL, several projects a call',
  instance: 'GraphQL, the whole instance in one call',
  metrics: "the runner's own metrics",
};

function sourceLines(queue: QueueReply, paint: Paint): string[] {
  const { source, state, age_s: age, why, gitlab, failing } = queue;
  const colours = { fresh: paint.green, stale: paint.red, failed: paint.red, off: paint.dim };
  const from = source === null ? 'not looked at' : `by ${ways[source]}`;
  const at = gitlab === null || source === 'metrics' ? '' : ` at ${plain(gitlab)}`;
  const seen = age === null ? '' : `, seen ${seconds(age)} ago`;
  // The runner's figures are no sight of the queue, but they are in use.
  const stand = source === 'metrics' && age !== null ? paint.green('in use') : colours[state](state);
  return [
    `${paint.bold(`pool ${plain(queue.pool)}`)}  ${stand}, ${from}${at}${seen}`,
    ...(why === '' ? [] : [`  why     ${plain(why)}`]),
    ...(!failing || failing === why ? [] : [`  failing ${plain(failing)}`]),
    ...queue.remarks.map((remark) => `  note    ${plain(remark)}`),
  ];
}

/** How soon a job is seen: what nobody should have to guess. */
function waitLines({ seen_within_s: within, webhook, watched }: QueueReply): string[] {
  const lines: string[] = [];
  if (within !== null) {
    const watching = watched === 0 ? 'all projects' : `${watched} ${watched === 1 ? 'project' : 'projects'}`;
    lines.push(
      `  seen    within ${seconds(within.busy)} where jobs were pending lately, within ${seconds(within.quiet)} in a quiet project (${watching})`,
    );
  }
  if (webhook !== null) lines.push(`  webhook ${plain(webhook)}`);
  return lines;
}

/** What the runner's metrics say of its last job. Who takes from the same queue shows in what was passed over. */
function toldLines({ runner_told: told }: QueueReply): string[] {
  if (!told) return [];
  const { queue_size: size, queue_depth: depth, age_s: age } = told;
  const when = `took its last job ${seconds(age)} ago`;
  if (size === 0) return [`  runner  ${when}; GitLab did not say how many fitted it`];
  const over = depth > 1 ? `, ${depth - 1} of them taken by others just then, or ended` : '';
  return [`  runner  ${when}, one of ${size} that fitted it${over}`];
}

function sumLines(queue: QueueReply): string[] {
  const { pending, may_take: takes, oldest_s: oldest, coming, forecast, source } = queue;
  if (source === null) return [];
  if (source === 'metrics')
    return [`  jobs    ${pending} waited when the runner last took one, within the last minute`];
  const since = oldest === null ? '' : `, the oldest for ${seconds(oldest)}`;
  const soon = coming === 0 ? '' : `; ${coming} more when their stage begins`;
  const [expected] = forecast;
  return [
    `  jobs    ${pending} pending, ${takes} of them for this pool${since}${soon}`,
    ...(expected === undefined
      ? []
      : [`  rush    ${expected.jobs} unannounced jobs within a boot are usual at this hour of the week`]),
  ];
}

function whyNotText({ why_not: whyNot, hidden }: QueueProjectReply): string {
  if (hidden !== null) return plain(hidden);
  return Object.entries(whyNot)
    .map(([why, count]) => `${count}: ${plain(why)}`)
    .join('; ');
}

function drawProjects(projects: readonly QueueProjectReply[], paint: Paint): string[] {
  if (projects.length === 0) return [];
  return drawTable(
    projects,
    [
      { title: 'PROJECT', of: ({ id, path }) => (path === '' ? `#${id}` : path) },
      { title: 'PENDING', of: (row) => row.pending },
      { title: 'MAY TAKE', of: (row) => row.may_take },
      { title: 'COMING', of: (row) => row.coming },
      { title: 'OLDEST', of: ({ oldest_s: oldest }) => (oldest === null ? null : seconds(oldest)) },
      { title: 'WHY NOT', of: whyNotText },
    ],
    paint,
  ).map((line) => `  ${line}`);
}

/** The table of single jobs, oldest first. */
export function drawJobs(jobs: readonly QueueJobReply[], paint: Paint): string[] {
  return drawTable(
    jobs,
    [
      { title: 'JOB', of: ({ id }) => `#${id}` },
      { title: 'NAME', of: ({ name }) => name },
      { title: 'PROJECT', of: ({ project }) => project },
      { title: 'REF', of: ({ ref }) => ref },
      { title: 'TAGS', of: ({ tags }) => tags.join(',') },
      { title: 'WAITS', of: ({ waited_s: waited }) => seconds(waited) },
      {
        title: 'VERDICT',
        of: ({ takes, why_not: why, detail }) =>
          takes ? 'may take' : `no: ${why}${detail === '' ? '' : ` (${detail})`}`,
        paint: (text, { takes }) => (takes ? paint.green(text) : paint.dim(text)),
      },
    ],
    paint,
  ).map((line) => `  ${line}`);
}

function drawQueue(queue: QueueReply, jobs: number, paint: Paint): string[] {
  const named = queue.jobs.slice(0, jobs);
  const left = queue.pending - named.length;
  const more = jobs > 0 && left > 0 ? [`  ${left} more; --jobs N names more of them`] : [];
  return [
    ...sourceLines(queue, paint),
    ...waitLines(queue),
    ...sumLines(queue),
    ...toldLines(queue),
    ...drawProjects(queue.projects, paint),
    ...(named.length === 0 ? [] : ['', ...drawJobs(named, paint)]),
    ...more,
  ];
}

function readJobs(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_JOBS) return Number(text);
  throw new InvalidArgumentError(`--jobs takes a whole number from 1 to ${MOST_JOBS}.`);
}

async function show(io: CliIo, flags: Flags): Promise<void> {
  const jobs = flags.jobs === true ? USUAL_JOBS : (flags.jobs ?? 0);
  await callDaemon(io, flags, async (client) => {
    const all = await client.queue(jobs === 0 ? undefined : jobs);
    const queues = all.filter(({ pool }) => flags.pool === undefined || pool === flags.pool);
    if (flags.pool !== undefined && queues.length === 0)
      throw new HostlerError('not-found', `no pool with a job queue is named ${flags.pool}`);
    if (flags.json === true) return printJson(io, queues);
    const paint = createPaint(io);
    const blocks = queues.map((queue) => drawQueue(queue, jobs, paint));
    if (blocks.length === 0) printLines(io, ['no pool looks at a job queue']);
    printLines(
      io,
      blocks.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines])),
    );
  });
}

/** Registers `queue`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('queue'))
    .description("show GitLab's job queue by pool: what waits, what the pool may take, why not the rest")
    .option('-p, --pool <pool>', 'only that of one pool')
    .option('--jobs [n]', `name single jobs, oldest first (${USUAL_JOBS} unless given)`, readJobs)
    .action((flags: Flags) => show(io, flags));
}
