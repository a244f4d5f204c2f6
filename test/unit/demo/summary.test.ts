import { describe, expect, test } from 'vitest';
import type { JobRecord } from '../../../src/demo/job-record.ts';
import { type SummaryInput, summarise } from '../../../src/demo/summary.ts';

const record = (id: string, handedAt: number | null, machine: string | null): JobRecord => ({
  order: { id, url: `https://gitlab.example.com/-/jobs/${id}`, image: 'alpine', durationMs: 1_000 },
  state: handedAt === null ? 'failed' : 'done',
  queuedAt: 10_000,
  claimedAt: 10_010,
  createAt: 10_010,
  handedAt,
  startedAt: handedAt === null ? null : handedAt + 50,
  doneAt: handedAt === null ? 20_000 : handedAt + 1_050,
  machine,
  failure: handedAt === null ? 'no host' : null,
});

const input = (change: Partial<SummaryInput> = {}): SummaryInput => ({
  records: [record('1', 10_300, 'a'), record('2', 18_000, 'b'), record('3', 10_200, 'c')],
  machineIds: new Map([
    ['a', 'm-1'],
    ['b', 'm-1'],
    ['c', 'm-2'],
  ]),
  idle: 2,
  bootS: 8,
  calls: { RunInstances: 2, DescribeInstances: 3 },
  launched: 3,
  leaked: 0,
  ...change,
});

const verdicts = (change: Partial<SummaryInput> = {}) =>
  Object.fromEntries(summarise(input(change)).budgets.map(({ what, ok }) => [what, ok]));

describe('the figures of a burst', () => {
  test('first hand-overs are the quickest, as many as idle machines were kept', () => {
    expect(summarise(input())).toMatchObject({
      jobs_total: 3,
      jobs_done: 3,
      first_handover_s: [0.2, 0.3],
      last_handover_s: 8,
      boot_s: 8,
      ec2_calls: 5,
      machines_launched: 3,
      leaked: 0,
    });
  });

  test('a machine counts as reused when two leases of it ran jobs', () => {
    expect(summarise(input()).machines_reused).toBe(1);
  });

  test('a job without a host has no hand-over and is not done', () => {
    const summary = summarise(input({ records: [record('1', null, null)] }));
    expect(summary).toMatchObject({ jobs_done: 0, first_handover_s: [], last_handover_s: null });
    expect(summary.jobs[0]).toMatchObject({ handed_s: null, machine: null, failure: 'no host' });
  });

  test('budgets: one second for the first, a boot and five seconds for the last, 20 + 0.1 calls a machine', () => {
    expect(verdicts()).toEqual({
      first_handover_s: true,
      last_handover_s: true,
      ec2_calls: true,
      leaked: true,
    });
    expect(verdicts({ records: [record('1', 11_001, 'a')] })['first_handover_s']).toBe(false);
    expect(verdicts({ records: [record('1', 23_001, 'a')] })['last_handover_s']).toBe(false);
    expect(verdicts({ calls: { DescribeInstances: 21 }, launched: 10 })['ec2_calls']).toBe(true);
    expect(verdicts({ calls: { DescribeInstances: 22 }, launched: 10 })['ec2_calls']).toBe(false);
    expect(verdicts({ leaked: 1 })['leaked']).toBe(false);
    expect(verdicts({ leaked: null })).not.toHaveProperty('leaked');
  });
});
