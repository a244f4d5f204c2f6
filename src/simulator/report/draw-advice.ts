// The page of `hostler advise`: what could stand in the file, the curve, what other waits cost, and, where it was simulated, the
// course. One file, no scripts, nothing fetched.
import { courseStyle, drawCourse, escapeXml } from './draw-course.ts';
import { type Curve, curveStyle, drawCurve } from './draw-curve.ts';
import { describeRun, type NamedRun, pageStyle } from './draw-page.ts';

export type AdvicePage = {
  /** What was looked at, in one line. */
  about: string;
  /** As it would stand in the file. */
  lines: readonly string[];
  curve: Curve;
  /** What GitLab's queue would bring, in lines; none where it was not tried. */
  ahead: readonly string[];
  /** What was simulated with it. */
  runs: readonly NamedRun[];
};

/** The whole page. */
export function drawAdvicePage({ about, lines, curve, ahead, runs }: AdvicePage): string {
  const rows = curve.marked.map(
    ({ name, p95, idleHours }) =>
      `<tr><th scope="row">${escapeXml(name)}${name === curve.chosen.name ? '<small>the advice</small>' : ''}</th><td>${p95} s</td><td>${Math.round(idleHours)}</td></tr>`,
  );
  const courses = runs.map(
    (named) =>
      `<section><h2>${escapeXml(named.name)}</h2>${drawCourse(named.run.course, { title: named.name, describes: describeRun(named), standsAlone: false })}</section>`,
  );
  const queue =
    ahead.length === 0 ? '' : `<h2>With GitLab's queue</h2><pre>${ahead.map(escapeXml).join('\n')}</pre>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>hostler advise</title><style>${pageStyle}${courseStyle}${curveStyle}pre{overflow-x:auto;padding:.75rem 1rem;border:1px solid #8884;border-radius:6px}</style></head>
<body><h1>hostler advise</h1><p>${escapeXml(about)}</p>
${drawCurve(curve, { title: 'idle machine-hours by wait', standsAlone: false })}
<div class="scroll"><table><thead><tr><th scope="col">IdleCount: base / sections</th><th scope="col">p95</th><th scope="col">idle h</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>
<h2>As it would stand in the file</h2><pre>${lines.map(escapeXml).join('\n')}</pre>
${queue}
${courses.join('\n')}
</body></html>
`;
}

/** The curve alone as an SVG file. */
export function drawAdviceFile(about: string, curve: Curve): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${drawCurve(curve, { title: about, standsAlone: true })}\n`;
}
