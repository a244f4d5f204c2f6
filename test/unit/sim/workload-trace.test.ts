import { describe, expect, test } from 'vitest';
import { readTrace } from '../../../src/sim/workload-trace.ts';

describe('a trace', () => {
  test('gives its jobs from the first on, whatever the order of its rows', () => {
    const trace = readTrace(
      'queued_at,duration,tags\n2026-01-05T09:00:10Z,30,docker linux\n2026-01-05T09:00:00Z,12.5,\n',
    );
    expect(trace).toEqual({
      startAt: Date.UTC(2026, 0, 5, 9),
      arrivals: [
        { atMs: 0, durationMs: 12_500, tags: [] },
        { atMs: 10_000, durationMs: 30_000, tags: ['docker', 'linux'] },
      ],
    });
  });

  test.each([
    ['2026-01-05 09:00:00 UTC', 0],
    ['2026-01-05T09:00:00', 0],
    ['2026-01-05T10:00:00.000+01:00', 0],
    ['2026-01-05T09:00', 0],
    ['1767603600', 0],
  ])('reads the moment %s', (text) => {
    expect(readTrace(`${text},5,`).startAt).toBe(Date.UTC(2026, 0, 5, 9));
  });

  test('takes seconds after a begin, no header, no tags, quotes and comments', () => {
    const trace = readTrace('# my queue\r\n0,5\r\n60,7,"a;b"\r\n\r\n');
    expect(trace).toEqual({
      startAt: null,
      arrivals: [
        { atMs: 0, durationMs: 5_000, tags: [] },
        { atMs: 60_000, durationMs: 7_000, tags: ['a', 'b'] },
      ],
    });
  });

  test('finds columns by name in any order', () => {
    const trace = readTrace('id,tag_list,duration,queued_at,name\n7,docker,9,100,"a, b"');
    expect(trace.arrivals).toEqual([{ atMs: 0, durationMs: 9_000, tags: ['docker'], name: 'a, b' }]);
  });

  test.each([
    ['queued_at,duration\nyesterday,5', /^line 2 .*no time: "yesterday"/],
    ['queued_at,duration\n5,', /^line 2 .*no duration in seconds: ""/],
    ['5,-1', /^line 1 .*no duration/],
    ['5,1e9', /^line 1 .*no duration/],
    ['2026-13-45T00:00:00Z,5', /^line 1 .*no time/],
    [`5,6,${'x'.repeat(5_000)}`, /^line 1 .*longer than 4096/],
  ])('names the line of a bad row', (text, message) => {
    expect(() => readTrace(text)).toThrow(message);
  });

  describe('with pipelines and stages', () => {
    const header = 'queued_at,duration,tags,pipeline,stage,name,project\n';
    const read = (...rows: string[]) =>
      readTrace(header + rows.join('\n')).arrivals.map(({ atMs, name, place }) => ({
        atMs,
        name,
        stage: place?.stage ?? null,
      }));

    test('lets a stage come after the one before, whenever that ends', () => {
      expect(
        read('0,60,,7,build,compile,g/app', '65,30,,7,test,unit,g/app', '66,40,,7,test,lint,g/app'),
      ).toEqual([
        { atMs: 0, name: 'compile', stage: 0 },
        { atMs: 0, name: 'unit', stage: 1 },
        { atMs: 0, name: 'lint', stage: 1 },
      ]);
    });

    test('keeps the own time of a job that waited for no stage, or for a person', () => {
      expect(
        read(
          '0,60,,7,build,compile,g/app',
          '1,30,,7,test,needs nothing,g/app',
          '900,9,,7,deploy,manual,g/app',
        ),
      ).toEqual([
        { atMs: 0, name: 'compile', stage: 0 },
        { atMs: 1_000, name: 'needs nothing', stage: null },
        { atMs: 900_000, name: 'manual', stage: null },
      ]);
    });

    test('parts pipelines of the same number in two projects', () => {
      const places = readTrace(`${header}0,5,,7,test,a,g/app\n0,5,,7,test,a,g/web`).arrivals.map(
        ({ place }) => place?.pipeline,
      );
      expect(new Set(places).size).toBe(2);
    });

    test('takes jobs without a pipeline as they come', () => {
      expect(read('0,60,,,,compile,', '65,30,,,test,,')).toEqual([
        { atMs: 0, name: 'compile', stage: null },
        { atMs: 65_000, name: undefined, stage: null },
      ]);
    });
  });

  test('is empty when there are no rows', () => {
    expect(readTrace('queued_at,duration,tags\n')).toEqual({ startAt: null, arrivals: [] });
  });
});
