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
    expect(trace.arrivals).toEqual([{ atMs: 0, durationMs: 9_000, tags: ['docker'] }]);
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

  test('is empty when there are no rows', () => {
    expect(readTrace('queued_at,duration,tags\n')).toEqual({ startAt: null, arrivals: [] });
  });
});
