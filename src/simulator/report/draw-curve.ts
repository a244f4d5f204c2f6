// The curve of `hostler advise` as an SVG drawing: idle machine-hours over the wait that 95 of 100 jobs keep. Each dot is a
// setting that was estimated, the line the cheapest for each wait; the wait asked for and the setting chosen stand out.
// Self-contained like draw-course.ts. Trap: a setting that was given up has no wait, so it is no dot.
import { escapeXml } from './draw-course.ts';

/** A setting that was estimated. */
export type Spot = { p95: number; idleHours: number };
/** A setting with a name: its IdleCounts. */
export type NamedSpot = Spot & { name: string };

export type Curve = {
  spots: readonly Spot[];
  /** The cheapest for some waits, shortest first. */
  marked: readonly NamedSpot[];
  chosen: NamedSpot;
  waitP95S: number;
};

const WIDTH = 1_000;
const HEIGHT = 460;
const PLOT = { left: 72, right: 24, top: 56, bottom: 52 } as const;
/** Of what is drawn: settings that cost much more than the dearest marked one say nothing. */
const ABOVE = 1.12;
/** About the width of a character, for labels that must not leave the drawing. */
const CHARACTER = 6.6;

/** Rules for the drawing, light and dark. */
export const curveStyle = `
.curve{--ink:#1f2430;--soft:#6b7280;--rule:#e4e7ec;--dot:#8fc1ea;--line:#2563a8;--asked:#b3261e;--paper:#fff;font:13px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.curve{--ink:#e6e8ee;--soft:#9aa3b2;--rule:#333a47;--dot:#2c5680;--line:#4f94dd;--asked:#ff8a7a;--paper:#14171d}}
.curve text{fill:var(--ink)}.curve .soft{fill:var(--soft)}.curve .rule{stroke:var(--rule)}
.curve .dot{fill:var(--dot)}.curve .line{stroke:var(--line);fill:none;stroke-width:2}.curve .mark{fill:var(--line)}
.curve .asked{stroke:var(--asked);stroke-dasharray:5 4}.curve .askedText{fill:var(--asked)}.curve .chosen{fill:var(--paper);stroke:var(--asked);stroke-width:2.5}
.curve .halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
`;

const figure = (value: number): string => String(Math.round(value * 10) / 10);

/** The cheapest for each wait: every setting that no other beats in both. */
function frontier(spots: readonly Spot[]): Spot[] {
  const line: Spot[] = [];
  for (const spot of spots.toSorted((a, b) => a.p95 - b.p95 || a.idleHours - b.idleHours)) {
    const last = line.at(-1);
    if (last === undefined || spot.idleHours < last.idleHours) line.push(spot);
  }
  return line;
}

/** Marks of an axis: at most seven steps that are read easily. */
function marksTo(most: number): number[] {
  const raw = most / 7;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((one) => one * power >= raw) ?? 10) * power;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
}

type Scale = { x(p95: number): number; y(idleHours: number): number; mostX: number; mostY: number };

function scaleOf({ marked, chosen, waitP95S }: Curve): Scale {
  const shown = [...marked, chosen];
  const mostX = Math.max(1, waitP95S, ...shown.map(({ p95 }) => p95)) * ABOVE;
  const mostY = Math.max(1, ...shown.map(({ idleHours }) => idleHours)) * ABOVE;
  const [wide, high] = [WIDTH - PLOT.left - PLOT.right, HEIGHT - PLOT.top - PLOT.bottom];
  return {
    mostX,
    mostY,
    x: (p95) => PLOT.left + (p95 / mostX) * wide,
    y: (idleHours) => PLOT.top + high - (idleHours / mostY) * high,
  };
}

function axes({ x, y, mostX, mostY }: Scale): string {
  const [ground, left] = [HEIGHT - PLOT.bottom, PLOT.left];
  const across = marksTo(mostY).map((value) => {
    const at = figure(y(value));
    return `<line class="rule" x1="${left}" x2="${WIDTH - PLOT.right}" y1="${at}" y2="${at}"/><text class="soft" x="${left - 8}" y="${at}" dy=".32em" text-anchor="end">${value.toLocaleString('en')}</text>`;
  });
  const along = marksTo(mostX).map(
    (value) =>
      `<text class="soft" x="${figure(x(value))}" y="${ground + 20}" text-anchor="middle">${value} s</text>`,
  );
  const words = `<text x="${left}" y="${PLOT.top - 14}" font-weight="600">Idle machine-hours</text><text class="soft" x="${WIDTH - PLOT.right}" y="${HEIGHT - 8}" text-anchor="end">95 of 100 jobs have a host within</text>`;
  return across.join('') + along.join('') + words;
}

function frontierLine({ x, y, mostX, mostY }: Scale, spots: readonly Spot[]): string {
  const best = frontier(spots).filter(({ idleHours, p95 }) => idleHours <= mostY && p95 <= mostX);
  const [first] = best;
  if (first === undefined) return '';
  const path = best.map(({ p95, idleHours }, index) =>
    index === 0
      ? `M${figure(x(p95))} ${PLOT.top}V${figure(y(idleHours))}`
      : `H${figure(x(p95))}V${figure(y(idleHours))}`,
  );
  return `<path class="line" d="${path.join('')}H${WIDTH - PLOT.right}"><title>the cheapest for each wait</title></path>`;
}

/** A label beside its place, on the side where there is room; the chosen one's below the line, where nothing is drawn. */
function label({ x, y }: Scale, { p95, idleHours, name }: NamedSpot, isChosen: boolean): string {
  const text = `${name}: ${figure(p95)} s, ${Math.round(idleHours).toLocaleString('en')} h`;
  const isLeft = x(p95) + 14 + text.length * CHARACTER > WIDTH - PLOT.right;
  const at = isLeft ? x(p95) - 12 : x(p95) + 12;
  const [style, lower] = isChosen ? ['halo askedText', 22] : ['halo', -10];
  return `<text class="${style}" x="${figure(at)}" y="${figure(y(idleHours) + lower)}" text-anchor="${isLeft ? 'end' : 'start'}">${escapeXml(text)}</text>`;
}

const circle = (kind: string, { x, y }: Scale, { p95, idleHours }: Spot, radius: number): string =>
  `<circle class="${kind}" cx="${figure(x(p95))}" cy="${figure(y(idleHours))}" r="${radius}"/>`;

function dots(scale: Scale, spots: readonly Spot[]): string {
  const places = new Map<string, string>();
  for (const spot of spots) {
    if (spot.p95 > scale.mostX || spot.idleHours > scale.mostY) continue;
    const drawn = circle('dot', scale, spot, 2.5);
    places.set(drawn, drawn);
  }
  return [...places.values()].join('');
}

/** The curve as an `<svg>` element. `standsAlone`: as a file of its own, with title and colours inside. */
export function drawCurve(curve: Curve, words: { title: string; standsAlone: boolean }): string {
  const { spots, marked, chosen, waitP95S } = curve;
  const known = spots.filter(({ p95 }) => Number.isFinite(p95));
  const scale = scaleOf(curve);
  const asked = figure(scale.x(waitP95S));
  const others = marked.filter(({ p95, idleHours }) => p95 !== chosen.p95 || idleHours !== chosen.idleHours);
  const told = marked.map(({ name, p95, idleHours }) => `${name}: ${p95} s, ${Math.round(idleHours)} hours`);
  const describes = `${known.length} settings. Asked for ${waitP95S} s: ${chosen.name} with ${chosen.p95} s and ${Math.round(chosen.idleHours)} idle machine-hours. ${told.join('; ')}.`;
  const title = words.standsAlone
    ? `<text x="${PLOT.left}" y="22" font-size="15" font-weight="600">${escapeXml(words.title)}</text>`
    : '';
  const style = words.standsAlone ? `<style>${curveStyle}.curve{background:var(--paper)}</style>` : '';
  return [
    `<svg class="curve" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"><title>${escapeXml(words.title)}</title><desc>${escapeXml(describes)}</desc>${style}${title}`,
    axes(scale),
    dots(scale, known),
    frontierLine(scale, known),
    `<line class="asked" x1="${asked}" x2="${asked}" y1="${PLOT.top}" y2="${HEIGHT - PLOT.bottom}"/><text class="askedText halo" x="${figure(scale.x(waitP95S) - 6)}" y="${HEIGHT - PLOT.bottom - 8}" text-anchor="end">asked: ${waitP95S} s</text>`,
    ...others.map((spot) => circle('mark', scale, spot, 4.5) + label(scale, spot, false)),
    circle('chosen', scale, chosen, 6) + label(scale, chosen, true),
    '</svg>',
  ].join('');
}
