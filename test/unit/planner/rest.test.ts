import { describe, expect, test } from 'vitest';
import type { Outcome, OutcomeKind, OutcomeScope, Rest } from '../../../src/domain/outcome.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import {
  batchBound,
  closingRest,
  isClearedByReload,
  restAfter,
  restKeyOf,
  restKeysFor,
} from '../../../src/planner/rest.ts';

const offering = { type: 'm5.large', zone: 'a', market: 'spot' as const };
const outcome = (kind: OutcomeKind, scope: OutcomeScope = 'offering'): Outcome => ({
  kind,
  scope,
  code: kind,
  message: '',
});

/** Lengths of the rests of `count` failures in a row, one right after the other. */
function lengths(kind: OutcomeKind, count: number, at: { random01: number; jobsWait: boolean }): number[] {
  const found: number[] = [];
  let rest: Rest | null = null;
  let now = 0;
  for (let index = 0; index < count; index += 1) {
    rest = restAfter(rest, { key: 'k', outcome: outcome(kind) }, now, at);
    found.push(rest.until - now);
    now = rest.until;
  }
  return found;
}

describe('a rest after a refused launch', () => {
  const atMost = { random01: 1, jobsWait: true };

  test.each<[OutcomeKind, boolean, number[]]>([
    ['insufficient-capacity', true, [1, 2, 3, 3].map((minutes) => minutes * MINUTE_MS)],
    ['insufficient-capacity', false, [1, 2, 4, 8, 16, 30, 30].map((minutes) => minutes * MINUTE_MS)],
    ['throttled', true, [2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * SECOND_MS)],
    ['quota', false, [1, 2, 4, 8, 10].map((minutes) => minutes * MINUTE_MS)],
    ['unsupported', true, [1, 2, 4, 6].map((hours) => hours * HOUR_MS)],
    ['unknown', true, [2, 4, 8].map((seconds) => seconds * SECOND_MS)],
  ])('grows from failure to failure: %s, jobs waiting %s', (kind, jobsWait, expected) => {
    expect(lengths(kind, expected.length, { random01: 1, jobsWait })).toEqual(expected);
  });

  test('of refused credentials grows to half an hour: they are renewed without a reload', () => {
    const found: number[] = [];
    let rest: Rest | null = null;
    for (let now = 0; found.length < 7; now = rest.until) {
      rest = restAfter(rest, { key: 'k', outcome: outcome('denied', 'account') }, now, atMost);
      found.push((rest.until - now) / MINUTE_MS);
    }
    expect(found).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });

  test('of a missing permission ends by a reload: one more try after a minute, then none for a day', () => {
    for (const scope of ['pool', 'market', 'call'] as const) {
      const failure = { key: 'k', outcome: outcome('denied', scope) };
      const first = restAfter(null, failure, 0, atMost);
      const second = restAfter(first, failure, MINUTE_MS, atMost);
      expect([first.until, second.until]).toEqual([MINUTE_MS, 24 * HOUR_MS + MINUTE_MS]);
      const open = closingRest([second], ['k'], 23 * HOUR_MS, true);
      expect(open?.until).toBe(second.until);
      expect(isClearedByReload(second)).toBe(true);
    }
  });

  test('is spread by jitter over a quarter to the whole of its length', () => {
    expect(lengths('insufficient-capacity', 1, { random01: 0, jobsWait: true })).toEqual([15 * SECOND_MS]);
    expect(lengths('insufficient-capacity', 1, { random01: 0.5, jobsWait: true })).toEqual([37_500]);
  });

  test('begins a new row after another kind of failure or after two quiet hours', () => {
    const first = restAfter(null, { key: 'k', outcome: outcome('quota') }, 0, atMost);
    expect(restAfter(first, { key: 'k', outcome: outcome('quota') }, 1000, atMost).failures).toBe(2);
    expect(restAfter(first, { key: 'k', outcome: outcome('price') }, 1000, atMost).failures).toBe(1);
    expect(restAfter(first, { key: 'k', outcome: outcome('quota') }, 3 * HOUR_MS, atMost).failures).toBe(1);
  });

  test('never overflows after many failures', () => {
    const many: Rest = { key: 'k', outcome: outcome('price'), failures: 5000, since: 0, until: 0 };
    expect(restAfter(many, { key: 'k', outcome: outcome('price') }, 0, atMost).until).toBe(3 * MINUTE_MS);
  });

  test.each<[OutcomeKind, boolean]>([
    ['denied', true],
    ['invalid', true],
    ['unsupported', true],
    ['price', true],
    ['insufficient-capacity', false],
    ['throttled', false],
  ])('is cleared by a reload when only the configuration can help: %s %s', (kind, cleared) => {
    const rest: Rest = { key: 'k', outcome: outcome(kind), failures: 1, since: 0, until: 1 };
    expect(isClearedByReload(rest)).toBe(cleared);
  });
});

describe('what rests', () => {
  test.each<[OutcomeKind, OutcomeScope, string]>([
    ['insufficient-capacity', 'offering', 's/offering:m5.large:a:spot'],
    ['quota', 'market', 's/market:spot'],
    ['subnet-full', 'subnet', 's/pool:p'],
    ['invalid', 'pool', 's/pool:p'],
    ['throttled', 'account', 's/account'],
    ['unknown', 'call', 's/pool:p'],
    ['batch-too-big', 'account', 's/offering:m5.large:a:spot'],
  ])('follows the scope of the failure: %s of %s → %s', (kind, scope, key) => {
    expect(restKeyOf('s', 'p', offering, outcome(kind, scope))).toBe(key);
  });

  test('closes the launches that its key reaches and no others', () => {
    const rest = (key: string): Rest => ({
      key,
      outcome: outcome('quota'),
      failures: 1,
      since: 0,
      until: 1000,
    });
    const keys = restKeysFor('s', 'p', offering);
    for (const key of keys) expect(closingRest([rest(key)], keys, 500, false)?.rest.key).toBe(key);
    const others = ['s/pool:q', 's/market:on-demand', 's/offering:m5.large:b:spot', 't/account'];
    for (const key of others) expect(closingRest([rest(key)], keys, 500, false)).toBeNull();
  });

  test('is open again at the very end of its rest', () => {
    const rest: Rest = { key: 's/account', outcome: outcome('quota'), failures: 1, since: 0, until: 1000 };
    expect(closingRest([rest], ['s/account'], 999, false)?.until).toBe(1000);
    expect(closingRest([rest], ['s/account'], 1000, false)).toBeNull();
  });

  test('is cut short for jobs that began to wait after the failure', () => {
    const idle: Rest = { key: 'k', outcome: outcome('price'), failures: 6, since: 0, until: 30 * MINUTE_MS };
    expect(closingRest([idle], ['k'], MINUTE_MS, false)?.until).toBe(30 * MINUTE_MS);
    expect(closingRest([idle], ['k'], MINUTE_MS, true)?.until).toBe(3 * MINUTE_MS);
    expect(closingRest([idle], ['k'], 3 * MINUTE_MS, true)).toBeNull();
  });

  test('halves the batch instead of closing when the batch was too big', () => {
    const rest = (failures: number): Rest => ({
      key: 'k',
      outcome: outcome('batch-too-big'),
      failures,
      since: 0,
      until: 9,
    });
    expect(closingRest([rest(1)], ['k'], 1, false)).toBeNull();
    expect([0, 1, 2, 9].map((failures) => batchBound([rest(failures)], ['k'], 1))).toEqual([100, 50, 25, 1]);
    expect(batchBound([rest(2)], ['k'], 9)).toBe(100);
  });
});
