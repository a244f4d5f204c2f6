import { expect, test } from 'vitest';
import { planTick } from '../../../src/planner/plan.ts';
import { describeAction, describeSize } from '../../../src/planner/plan-text.ts';
import {
  counter,
  creates,
  leased,
  machine,
  NOON,
  observation,
  poolSpec,
  schedule,
} from '../../support/builders.ts';

const seen = observation({
  pools: [poolSpec({ limit: 5, ownSchedule: schedule({ idleCount: 2 }) })],
  machines: [
    leased('m-1', { job: true }).machine,
    machine({ id: 'm-2', failedPings: 3, since: NOON - 1000 }),
  ],
  leases: [leased('m-1', { job: true }).lease, ...creates(3)],
});

test('every action reads as one line with its reason', () => {
  expect(planTick(seen, counter()).actions.map(describeAction)).toEqual([
    'launch 3 × m5.large:eu-central-1a:spot for linux (demand) — demand: jobs wait for a machine (demand=3, idle=0, why=the only place)',
    'retire m-2 — unhealthy: its Docker API does not answer (failed_pings=3)',
    'terminate m-2 at eu-central-1 — terminating: EC2 is asked to end the instances of ended machines (machines=1, again=0)',
  ]);
});

test('a size reads as its arithmetic', () => {
  expect(planTick(seen, counter()).pools.map(describeSize)).toEqual([
    'wanted 6 = busy 1 + demand 3 + idle 2, bounded to 5; has busy 1, held 0, ready 0, coming 0, leaving 1; missing 4, beyond 0',
  ]);
});
