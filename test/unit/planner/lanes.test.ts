// Which places and markets a launch goes to: free ones first, one probe where something was closed, on demand by rule.
import { describe, expect, test } from 'vitest';
import type { Place } from '../../../src/domain/offering.ts';
import type { Outcome, Rest } from '../../../src/domain/outcome.ts';
import type { Action } from '../../../src/domain/plan.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { breaches } from '../../../src/planner/check.ts';
import { planTick } from '../../../src/planner/plan.ts';
import { markOf, restKeyOf } from '../../../src/planner/rest.ts';
import {
  counter,
  launch,
  launchSpec,
  lease,
  machine,
  NOON,
  observation,
  poolSpec,
  poolView,
  SITE,
} from '../../support/builders.ts';

const types = ['m5.large', 'm6i.large'];
const zones = ['a', 'b'];
const places: Place[] = (['spot', 'on-demand'] as const).flatMap((market) =>
  types.flatMap((type) =>
    zones.map((zone) => ({ type, zone, market, subnetId: `subnet-${zone}`, vcpus: 2 })),
  ),
);
const noCapacity: Outcome = {
  kind: 'insufficient-capacity',
  scope: 'offering',
  code: 'ICE',
  message: 'none',
};

function restOn(place: Place, over: Partial<Rest> = {}, outcome = noCapacity): Rest {
  const key = restKeyOf(SITE, 'linux', place, outcome);
  return { key, outcome, failures: 1, since: NOON - MINUTE_MS, until: NOON + MINUTE_MS, ...over };
}

type Setting = {
  rests?: readonly Rest[];
  waiting?: number;
  age?: number;
  pool?: Parameters<typeof poolSpec>[0];
  only?: readonly Place[];
  more?: Parameters<typeof observation>[0];
};

/** The launches of one tick of a pool with two types in two zones. */
function launches({ rests = [], waiting = 5, age = 0, pool = {}, only = places, more = {} }: Setting) {
  const spec = poolSpec({
    launch: launchSpec({ instanceTypes: types, markets: ['spot', 'on-demand'], ...pool.launch }),
    onDemand: { kind: 'when-short' },
    ...pool,
  });
  const seen = observation({
    pools: [poolView(spec)],
    leases: Array.from({ length: waiting }, (_, at) => lease({ name: `w-${at}`, since: NOON - age })),
    rests,
    places: new Map([['linux', only]]),
    ...more,
  });
  const plan = planTick(seen, counter());
  expect(breaches(seen, plan)).toEqual([]);
  const found = plan.actions.filter(
    (action): action is Extract<Action, { kind: 'launch' }> => action.kind === 'launch',
  );
  return { plan, found, codes: plan.pools[0]?.reasons.map(({ code }) => code) ?? [] };
}

const spot = places.filter(({ market }) => market === 'spot');

describe('a pool with a choice of places', () => {
  test('asks for all free ones of spot in one fleet', () => {
    const { found } = launches({});
    expect(found).toMatchObject([{ way: 'fleet', places: spot, for: 'demand' }]);
    expect(found[0]?.machines).toHaveLength(5);
  });

  test('leaves closed places out, and goes the plain way to the only one left', () => {
    const { found } = launches({ rests: spot.slice(0, 3).map((place) => restOn(place)) });
    expect(found).toMatchObject([{ way: 'run-instances', places: [spot[3]] }]);
    expect(found[0]?.reason.detail?.['why']).toBe('the first that is free of 4 places');
  });

  test('takes places that lost a machine only when no other is free', () => {
    const marks = spot.slice(0, 3).map((place) => {
      const rest = restOn(place, {}, { ...noCapacity, kind: 'interrupted' });
      return { ...rest, key: markOf(rest.key) };
    });
    expect(launches({ rests: marks }).found).toMatchObject([{ places: [spot[3]] }]);
    expect(launches({ rests: marks, only: spot.slice(0, 3) }).found[0]?.places).toEqual(spot.slice(0, 3));
  });

  test('closes a subnet, a quota and a market for the places that they reach', () => {
    const full: Outcome = { ...noCapacity, kind: 'subnet-full', scope: 'subnet' };
    expect(launches({ rests: spot.slice(0, 1).map((place) => restOn(place, {}, full)) }).found).toMatchObject(
      [{ places: spot.filter(({ zone }) => zone === 'b') }],
    );
    const role: Outcome = { ...noCapacity, kind: 'denied', scope: 'market' };
    expect(launches({ rests: spot.slice(0, 1).map((place) => restOn(place, {}, role)) }).found).toEqual([]);
  });
});

describe('what was closed', () => {
  const over = spot.map((place) => restOn(place, { until: NOON - SECOND_MS }));

  test('is asked for one machine first', () => {
    const { found, codes } = launches({ rests: over });
    expect(found).toHaveLength(1);
    expect(found[0]?.machines).toHaveLength(1);
    expect(codes).toContain('offering-closed');
  });

  test('is not asked again while the answer is awaited', () => {
    const intent = launch({ token: 't-1', machines: ['m-1'], at: NOON - SECOND_MS, sends: 1 });
    const request = { ...intent.request, offering: spot[0] ?? intent.request.offering, places: spot };
    const more = {
      launches: [{ ...intent, request }],
      machines: [machine({ id: 'm-1', launch: 't-1', phase: 'requested', instance: null, address: null })],
    };
    expect(launches({ rests: over, more }).found).toEqual([]);
  });

  test('is free again two hours after', () => {
    const old = spot.map((place) => restOn(place, { until: NOON - 121 * MINUTE_MS }));
    expect(launches({ rests: old }).found[0]?.machines).toHaveLength(5);
  });

  test('by a quota is probed as soon as fewer machines stand than when it was met', () => {
    const quota = { class: 'standard', market: 'spot', id: 'L-34B43A08', name: 'spot', vcpus: null } as const;
    const met: Outcome = { kind: 'quota', scope: 'market', code: 'Max', message: 'full', quota };
    const [first] = spot;
    if (first === undefined) throw new Error('no place');
    expect(launches({ rests: [restOn(first, { usage: 1 }, met)] }).found[0]?.machines).toHaveLength(1);
    expect(launches({ rests: [restOn(first, { usage: 0 }, met)] }).found).toEqual([]);
  });
});

describe('on demand', () => {
  const rests = spot.map((place) => restOn(place));

  test('comes for jobs that will have waited fallback_after when a launch is answered, and for no others', () => {
    expect(launches({ rests, age: 53 * SECOND_MS }).found).toEqual([]);
    const { found } = launches({ rests, age: 54 * SECOND_MS });
    expect(found).toMatchObject([{ offering: { market: 'on-demand' }, for: 'demand' }]);
    expect(found[0]?.machines).toHaveLength(5);
  });

  test('leaves at least half of a short fallback_after to spot', () => {
    const pool = { fallbackAfterMs: 8 * SECOND_MS };
    expect(launches({ rests, pool, age: 3 * SECOND_MS }).found).toEqual([]);
    expect(launches({ rests, pool, age: 4 * SECOND_MS }).found).toHaveLength(1);
  });

  test('never comes for idle machines', () => {
    const idle = {
      base: { idleCount: 3, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: MINUTE_MS },
      periods: [],
    };
    expect(launches({ rests, waiting: 0, pool: { ownSchedule: idle } }).found).toEqual([]);
  });

  test.each([
    [{ kind: 'share', percent: 40 } as const, 2],
    [{ kind: 'base', count: 3 } as const, 3],
    [{ kind: 'never' } as const, 0],
  ])('is mixed in by rule: %j', (onDemand, wanted) => {
    const { found } = launches({ pool: { onDemand } });
    const count = found
      .filter(({ offering }) => offering.market === 'on-demand')
      .reduce((sum, { machines }) => sum + machines.length, 0);
    expect(count).toBe(wanted);
    expect(found.reduce((sum, { machines }) => sum + machines.length, 0)).toBe(5);
  });
});

describe('the budget of failures', () => {
  const failed = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ pool: 'linux', at: NOON - at * SECOND_MS }));

  test('stops launches at failed_launches_per_minute and says so', () => {
    expect(launches({ more: { failedLaunches: failed(5) } }).found).toHaveLength(1);
    const { found, codes, plan } = launches({ more: { failedLaunches: failed(6) } });
    expect(found).toEqual([]);
    expect(codes).toContain('failed-launches');
    expect(plan.wakeAt).toBeLessThanOrEqual(NOON + MINUTE_MS);
  });

  test('never lets more than 20 spot requests be open', () => {
    const pool = {
      launch: launchSpec({ way: 'spot-request', instanceTypes: types, markets: ['spot'] }),
      onDemand: { kind: 'never' } as const,
    };
    const { found, codes } = launches({ waiting: 50, pool });
    expect(found.flatMap(({ machines }) => machines)).toHaveLength(20);
    expect(codes).toContain('open-requests');
  });
});

test('a pool that may not launch leaves the probe of a place to another', () => {
  const [place] = places;
  if (place === undefined) throw new Error('no place');
  const rests = [restOn(place, { until: NOON - SECOND_MS })];
  const spec = (id: string) =>
    poolSpec({ id, launch: launchSpec({ instanceTypes: ['m5.large'], zone: place.zone }) });
  const failedLaunches = Array.from({ length: 6 }, (_, at) => ({ pool: 'a', at: NOON - at * SECOND_MS }));
  const seen = observation({
    pools: [poolView(spec('a')), poolView(spec('b'))],
    leases: ['a', 'b'].map((pool) => lease({ name: `w-${pool}`, pool })),
    rests,
    places: new Map(['a', 'b'].map((id) => [id, [place]])),
    failedLaunches,
  });
  const found = planTick(seen, counter()).actions.filter(({ kind }) => kind === 'launch');
  expect(found).toMatchObject([{ pool: 'b', machines: [expect.any(String)] }]);
});
