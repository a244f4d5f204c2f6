import { describe, expect, test } from 'vitest';
import type { JobRecord } from '../../../src/demo/job-record.ts';
import { summarise } from '../../../src/demo/summary.ts';
import { drawLine, drawLive, drawSummary } from '../../../src/doors/cli/demo-screen.ts';
import { createPaint } from '../../../src/doors/cli/paint.ts';

const paint = createPaint({ env: {}, isTty: false });

const job = (id: string, change: Partial<JobRecord>): JobRecord => ({
  order: { id, url: '', image: 'alpine', durationMs: 1_000 },
  state: 'queued',
  queuedAt: 0,
  claimedAt: null,
  createAt: null,
  handedAt: null,
  startedAt: null,
  doneAt: null,
  machine: null,
  failure: null,
  ...change,
});

const jobs = [
  job('1', { state: 'done', handedAt: 200, startedAt: 300, doneAt: 1_300, machine: 'm-1' }),
  job('2', { state: 'running', handedAt: 250, startedAt: 350, machine: 'm-2' }),
  job('3', { state: 'waiting' }),
  job('4', {}),
];
const facts = {
  stage: '4 jobs at once',
  elapsedMs: 12_340,
  idle: 2,
  view: { jobs, machines: { booting: 2, leased: 2, gone: 7 } },
};

describe('the live block', () => {
  test('shows jobs by state, machines by phase and the first hand-overs', () => {
    expect(drawLive(facts, paint)).toEqual([
      'hostler demo  12.3 s  4 jobs at once',
      'jobs      queued 1  waiting 1  running 1  done 1  failed 0',
      '          [##########==========....................]',
      'machines  booting 2  leased 2',
      'hosts     first 2 after 0.20 0.25 s, 2 so far, last after 0.3 s',
    ]);
  });

  test('is one plain line where there is no terminal', () => {
    expect(drawLine(facts)).toBe(
      ' 12.3 s  4 jobs at once: jobs queued 1 waiting 1 running 1 done 1; machines booting 2  leased 2',
    );
  });

  test('says so while there is nothing to show', () => {
    const empty = { ...facts, view: { jobs: [], machines: {} } };
    expect(drawLive(empty, paint).slice(3)).toEqual(['machines  none', 'hosts     none handed over yet']);
    expect(drawLine(empty)).toContain('jobs none yet; machines none');
  });
});

describe('the summary', () => {
  test('has a row for each job and marks what is over its budget', () => {
    const summary = summarise({
      records: [jobs[0], job('2', { state: 'failed', doneAt: 9, failure: 'no\nhost' })].flatMap(
        (each) => each ?? [],
      ),
      machineIds: new Map(),
      idle: 1,
      bootS: 8,
      calls: { RunInstances: 30 },
      launched: 3,
      leaked: 2,
    });
    const text = drawSummary(summary, paint).join('\n');
    expect(text).toContain('  1  0.20          0.30          1.30          m-1      done');
    expect(text).toContain('failed: no host');
    expect(text).toContain('jobs      1 of 2 done');
    expect(text).toContain('EC2       30 calls (budget 20.3) exceeded: RunInstances 30');
    expect(text).toContain('left      2 instances');
  });
});
