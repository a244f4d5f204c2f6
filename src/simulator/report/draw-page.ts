// The page of a simulation: figures of each policy in a table, and the course of each as a drawing. One file, no scripts, nothing
// fetched, readable in the dark and without eyes.

import { courseStyle, drawCourse, escapeXml, peaksOf } from './draw-course.ts';
import type { DrawnPoint, PolicyRun } from './figures.ts';

export type NamedRun = { name: string; run: PolicyRun };

/** What pages of drawings look like, light and dark. */
export const pageStyle = `
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1060px;margin:2rem auto;padding:0 1rem;background:#fff;color:#1f2430}
@media (prefers-color-scheme:dark){body{background:#14171d;color:#e6e8ee}th,td{border-color:#333a47!important}}
h1{font-size:1.4rem;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.5rem 0 .5rem}p{margin:.25rem 0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.3rem .6rem;border-bottom:1px solid #e4e7ec;text-align:right}th:first-child,td:first-child{text-align:left;padding-left:0}td{white-space:nowrap}th small{display:block;font-weight:400}h3 small{font-weight:400;margin-left:.5em}
svg{width:100%;height:auto}.scroll{overflow-x:auto}`;

const columns: readonly { title: string; of(run: PolicyRun): string }[] = [
  { title: 'wait p50', of: ({ figures }) => `${figures.wait_s.p50} s` },
  { title: 'p95', of: ({ figures }) => `${figures.wait_s.p95} s` },
  { title: 'p99', of: ({ figures }) => `${figures.wait_s.p99} s` },
  { title: 'max', of: ({ figures }) => `${figures.wait_s.max} s` },
  { title: 'busy h', of: ({ figures }) => figures.machine_hours.busy.toFixed(1) },
  { title: 'idle h', of: ({ figures }) => figures.machine_hours.idle.toFixed(1) },
  { title: 'cost', of: ({ figures }) => `$${figures.cost_usd.toFixed(2)}` },
  { title: 'EC2 calls', of: ({ figures }) => String(figures.ec2_calls) },
  { title: 'machines', of: ({ figures }) => String(figures.machines) },
  { title: 'jobs', of: ({ figures }) => String(figures.jobs) },
  { title: 'interruptions', of: ({ figures }) => String(figures.interruptions) },
];

/** The run in a sentence, for the drawing's description. */
export function describeRun({ name, run }: NamedRun): string {
  const { wait_s, machine_hours, cost_usd, jobs } = run.figures;
  const most = run.course.reduce((peak, { machines }) => {
    const sum = Object.values(machines).reduce((total, count) => total + count, 0);
    return Math.max(peak, sum);
  }, 0);
  const waiting = run.course.reduce((peak, point) => Math.max(peak, point.waiting), 0);
  return `${name}: ${jobs} jobs, of which at most ${waiting} waited at a time; half had a host within ${wait_s.p50} s, 95 % within ${wait_s.p95} s, the last after ${wait_s.max} s. At most ${most} machines, ${machine_hours.busy} busy and ${machine_hours.idle} idle machine-hours, ${cost_usd} USD.`;
}

/** A part of the time in which all waiting lies is drawn once more when it is a smaller share of the whole than this. */
const CLOSE_UP_SHARE = 0.4;

/**
 * Until a little after the last job of any run had a host, where the whole course would show that as a thin line: a burst's
 * minute in an afternoon. Null where the whole shows it well, or nobody waited.
 */
function closeUpOf(runs: readonly NamedRun[]): NamedRun[] | null {
  let [from, end, lastWaiting] = [Number.POSITIVE_INFINITY, 0, 0];
  for (const { run } of runs)
    for (const { at, waiting } of run.course) {
      from = Math.min(from, at);
      end = Math.max(end, at);
      if (waiting > 0) lastWaiting = Math.max(lastWaiting, at);
    }
  const until = from + (lastWaiting - from) * 1.15;
  if (lastWaiting <= from || until - from > (end - from) * CLOSE_UP_SHARE) return null;
  return runs.map(({ name, run }) => ({ name, run: { ...run, course: cut(run.course, until) } }));
}

/** The course until then, with what stood at that moment as its last point. */
function cut(course: readonly DrawnPoint[], until: number): DrawnPoint[] {
  const kept = course.filter(({ at }) => at <= until);
  const last = kept.at(-1);
  return last === undefined || last.at === until ? kept : [...kept, { ...last, at: until }];
}

/** The drawings of all runs, on the same scales. */
function drawAll(runs: readonly NamedRun[]): string {
  const peaks = peaksOf(runs.map(({ run }) => run.course));
  return runs
    .map((named) => {
      const words = { title: named.name, describes: describeRun(named), standsAlone: false };
      return `<section><h3>${rowName(named.name)}</h3>${drawCourse(named.run.course, words, peaks)}</section>`;
    })
    .join('\n');
}

/** A policy and, smaller, the settings it ran with. */
function rowName(name: string): string {
  const [policy = '', ...settings] = name.split(' ');
  const small = settings.length === 0 ? '' : `<small>${escapeXml(settings.join(' '))}</small>`;
  return escapeXml(policy) + small;
}

/** The whole page. `about`: what was simulated, one line. */
export function drawPage(about: string, runs: readonly NamedRun[]): string {
  const head = columns.map(({ title }) => `<th scope="col">${title}</th>`).join('');
  const rows = runs.map(
    ({ name, run }) =>
      `<tr><th scope="row">${rowName(name)}</th>${columns.map(({ of }) => `<td>${of(run)}</td>`).join('')}</tr>`,
  );
  const closeUp = closeUpOf(runs);
  const first =
    closeUp === null ? '' : `<h2>While jobs waited</h2>${drawAll(closeUp)}<h2>The whole time</h2>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>hostler simulate</title><style>${pageStyle}${courseStyle}</style></head>
<body><h1>hostler simulate</h1><p>${escapeXml(about)}</p>
<div class="scroll"><table><thead><tr><th scope="col">policy</th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>
${first}${drawAll(runs)}
</body></html>
`;
}

/** The first run alone as an SVG file. */
export function drawFile(about: string, run: NamedRun): string {
  const title = `${run.name}: ${about}`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${drawCourse(run.run.course, { title, describes: describeRun(run), standsAlone: true })}\n`;
}
