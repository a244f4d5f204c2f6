// The course of a run as an SVG drawing: machines by phase, what was wanted, jobs that wait, and cost, over one time axis.
// Self-contained: colours of its own for light and dark, titles and a description for those who cannot see it, no scripts.
// Trap: all text in it comes from outside (pool and file names); it goes through `escapeXml`.
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import type { DrawnPoint } from './figures.ts';

const WIDTH = 1_000;
const LEFT = 64;
const RIGHT = 16;
/** Height of each panel, and of the space above it for its heading. */
const PANEL = { machines: 220, waiting: 120, cost: 90 } as const;
const HEADING = 34;
const AXIS = 26;

/** Phases from the ground up: what serves, what idles, what comes, what goes; with the words of both policies. */
const layers: readonly { name: string; phases: readonly string[]; tint: string }[] = [
  { name: 'with a job', phases: [], tint: 'busy' },
  { name: 'idle', phases: ['ready', 'leased', 'idle', 'acquired', 'used'], tint: 'idle' },
  {
    name: 'coming',
    phases: ['requested', 'booting', 'provisioning', 'creating', 'starting'],
    tint: 'coming',
  },
  { name: 'going', phases: ['draining', 'terminating', 'removing', 'stopped'], tint: 'going' },
];

/** For an element's text or a double-quoted attribute. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[\p{Cc}\p{Cs}]/gu, ' ');
}

/** Rules for the drawing, light and dark. */
export const courseStyle = `
.course{--ink:#1f2430;--soft:#6b7280;--rule:#e4e7ec;--busy:#2563a8;--idle:#8fc1ea;--coming:#f2b544;--going:#c9ccd3;--wanted:#b3261e;--waiting:#b3261e;--cost:#5b7f3a;font:13px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.course{--ink:#e6e8ee;--soft:#9aa3b2;--rule:#333a47;--busy:#4f94dd;--idle:#2c5680;--coming:#b9852a;--going:#555d6b;--wanted:#ff8a7a;--waiting:#ff8a7a;--cost:#9cc46f}}
.course text{fill:var(--ink)}.course .soft{fill:var(--soft)}.course .rule{stroke:var(--rule)}
.course .busy{fill:var(--busy)}.course .idle{fill:var(--idle)}.course .coming{fill:var(--coming)}.course .going{fill:var(--going)}
.course .wanted{stroke:var(--wanted);fill:none;stroke-width:1.5}.course .waiting{fill:var(--waiting);fill-opacity:.75}
.course .cost{stroke:var(--cost);fill:none;stroke-width:1.5}
`;

type Scale = { x(at: EpochMs): number; from: EpochMs; to: EpochMs };
type Frame = { top: number; height: number; most: number; scale: Scale };

const figure = (value: number): string => String(Math.round(value * 10) / 10);

/** A figure that is read easily, as its half is, at or above the value. */
function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** The most of each panel: drawings with the same peaks have the same scales. */
export type Peaks = { machines: number; waiting: number; costPerHour: number };

/** The peaks of all points of these courses. */
export function peaksOf(courses: readonly (readonly DrawnPoint[])[]): Peaks {
  const peaks = { machines: 0, waiting: 0, costPerHour: 0 };
  for (const course of courses)
    for (const point of course) {
      const known = layers.flatMap(({ phases }) => phases);
      const stands = known.reduce((sum, phase) => sum + (point.machines[phase] ?? 0), 0);
      peaks.machines = Math.max(peaks.machines, stands, point.wanted ?? 0);
      peaks.waiting = Math.max(peaks.waiting, point.waiting);
      peaks.costPerHour = Math.max(peaks.costPerHour, point.costPerHour);
    }
  return peaks;
}

/** Heights of each layer at each point, counted from the ground. */
function stacked(points: readonly DrawnPoint[]): number[][] {
  return points.map(({ machines, running }) => {
    const sum = (phases: readonly string[]) =>
      phases.reduce((total, name) => total + (machines[name] ?? 0), 0);
    const counts = layers.map(({ phases }) => sum(phases));
    const serving = Math.min(running, counts[1] ?? 0);
    counts[0] = serving;
    counts[1] = (counts[1] ?? 0) - serving;
    let ground = 0;
    return counts.map((count) => {
      ground += count;
      return ground;
    });
  });
}

/** Steps, not slopes: a count holds until the next one. */
function steps(xs: readonly number[], ys: readonly number[]): string {
  const at = (index: number) =>
    `${figure(xs[index] ?? 0)}${index === 0 ? ' ' : 'V'}${figure(ys[index] ?? 0)}`;
  return xs.map((_, index) => `${index === 0 ? 'M' : 'H'}${at(index)}`).join('');
}

/** Between two lines of steps: out along the upper, back along the lower. */
function area(xs: readonly number[], tops: readonly number[], grounds: readonly number[]): string {
  const back = xs.map((_, index) => {
    const from = xs.length - 1 - index;
    const [x, y] = [figure(xs[from] ?? 0), figure(grounds[from] ?? 0)];
    // Going forward a step lies at the later point's x; going back it is therefore taken before the run.
    return index === 0 ? `L${x} ${y}` : `V${y}H${x}`;
  });
  return `${steps(xs, tops)}${back.join('')}Z`;
}

const yOf = ({ top, height, most }: Frame, value: number): number => top + height - (value / most) * height;

function grid(frame: Frame, unit: string): string {
  const values = [0, frame.most / 2, frame.most];
  return values
    .map((value) => {
      const y = figure(yOf(frame, value));
      const text = `${unit}${value >= 10 ? Math.round(value) : Number(value.toFixed(2))}`;
      return `<line class="rule" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/><text class="soft" x="${LEFT - 8}" y="${y}" dy=".32em" text-anchor="end">${text}</text>`;
    })
    .join('');
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** Steps of the time axis: at most nine of them. */
const axisSteps = [
  1 / 6,
  0.5,
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  180,
  360,
  720,
  1_440,
  2_880,
  7_200,
  14_400,
  43_200,
].map((minutes) => minutes * MINUTE_MS);

function axis({ x, from, to }: Scale, y: number): string {
  const step = axisSteps.find((one) => (to - from) / one <= 9) ?? 1_000 * HOUR_MS;
  const marks: string[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const moment = new Date(at);
    const time = moment.toISOString().slice(11, step < MINUTE_MS ? 19 : 16);
    const day = `${days[moment.getUTCDay()]} ${moment.toISOString().slice(5, 10)}`;
    const text = step >= 24 * HOUR_MS || (time === '00:00' && to - from > 24 * HOUR_MS) ? day : time;
    // The last mark would stand out over the edge.
    const anchor = x(at) > WIDTH - RIGHT - 12 ? 'end' : 'middle';
    marks.push(`<text class="soft" x="${figure(x(at))}" y="${y}" text-anchor="${anchor}">${text}</text>`);
  }
  return marks.join('');
}

function heading(
  y: number,
  title: string,
  entries: readonly { tint: string; name: string; line?: boolean }[],
): string {
  let x = LEFT + title.length * 7.5 + 24;
  const keys = entries.map(({ tint, name, line }) => {
    const mark =
      line === true
        ? `<path class="${tint}" d="M${x} ${y - 4}h14"/>`
        : `<rect class="${tint}" x="${x}" y="${y - 10}" width="12" height="12" rx="2"/>`;
    const text = `<text class="soft" x="${x + 18}" y="${y}">${name}</text>`;
    x += 40 + name.length * 7;
    return mark + text;
  });
  return `<text x="${LEFT}" y="${y}" font-weight="600">${title}</text>${keys.join('')}`;
}

function machinesPanel(points: readonly DrawnPoint[], top: number, peak: number, scale: Scale): string {
  const xs = points.map(({ at }) => scale.x(at));
  const heights = stacked(points);
  const wanted = points.map((point) => point.wanted ?? 0);
  const frame = { top, height: PANEL.machines, most: roundUp(peak), scale };
  const areas = layers.map(({ name, tint }, layer) => {
    const tops = heights.map((point) => yOf(frame, point[layer] ?? 0));
    const grounds = heights.map((point) => yOf(frame, layer === 0 ? 0 : (point[layer - 1] ?? 0)));
    return `<path class="${tint}" d="${area(xs, tops, grounds)}"><title>machines ${name}</title></path>`;
  });
  const hasWanted = points.some((point) => point.wanted !== null);
  const line = hasWanted
    ? `<path class="wanted" d="${steps(
        xs,
        wanted.map((value) => yOf(frame, value)),
      )}"><title>machines wanted</title></path>`
    : '';
  const keys = [
    ...layers.map(({ name, tint }) => ({ name, tint })),
    ...(hasWanted ? [{ name: 'wanted', tint: 'wanted', line: true }] : []),
  ];
  return heading(top - 12, 'Machines', keys) + grid(frame, '') + areas.join('') + line;
}

function simplePanel(
  points: readonly DrawnPoint[],
  panel: { top: number; height: number; peak: number; title: string; tint: 'waiting' | 'cost'; unit: string },
  scale: Scale,
): string {
  const values = points.map((point) => (panel.tint === 'waiting' ? point.waiting : point.costPerHour));
  const frame = { top: panel.top, height: panel.height, most: roundUp(panel.peak), scale };
  const xs = points.map(({ at }) => scale.x(at));
  const ys = values.map((value) => yOf(frame, value));
  const ground = ys.map(() => yOf(frame, 0));
  const path = panel.tint === 'waiting' ? area(xs, ys, ground) : steps(xs, ys);
  return `${heading(panel.top - 12, panel.title, [])}${grid(frame, panel.unit)}<path class="${panel.tint}" d="${path}"><title>${panel.title}</title></path>`;
}

/** Whether a point shows what the one before shows. */
function isSame(one: DrawnPoint, other: DrawnPoint | undefined): boolean {
  const view = ({ waiting, running, wanted, costPerHour, machines }: DrawnPoint) =>
    JSON.stringify([waiting, running, wanted, costPerHour, machines]);
  return other !== undefined && view(one) === view(other);
}

/**
 * One run as an `<svg>` element; `describes` is what a screen reader says of it. Fewer than two points give an empty one.
 * `peaks` are those of all drawings that shall be compared; without, those of this one.
 */
export function drawCourse(
  course: readonly DrawnPoint[],
  words: { title: string; describes: string; standsAlone: boolean },
  peaks: Peaks = peaksOf([course]),
): string {
  const points = course.filter(
    (point, index) => index === course.length - 1 || !isSame(point, course[index - 1]),
  );
  const from = points[0]?.at ?? 0;
  const to = Math.max(points.at(-1)?.at ?? 0, from + 1);
  const scale: Scale = { from, to, x: (at) => LEFT + ((at - from) / (to - from)) * (WIDTH - LEFT - RIGHT) };
  const first = HEADING + (words.standsAlone ? 28 : 0);
  const second = first + PANEL.machines + HEADING;
  const third = second + PANEL.waiting + HEADING;
  const height = third + PANEL.cost + AXIS;
  const drawn =
    points.length < 2
      ? ''
      : machinesPanel(points, first, peaks.machines, scale) +
        simplePanel(
          points,
          {
            top: second,
            height: PANEL.waiting,
            peak: peaks.waiting,
            title: 'Jobs waiting',
            tint: 'waiting',
            unit: '',
          },
          scale,
        ) +
        simplePanel(
          points,
          {
            top: third,
            height: PANEL.cost,
            peak: peaks.costPerHour,
            title: 'Cost, USD an hour',
            tint: 'cost',
            unit: '$',
          },
          scale,
        ) +
        axis(scale, height - 6);
  const name = words.standsAlone
    ? `<text x="${LEFT}" y="22" font-size="16" font-weight="600">${escapeXml(words.title)}</text>`
    : '';
  const own = words.standsAlone ? ` xmlns="http://www.w3.org/2000/svg"` : '';
  const style = words.standsAlone ? `<style>${courseStyle}</style>` : '';
  return `<svg${own} class="course" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(words.title)}"><desc>${escapeXml(words.describes)}</desc>${style}${name}${drawn}</svg>`;
}
