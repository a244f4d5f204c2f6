// Arbitrary observations for property tests: any mixture of pools, machines, leases, intents, rests, listings and
// orphans that the loop could meet, consistent as the store keeps it (a lease and its machine name each other).
import fc from 'fast-check';
import { type Instance, TAG } from '../../src/domain/instance.ts';
import type { Launch } from '../../src/domain/launch.ts';
import type { Lease } from '../../src/domain/lease.ts';
import type { Machine, MachinePhase } from '../../src/domain/machine.ts';
import type { Observation, PoolView, Source } from '../../src/domain/observation.ts';
import type { OutcomeKind, Rest } from '../../src/domain/outcome.ts';
import { MINUTE_MS, SECOND_MS } from '../../src/domain/units.ts';
import { offeringOf } from '../../src/planner/draft.ts';
import { restKeyOf } from '../../src/planner/rest.ts';
import {
  freshList,
  instanceOf,
  launch,
  lease,
  leased,
  machine,
  memory,
  NOON,
  observation,
  period,
  poolSpec,
  poolView,
  SITE,
  SPEC,
  schedule,
} from './builders.ts';

const ages = fc.constantFrom(0, 5, 30, 61, 130, 400, 2_000, 90_000).map((seconds) => seconds * SECOND_MS);

const crons = [
  null,
  '* * 9-17 * * mon-fri *',
  // Begins 20 s after noon, within a boot.
  '20-59 0 12 * * * *',
];

/** Made once: what a schedule remembers of its calendar would otherwise be found anew for each value. */
const schedules = crons.flatMap((cron) =>
  [0, 3, 12].flatMap((idleCount) =>
    [0, MINUTE_MS, 30 * MINUTE_MS].map((idleTimeMs) => {
      const base = { idleCount, idleTimeMs, idleScaleFactor: idleCount === 12 ? 0.5 : 0 };
      const inPeriod = { ...base, idleCount: 15 - idleCount };
      return schedule(base, cron === null ? [] : [period(cron, inPeriod)]);
    }),
  ),
);
const anySchedule = fc.constantFrom(...schedules);

function anyPool(id: string): fc.Arbitrary<PoolView> {
  return fc
    .record({
      runnerSchedule: anySchedule,
      ownSchedule: anySchedule,
      limit: fc.constantFrom(0, 0, 3, 10, 40),
      maxComing: fc.constantFrom(0, 0, 4),
      maxBuilds: fc.constantFrom(0, 0, 2),
      maxAgeMs: fc.constantFrom(0, 0, 10 * MINUTE_MS),
      reserve: fc.constantFrom(0, 0, 5),
      reserveAge: ages,
      paused: fc.constantFrom(false, false, false, true),
      draining: fc.constantFrom(false, false, false, false, true),
    })
    .map(({ reserve, reserveAge, paused, draining, ...spec }) =>
      poolView(poolSpec({ id, ...spec }), {
        memory: memory({ pool: id, reserve, reserveAt: NOON - reserveAge, paused, draining }),
      }),
    );
}

type Born = { machine: Machine; lease: Lease | null; launch: Launch | null; instance: Instance | null };

const phases: readonly (MachinePhase | 'job')[] = [
  'requested',
  'booting',
  'provisioning',
  'ready',
  'ready',
  'ready',
  'leased',
  'job',
  'job',
  'draining',
  'terminating',
];

const shownAs = fc.constantFrom(
  'running',
  'running',
  'running',
  'running',
  'pending',
  'shutting-down',
  'terminated',
  'stopped',
  'absent',
);

function anyMachine(index: number): fc.Arbitrary<Born> {
  const id = `m-${String(index).padStart(3, '0')}`;
  return fc
    .record({
      phase: fc.constantFrom(...phases),
      pool: fc.constantFrom('a', 'a', 'b', 'c', 'removed'),
      age: ages,
      builds: fc.integer({ min: 0, max: 4 }),
      spec: fc.constantFrom(SPEC, SPEC, SPEC, 'spec-0'),
      failedPings: fc.constantFrom(0, 0, 0, 1, 3),
      ending: fc.constantFrom(null, null, null, null, 'by-person' as const, 'max-builds' as const),
      cleaning: fc.constantFrom(false, false, false, true),
      shown: shownAs,
      urlAfter: fc.constantFrom(null, 2, 60),
      asked: fc.constantFrom(null, 5, 45, 200),
      accepted: fc.boolean(),
      settled: fc.boolean(),
      noAddress: fc.constantFrom(false, false, true),
    })
    .map((draw): Born => {
      const base = { id, pool: draw.pool, since: NOON - draw.age, builds: draw.builds, spec: draw.spec };
      if (draw.phase === 'leased' || draw.phase === 'job') {
        const urlAt = draw.urlAfter === null ? null : base.since + draw.urlAfter * SECOND_MS;
        const held = leased(id, {
          job: draw.phase === 'job',
          machine: { ...base, failedPings: draw.failedPings, ending: draw.ending },
          lease: { heldAt: base.since, ...(draw.phase === 'job' ? {} : { urlAt }) },
        });
        return { ...held, launch: null, instance: shown(held.machine, draw.shown) };
      }
      const made = machine({ ...base, phase: draw.phase, ...detailsOf(draw.phase, draw) });
      const isOpen = draw.phase === 'requested' && !draw.settled;
      const intent = { token: made.launch, pool: made.pool, machines: [id], at: base.since, sends: 1 };
      return {
        machine: made,
        lease: null,
        launch: isOpen ? launch(intent) : null,
        instance: shown(made, draw.shown),
      };
    });
}

type Details = Pick<Machine, 'ending' | 'failedPings' | 'cleaning'> & {
  asked: number | null;
  accepted: boolean;
  noAddress: boolean;
};

/** What a machine of that phase may carry. */
function detailsOf(phase: MachinePhase, draw: Details): Partial<Machine> {
  if (phase === 'requested') return {};
  if (phase === 'ready')
    return { ending: draw.ending, failedPings: draw.failedPings, cleaning: draw.cleaning };
  if (phase === 'booting') return { ending: draw.ending, ...(draw.noAddress ? { address: null } : {}) };
  if (phase !== 'terminating') return { ending: draw.ending };
  const endAskedAt = draw.asked === null ? null : NOON - draw.asked * SECOND_MS;
  return { ending: 'idle-time', endAskedAt, endAccepted: endAskedAt !== null && draw.accepted };
}

function shown(of: Machine, as: Instance['state'] | 'absent'): Instance | null {
  return as === 'absent' ? null : instanceOf(of, { state: as });
}

function anyOrphan(index: number): fc.Arbitrary<{ instance: Instance; first: number | null }> {
  return fc
    .record({
      pool: fc.constantFrom('a', 'b', 'removed'),
      state: fc.constantFrom(
        'running' as const,
        'running' as const,
        'stopped' as const,
        'terminated' as const,
      ),
      manager: fc.constantFrom('manager-1', 'manager-1', 'manager-2'),
      first: fc.constantFrom(null, 0, 30, 70),
    })
    .map(({ pool, state, manager, first }) => {
      const stranger = machine({ id: `stranger-${index}`, pool });
      const instance = instanceOf(stranger, { state });
      return {
        instance: { ...instance, tags: { ...instance.tags, [TAG.manager]: manager } },
        first: first === null ? null : NOON - first * SECOND_MS,
      };
    });
}

function anyRest(view: PoolView): fc.Arbitrary<Rest | null> {
  const kinds: readonly OutcomeKind[] = [
    'insufficient-capacity',
    'throttled',
    'denied',
    'batch-too-big',
    'quota',
  ];
  return fc
    .record({
      kind: fc.constantFrom(...kinds),
      scope: fc.constantFrom('offering' as const, 'pool' as const, 'account' as const),
      left: fc.constantFrom(-10, 5, 500),
      failures: fc.integer({ min: 1, max: 9 }),
      on: fc.constantFrom(false, false, false, true),
    })
    .map(({ kind, scope, left, failures, on }) => {
      const outcome = { kind, scope, code: kind, message: kind };
      const key = restKeyOf(SITE, view.spec.id, offeringOf(view.spec), outcome);
      return on ? { key, outcome, failures, since: NOON - MINUTE_MS, until: NOON + left * SECOND_MS } : null;
    });
}

function anySource(instances: readonly Instance[]): fc.Arbitrary<Source<readonly Instance[]>> {
  return fc.constantFrom<Source<readonly Instance[]>[]>(
    freshList(instances),
    freshList(instances),
    freshList(instances, NOON - 40 * SECOND_MS),
    { kind: 'stale', value: instances, at: NOON - 5 * MINUTE_MS, why: 'timed out' },
    { kind: 'failed', why: 'timed out' },
  );
}

const views = fc.tuple(anyPool('a'), anyPool('b'), anyPool('c'));
const machines = fc
  .integer({ min: 0, max: 24 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => anyMachine(index))));
const orphans = fc
  .integer({ min: 0, max: 4 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => anyOrphan(index))));
const waits = fc.array(
  fc.record({ pool: fc.constantFrom('a', 'a', 'b', 'c', 'removed'), age: fc.integer({ min: 0, max: 300 }) }),
  { maxLength: 30 },
);

/** Any observation at noon. */
export const anyObservation: fc.Arbitrary<Observation> = fc
  .record({ views, machines, orphans, waits })
  .chain((drawn) => {
    const born = drawn.machines;
    const strangers = drawn.orphans;
    const listed = [...born, ...strangers].flatMap(({ instance }) => (instance === null ? [] : [instance]));
    return fc
      .record({
        source: anySource(listed),
        rests: fc.tuple(...drawn.views.map(anyRest)),
        launches: fc.integer({ min: 0, max: 5 }),
        instances: fc.constantFrom(0, 3, 1000, 1000),
        concurrent: fc.constantFrom(0, 5, 20, 1000),
        maxMachines: fc.constantFrom(0, 0, 10, 30),
        frozen: fc.constantFrom(0, 0, 0, NOON + MINUTE_MS),
        takeover: fc.constantFrom(false, false, true),
        absentFor: fc.constantFrom(0, 30, 90),
        unknownSpec: fc.constantFrom(false, false, true),
        failed: fc.constantFrom(0, 0, 3, 9),
      })
      .map((rest) =>
        observation({
          pools: drawn.views,
          machines: born.map((each) => each.machine),
          leases: [
            ...born.flatMap((each) => (each.lease === null ? [] : [each.lease])),
            ...drawn.waits.map(({ pool, age }, index) =>
              lease({ name: `wait-${index}`, pool, since: NOON - age * SECOND_MS }),
            ),
          ],
          launches: born.flatMap((each) => (each.launch === null ? [] : [each.launch])),
          rests: [
            ...new Map(rest.rests.flatMap((each) => (each ? [[each.key, each] as const] : []))).values(),
          ],
          instances: new Map([[SITE, rest.source]]),
          budgets: new Map([[SITE, { launches: rest.launches, instances: rest.instances }]]),
          concurrent: rest.concurrent,
          maxMachines: rest.maxMachines,
          frozenUntil: rest.frozen,
          takeover: rest.takeover,
          orphansSeen: new Map([
            ...strangers.flatMap(({ instance, first }): [string, number][] =>
              first === null ? [] : [[instance.id, first]],
            ),
            ...born.flatMap((each): [string, number][] => [
              [`absent:${each.machine.id}`, NOON - rest.absentFor * SECOND_MS],
              [`launch:${each.machine.launch}`, NOON - rest.absentFor * SECOND_MS],
            ]),
          ]),
          failedLaunches: Array.from({ length: rest.failed }, (_, index) => ({
            pool: 'a',
            at: NOON - index * 10 * SECOND_MS,
          })),
          currentSpecs: new Map(drawn.views.map(({ spec }) => [spec.id, rest.unknownSpec ? null : SPEC])),
        }),
      );
  });
