import { describe, expect, test } from 'vitest';
import { readCronLine } from '../../../../src/adapters/config/cron-line.ts';
import { readZone } from '../../../../src/adapters/config/timezone.ts';

function read(line: string): { cron: string | null; codes: string[] } {
  const result = readCronLine(line);
  if ('wrong' in result) throw new Error(result.wrong);
  return { cron: result.cron, codes: result.remarks.map(({ code }) => code) };
}

describe('lines that the runner takes', () => {
  test.each([
    ['* * 9-17 * * mon-fri *', '* * 9-17 * * 1-5 *'],
    ['* * * * * sat,sun *', '* * * * * 6,0 *'],
    ['*  *\t9-17 * * MON-Fri *', '* * 9-17 * * 1-5 *'],
    ['* * * * January,feb Sunday *', '* * * * 1,2 0 *'],
    ['* 5/15 * * * * *', '* 5-59/15 * * * * *'],
    ['* * 5/2 * * * *', '* * 5-23/2 * * * *'],
    ['* * * * * * 2030/5', '* * * * * * 2030-2099/5'],
    ['* * * ? * mon *', '* * * * * 1 *'],
    ['* * * L * * *', '* * * L * * *'],
    ['* * * LW * * *', '* * * LW * * *'],
    ['* * * 15W * * *', '* * * 15W * * *'],
    ['* * * * * fri#2 *', '* * * * * 5#2 *'],
    ['* * * * * 5L *', '* * * * * 5L *'],
    ['* * * * * 7 *', '* * * * * 0 *'],
    ['* * 0-23/2,5 * * * *', '* * 0-23/2,5 * * * *'],
    ['* * 9-9 * * * *', '* * 9 * * * *'],
  ])('%s is read as %s', (line, cron) => {
    expect(read(line)).toEqual({ cron, codes: [] });
  });
});

describe('lines that mean something else than they look', () => {
  test('five fields are whole minutes, minute first, and that is said', () => {
    expect(read('*/5 9-17 * * mon-fri')).toEqual({ cron: '* */5 9-17 * * 1-5 *', codes: ['period-short'] });
  });

  test('six fields are minute first and year last, and that is said', () => {
    expect(read('* 9-17 * * mon-fri 2027')).toEqual({
      cron: '* * 9-17 * * 1-5 2027',
      codes: ['period-short'],
    });
  });

  test('six fields with seconds first are an error that names the seventh', () => {
    expect(readCronLine('* * 9-17 * * mon-fri')).toEqual({
      wrong: expect.stringMatching(/add " \*" as the seventh/),
    });
    expect(readCronLine('0 0 9 * * 1-5')).toEqual({ wrong: expect.stringMatching(/"1-5" is no year/) });
  });

  test('words stand for whole minutes', () => {
    expect(read('@daily')).toEqual({ cron: '* 0 0 * * * *', codes: ['period-short'] });
    expect(read('@weekly')).toEqual({ cron: '* 0 0 * * 0 *', codes: ['period-short'] });
  });

  test('fields beyond the seventh are not read, and that is said', () => {
    expect(read('* * 9 * * * * 4 4')).toEqual({ cron: '* * 9 * * * *', codes: ['period-long'] });
  });

  test('weekdays that run backwards never hold in the runner, so they do not here', () => {
    expect(read('* * * * * fri-mon *')).toEqual({ cron: null, codes: ['period-backwards'] });
    expect(read('* * * * * 5-7 *')).toEqual({ cron: null, codes: ['period-backwards'] });
    expect(read('* * * * * fri-mon,wed *')).toEqual({ cron: '* * * * * 3 *', codes: ['period-backwards'] });
  });

  test('single seconds are taken as written, with a remark', () => {
    expect(read('0 * 9-17 * * * *')).toEqual({ cron: '0 * 9-17 * * * *', codes: ['period-seconds'] });
    expect(read('0-59 * 9-17 * * * *').codes).toEqual([]);
  });
});

describe('lines that are refused', () => {
  test.each([
    ['', /is empty/],
    ['* * 9-17', /has 3 of seven fields/],
    ['* * 22-6 * * * *', /runs backwards; write 22-23,0-6/],
    ['* * * * nov-feb * *', /month: "nov-feb" runs backwards; write 11-12,1-2/],
    ['* * 25 * * * *', /hour: 25 is not within 0 to 23/],
    ['* 60 * * * * *', /minute: 60 is not within 0 to 59/],
    ['* * * 0 * * *', /day: 0 is not within 1 to 31/],
    ['* * * * * mon-fry *', /"fry" is no name of one; did you mean fri/],
    ['* * * * Janury * *', /did you mean january/],
    ['* * */0 * * * *', /needs a step of 1 or more/],
    ['* * 1,,2 * * * *', /a part of the list is empty/],
    ['* * 1-2-3 * * * *', /is not a range/],
    ['* * */2/3 * * * *', /has two steps/],
    ['* * * * * +fri *', /is not a number/],
    ['@dayly', /did you mean @daily/],
    ['x'.repeat(2_000), /longer than 1000/],
  ])('%s', (line, message) => {
    expect(readCronLine(line)).toEqual({ wrong: expect.stringMatching(message) });
  });
});

describe('zones', () => {
  test.each(['UTC', 'Asia/Tokyo', 'Europe/Berlin', 'US/Pacific', 'EST', 'Asia/Calcutta', 'Etc/GMT+5'])(
    '%s is one',
    (zone) => {
      expect(readZone(zone, 'UTC')).toEqual({ zone });
    },
  );

  test('none, and Local, are this machine’s own', () => {
    expect([readZone('', 'Asia/Tokyo'), readZone('Local', 'Asia/Tokyo')]).toEqual([
      { zone: 'Asia/Tokyo' },
      { zone: 'Asia/Tokyo' },
    ]);
  });

  test.each([
    ['Asia/Tokio', 'Asia/Tokyo'],
    ['Europe/berlin', 'Europe/Berlin'],
    ['Berlin', 'Europe/Berlin'],
    ['New York', 'America/New_York'],
    ['utc', 'UTC'],
    ['JST', 'Asia/Tokyo'],
  ])('%s is none, and %s is the nearest', (zone, near) => {
    expect(readZone(zone, 'UTC')).toEqual({ wrong: expect.stringContaining(`did you mean ${near}?`) });
  });

  test('an offset is none: the runner looks zones up by name', () => {
    expect(readZone('+09:00', 'UTC')).toEqual({ wrong: expect.stringContaining('such as Asia/Tokyo') });
  });
});
