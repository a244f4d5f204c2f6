// `npm run sim`: seeds under faults, or one story crashed at each of its points. Prints a line a failing seed with the command
// that plays it again, and a sum; `--json` prints the sum alone as JSON. Exit code 1 when any rule was broken.
import { parseArgs } from 'node:util';
import { createClock } from '../adapters/system/clock.ts';
import { HostlerError, messageOf } from '../domain/error.ts';
import { HOUR_MS, SECOND_MS } from '../domain/units.ts';
import { type CrashOptions, crashEverywhere, STORIES } from './crash-everywhere.ts';
import { crashOnThreads, type Reported, runSeeds } from './crew.ts';
import { type FaultName, faultNames, faults as faultTexts, parseFaults } from './faults/fault-names.ts';
import { runSeed, type SeedReport } from './run-seed.ts';

const USAGE = `npm run sim -- [--seeds N] [--from N] [--faults all|none|NAME,NAME] [--hours N] [--threads N] [--json]
npm run sim -- --seed N [--faults …] [--hours N] [--trace]     one seed, with its history
npm run sim -- --crash everywhere [--story run-instances|fleet|spot-request] [--sample N] [--point N --trace]
npm run sim -- --list                                          the faults and what they are
`;

const options = {
  seeds: { type: 'string', default: '20' },
  from: { type: 'string', default: '1' },
  seed: { type: 'string' },
  faults: { type: 'string', default: 'all' },
  hours: { type: 'string' },
  threads: { type: 'string', default: '2' },
  crash: { type: 'string' },
  story: { type: 'string', default: 'run-instances' },
  sample: { type: 'string' },
  point: { type: 'string' },
  trace: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

type Given = ReturnType<typeof read>;

const clock = createClock();
const print = (text: string) => process.stdout.write(`${text}\n`);

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new HostlerError('usage', `--${name} takes a whole number, not ${text}`);
}

function read() {
  const { values } = parseArgs({ options });
  const names = parseFaults(values.faults);
  if (names === null) {
    const known = faultNames.join(', ');
    throw new HostlerError('usage', `no such fault in ${values.faults}; there are: ${known}`);
  }
  const numberOf = (name: 'hours' | 'seed' | 'sample' | 'point') => {
    const text = values[name];
    return text === undefined ? null : wholeNumber(name, text);
  };
  return {
    ...values,
    faults: { names, text: values.faults },
    count: wholeNumber('seeds', values.seeds),
    first: wholeNumber('from', values.from),
    threads: Math.max(1, wholeNumber('threads', values.threads)),
    hours: numberOf('hours'),
    seed: numberOf('seed'),
    sample: numberOf('sample'),
    point: numberOf('point'),
  };
}

function replayOf({ seed }: { seed: number }, { faults, hours }: Given): string {
  const length = hours === null ? '' : ` --hours ${hours}`;
  return `npm run sim -- --seed ${seed} --faults ${faults.text}${length} --trace`;
}

function wordsOf(report: Reported<SeedReport>): string[] {
  const broken = report.breaches.map(
    ({ rule, at, text }) => `${rule} at ${new Date(at).toISOString()}: ${text}`,
  );
  return [...broken, ...report.unhandled.map((error) => `a rejection that nobody handled: ${error}`)];
}

function addTo(sum: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + count;
}

/** Many seeds; true when no rule was broken. */
async function manySeeds(given: Given): Promise<boolean> {
  const begun = clock.monotonic();
  const fired: Record<string, number> = {};
  const ends: Record<string, number> = {};
  const calls: Record<string, number> = {};
  const failures: { seed: number; words: string[]; replay: string }[] = [];
  let [jobs, virtualMs] = [0, 0];
  const seeds = Array.from({ length: given.count }, (_, index) => given.first + index);
  await runSeeds(
    { seeds, faults: given.faults.names, hours: given.hours, threads: given.threads },
    (report) => {
      jobs += report.jobs;
      virtualMs += report.virtualMs;
      addTo(fired, report.faults);
      addTo(ends, report.ends);
      addTo(calls, report.calls);
      const words = wordsOf(report);
      if (words.length === 0) return;
      failures.push({ seed: report.seed, words, replay: replayOf(report, given) });
      if (!given.json) print(`seed ${report.seed}: ${words.join('; ')}\n  ${replayOf(report, given)}`);
    },
  );
  const sum = {
    seeds: given.count,
    breaches: failures.reduce((total, { words }) => total + words.length, 0),
    virtual_days: Number((virtualMs / (24 * HOUR_MS)).toFixed(2)),
    jobs,
    ends,
    faults: fired,
    calls,
    wall_s: Number(((clock.monotonic() - begun) / SECOND_MS).toFixed(1)),
    failures,
  };
  if (given.json) print(JSON.stringify(sum));
  else {
    print(
      `${sum.seeds} seeds, ${sum.virtual_days} days, ${jobs} jobs in ${sum.wall_s} s: ${sum.breaches} breaches`,
    );
    for (const [name, count] of Object.entries(fired)) print(`  ${name.padEnd(18)} ${count}`);
  }
  return failures.length === 0;
}

async function oneSeed(given: Given, seed: number): Promise<boolean> {
  const hours = given.hours === null ? {} : { hours: given.hours };
  const trace = given.trace ? { trace: print } : {};
  const report = {
    ...(await runSeed({ seed, faults: given.faults.names, ...hours, ...trace })),
    unhandled: [],
  };
  const words = wordsOf(report);
  if (given.json) print(JSON.stringify(report));
  else print(words.length === 0 ? `seed ${seed}: no breach (${report.hash.slice(0, 12)})` : words.join('\n'));
  return words.length === 0;
}

async function crashes(given: Given): Promise<boolean> {
  const begun = clock.monotonic();
  const story = STORIES.find((one) => one === given.story);
  if (story === undefined)
    throw new HostlerError('usage', `there is no story ${given.story}, only ${STORIES.join(', ')}`);
  const wish: CrashOptions = given.sample === null ? { story } : { story, sample: given.sample };
  const alone = async (only: number) => {
    const told = await crashEverywhere(given.trace ? { story, only, trace: print } : { story, only });
    return { ...told, unhandled: [] };
  };
  const report = given.point === null ? await crashOnThreads(wish, given.threads) : await alone(given.point);
  const wall = Number(((clock.monotonic() - begun) / SECOND_MS).toFixed(1));
  const { points, all, kinds, unhandled } = report;
  const failures = report.breaches.map((breach) => ({
    ...breach,
    replay: `npm run sim -- --crash everywhere --story ${story} --point ${breach.point} --trace`,
  }));
  const breaches = failures.length + unhandled.length;
  if (given.json) print(JSON.stringify({ points, all, breaches, kinds, wall_s: wall, failures, unhandled }));
  else {
    for (const { what, side, rule, text, replay } of failures)
      print(`${side} ${what}: ${rule}: ${text}\n  ${replay}`);
    print(`${points} of ${all} points in ${wall} s: ${breaches} breaches`);
  }
  return breaches === 0;
}

function list(): void {
  for (const name of faultNames as readonly FaultName[]) print(`${name.padEnd(18)} ${faultTexts[name].text}`);
}

async function main(): Promise<boolean> {
  const given = read();
  if (given.help) print(USAGE);
  else if (given.list) list();
  else if (given.crash !== undefined) return crashes(given);
  else return given.seed === null ? manySeeds(given) : oneSeed(given, given.seed);
  return true;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n${USAGE}`);
  process.exitCode = 64;
}
