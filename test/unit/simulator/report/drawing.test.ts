import { describe, expect, test } from 'vitest';
import { drawCourse, escapeXml } from '../../../../src/simulator/report/draw-course.ts';
import { drawFile, drawPage } from '../../../../src/simulator/report/draw-page.ts';
import type { PolicyRun } from '../../../../src/simulator/report/figures.ts';
import { waitFigures } from '../../../../src/simulator/report/figures.ts';

const at = (minute: number) => Date.UTC(2026, 10, 23) + minute * 60_000;

const run: PolicyRun = {
  figures: {
    wait_s: { p50: 1, p95: 40, p99: 41, max: 42 },
    machine_hours: { busy: 1, idle: 2 },
    cost_usd: 3,
    ec2_calls: 4,
    machines: 5,
    jobs: 6,
    jobs_unserved: 0,
    interruptions: 0,
  },
  course: [0, 1, 2, 3].map((minute) => ({
    at: at(minute),
    waiting: minute === 2 ? 7 : 0,
    running: minute,
    machines: { ready: 2, leased: minute, booting: 1 },
    wanted: 4,
    costPerHour: 0.5,
  })),
};

describe('a drawing', () => {
  test('fetches nothing and runs nothing', () => {
    const page = drawPage('a run', [{ name: 'hostler', run }]);
    const file = drawFile('a run', { name: 'hostler', run });
    for (const text of [page, file]) {
      expect(text.replace('http://www.w3.org/2000/svg', '')).not.toMatch(
        /https?:|<script|@import|url\(|<link|<img/,
      );
    }
  });

  test('has colours for light and dark', () => {
    expect(drawPage('a run', [{ name: 'hostler', run }])).toContain('prefers-color-scheme:dark');
    expect(drawFile('a run', { name: 'hostler', run })).toContain('prefers-color-scheme:dark');
  });

  test('tells in words what it shows', () => {
    expect(drawPage('a run', [{ name: 'hostler', run }])).toMatch(
      /<desc>hostler: 6 jobs, of which at most 7 waited at a time/,
    );
  });

  test('shows each policy', () => {
    const page = drawPage('a run', [
      { name: 'hostler', run },
      {
        name: 'docker-machine',
        run: { ...run, course: run.course.map((point) => ({ ...point, wanted: null })) },
      },
    ]);
    expect(page.match(/<svg /g)).toHaveLength(2);
    expect(page.match(/<title>machines wanted</g)).toHaveLength(1);
  });

  test('has the same scales as the others of its page', () => {
    const busier = run.course.map((point) => ({ ...point, waiting: point.waiting * 50 }));
    const page = drawPage('a run', [
      { name: 'one', run },
      { name: 'other', run: { ...run, course: busier } },
    ]);
    expect(page.match(/>400<\/text>/g)).toHaveLength(2);
  });

  test('shows a wait that is short against the whole once more by itself', () => {
    const hours = { ...run, course: [...run.course, { ...run.course[0]!, at: at(600), waiting: 0 }] };
    const page = drawPage('a run', [{ name: 'hostler', run: hours }]);
    expect(page).toContain('While jobs waited');
    expect(page.match(/<svg /g)).toHaveLength(2);
    expect(drawPage('a run', [{ name: 'hostler', run }])).not.toContain('While jobs waited');
  });

  test('lets no name become markup', () => {
    const name = `"><script>alert('x')</script>&`;
    expect(drawPage(name, [{ name, run }])).not.toContain('<script');
    expect(escapeXml('a\u0000b')).toBe('a b');
  });

  test('holds no figure that is no number, however short the run', () => {
    for (const course of [[], run.course.slice(0, 1), run.course.slice(0, 2), run.course])
      expect(drawCourse(course, { title: 't', describes: 'd', standsAlone: true })).not.toMatch(
        /NaN|Infinity|undefined/,
      );
  });
});

describe('waits', () => {
  test('are in seconds, whatever the order', () => {
    const waits = Array.from({ length: 100 }, (_, index) => (100 - index) * 1_000);
    expect(waitFigures(waits)).toEqual({ p50: 50, p95: 95, p99: 99, max: 100 });
  });

  test('are 0 without jobs', () => {
    expect(waitFigures([])).toEqual({ p50: 0, p95: 0, p99: 0, max: 0 });
  });
});
