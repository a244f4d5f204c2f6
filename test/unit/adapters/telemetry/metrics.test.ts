import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../../../src/adapters/telemetry/metrics.ts';
import { machinePhases } from '../../../../src/domain/machine.ts';
import { reasonTexts } from '../../../../src/domain/reason.ts';
import type { Metrics, PoolGauges } from '../../../../src/ports/metrics.ts';
import { planSize } from '../../../support/scripted-daemon.ts';

const { lines: _lines, ...size } = planSize;
const zeroPhases = Object.fromEntries(machinePhases.map((phase) => [phase, 0])) as PoolGauges['machines'];

function gaugesOf(pool: string): PoolGauges {
  return {
    size: { ...size, pool, nextChangeAt: 1_800_000_000_000 },
    limit: 20,
    paused: false,
    machines: { ...zeroPhases, ready: 2 },
    runnerStates: { idle: 1, used: 2 },
    oldestWaitMs: 1_500,
    region: 'eu-central-1',
    zone: 'eu-central-1a',
    instanceType: 'm5.large',
  };
}

type Sample = { name: string; labels: Record<string, string>; value: number };

/** A strict reader of the text format 0.0.4: throws on any line that is none. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line);
    if (type !== null) {
      expect(types.has(type[1] ?? '')).toBe(false);
      types.set(type[1] ?? '', type[2] ?? '');
      continue;
    }
    if (/^# HELP \S+ .+$/.test(line)) continue;
    const sample =
      /^([a-z_]\w*)(?:\{((?:[a-z_]\w*="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[\d.e+-]+|NaN|[+-]Inf)$/i.exec(line);
    if (sample === null) throw new Error(`no sample: ${line}`);
    const labels = [...(sample[2] ?? '').matchAll(/([a-z_]\w*)="((?:[^"\\]|\\.)*)"/gi)];
    samples.push({
      name: sample[1] ?? '',
      labels: Object.fromEntries(labels.map((label) => [label[1], label[2]])),
      value: Number(sample[3]),
    });
  }
  return { samples, types };
}

async function samplesOf(metrics: Metrics): Promise<Sample[]> {
  return parse(await metrics.render()).samples;
}

function valueOf(samples: Sample[], name: string, labels: Record<string, string> = {}): number | undefined {
  return samples.find(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value;
}

/** One of everything. */
function exercise(metrics: Metrics): void {
  metrics.pool(gaugesOf('build'));
  metrics.jobWaited('build', 120);
  metrics.booted('build', 41_000);
  metrics.provisioned('build', 1_500);
  metrics.launched('build', 'spot', 4);
  metrics.launchFailed('build', {
    kind: 'insufficient-capacity',
    scope: 'offering',
    code: 'InsufficientInstanceCapacity',
    message: 'none "left"',
  });
  metrics.ended('build', 'max-builds');
  metrics.ended('build', 'boot-timeout');
  metrics.leaseEnded('build', 'lease-ended');
  metrics.event('granted');
  metrics.ec2Call('RunInstances', 'ok', 300);
  metrics.tick(12, 1_763_000_000_000);
  metrics.tickFailed();
  metrics.sourceAge('instances', 'eu-central-1', 2_000);
  metrics.rests([{ scope: 'offering', kind: 'price' }]);
  metrics.orphans(1);
  metrics.terminating(2);
  metrics.configLoaded(true, 1_763_000_000_000);
}

describe('series', () => {
  test('everything reported can be read back', async () => {
    const metrics = createMetrics({ compat: false, version: '1.2.3' });
    exercise(metrics);
    const samples = await samplesOf(metrics);
    const pool = { pool: 'build' };
    expect(valueOf(samples, 'hostler_job_wait_seconds_sum', pool)).toBeCloseTo(0.12);
    expect(valueOf(samples, 'hostler_job_wait_seconds_count', pool)).toBe(1);
    expect(valueOf(samples, 'hostler_pool_wanted_machines', pool)).toBe(15);
    expect(valueOf(samples, 'hostler_pool_machines', { ...pool, phase: 'ready' })).toBe(2);
    expect(valueOf(samples, 'hostler_pool_oldest_wait_seconds', pool)).toBe(1.5);
    expect(valueOf(samples, 'hostler_pool_period_number', pool)).toBe(1);
    expect(valueOf(samples, 'hostler_pool_next_change_timestamp_seconds', pool)).toBe(1_800_000_000);
    expect(valueOf(samples, 'hostler_pool_reason_state', { ...pool, reason: 'demand' })).toBe(1);
    expect(valueOf(samples, 'hostler_launch_instances_total', { ...pool, market: 'spot' })).toBe(4);
    expect(valueOf(samples, 'hostler_launch_failures_total', { outcome: 'insufficient-capacity' })).toBe(1);
    expect(valueOf(samples, 'hostler_machine_ends_total', { ...pool, reason: 'max-builds' })).toBe(1);
    expect(valueOf(samples, 'hostler_ec2_calls_total', { action: 'RunInstances', outcome: 'ok' })).toBe(1);
    expect(valueOf(samples, 'hostler_rests_open_entries', { scope: 'offering', kind: 'price' })).toBe(1);
    expect(valueOf(samples, 'hostler_config_accepted_state')).toBe(1);
    expect(valueOf(samples, 'hostler_build_version_info', { version: '1.2.3' })).toBe(1);
    expect(valueOf(samples, 'process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  test('counters of closed sets begin at zero', async () => {
    const metrics = createMetrics({ compat: false });
    metrics.pool(gaugesOf('build'));
    const samples = await samplesOf(metrics);
    for (const reason of Object.keys(reasonTexts))
      expect(valueOf(samples, 'hostler_events_total', { reason })).toBe(0);
    expect(valueOf(samples, 'hostler_launch_failures_total', { outcome: 'quota' })).toBe(0);
    expect(valueOf(samples, 'hostler_machine_ends_total', { reason: 'idle-time' })).toBe(0);
    expect(valueOf(samples, 'hostler_job_wait_seconds_count', { pool: 'build' })).toBe(0);
    expect(valueOf(samples, 'hostler_tick_duration_seconds_count')).toBe(0);
    expect(valueOf(samples, 'hostler_config_reads_total', { outcome: 'refused' })).toBe(0);
  });

  test('a reason that no longer holds goes back to zero', async () => {
    const metrics = createMetrics({ compat: false });
    metrics.pool(gaugesOf('build'));
    metrics.pool({ ...gaugesOf('build'), size: { ...size, reasons: [{ code: 'enough' }] } });
    const samples = await samplesOf(metrics);
    expect(valueOf(samples, 'hostler_pool_reason_state', { reason: 'demand' })).toBe(0);
    expect(valueOf(samples, 'hostler_pool_reason_state', { reason: 'enough' })).toBe(1);
  });

  test('a rest that ended goes', async () => {
    const metrics = createMetrics({ compat: false });
    metrics.rests([{ scope: 'market', kind: 'price' }]);
    metrics.rests([]);
    expect(valueOf(await samplesOf(metrics), 'hostler_rests_open_entries')).toBeUndefined();
  });

  test('a pool that left takes all its series with it, and only its own', async () => {
    const metrics = createMetrics({ compat: false });
    exercise(metrics);
    metrics.pool(gaugesOf('other'));
    metrics.dropPool('build');
    const pools = new Set((await samplesOf(metrics)).map((sample) => sample.labels['pool']));
    expect(pools).toEqual(new Set([undefined, 'other']));
    metrics.pool(gaugesOf('build'));
    expect(
      valueOf(await samplesOf(metrics), 'hostler_machine_ends_total', {
        pool: 'build',
        reason: 'max-builds',
      }),
    ).toBe(0);
  });

  test('two registries do not share series', async () => {
    const first = createMetrics({ compat: true });
    createMetrics({ compat: true });
    exercise(first);
    const second = createMetrics({ compat: false });
    expect(valueOf(await samplesOf(second), 'hostler_tick_failures_total')).toBe(0);
  });

  test('no label holds an id', async () => {
    const metrics = createMetrics({ compat: true });
    exercise(metrics);
    const labels = new Set(
      (await samplesOf(metrics))
        .filter((sample) => /^(hostler|gitlab)_/.test(sample.name))
        .flatMap((sample) => Object.keys(sample.labels)),
    );
    expect([...labels].filter((label) => /machine$|instance|lease|job|^id$/.test(label))).toEqual([]);
  });
});

describe('compatibility set', () => {
  const prefix = 'gitlab_runner_autoscaling_';
  const target = {
    executor: 'docker+machine',
    target_zone: 'eu-central-1a',
    target_machine_type: 'm5.large',
  };

  test('without the option no series of the runner is there', async () => {
    expect(await createMetrics({ compat: false }).render()).not.toContain('gitlab_runner');
  });

  test('with the option all six families are there before the first machine', async () => {
    const { types } = parse(await createMetrics({ compat: true }).render());
    expect([...types].filter(([name]) => name.startsWith(prefix))).toEqual([
      [`${prefix}actions_total`, 'counter'],
      [`${prefix}machine_states`, 'gauge'],
      [`${prefix}machine_creation_duration_seconds`, 'histogram'],
      [`${prefix}machine_stopping_duration_seconds`, 'histogram'],
      [`${prefix}machine_removal_duration_seconds`, 'histogram'],
      [`${prefix}machine_failed_creation_duration_seconds`, 'histogram'],
    ]);
  });

  test('states of pools with one target add up; actions count as the runner counts them', async () => {
    const metrics = createMetrics({ compat: true });
    exercise(metrics);
    metrics.pool(gaugesOf('other'));
    const samples = await samplesOf(metrics);
    expect(valueOf(samples, `${prefix}machine_states`, { ...target, state: 'used' })).toBe(4);
    expect(valueOf(samples, `${prefix}machine_states`, { ...target, state: 'creating' })).toBe(0);
    for (const action of ['created', 'creation-failed', 'used', 'removed'])
      expect(valueOf(samples, `${prefix}actions_total`, { ...target, action })).toBe(1);
    expect(valueOf(samples, `${prefix}machine_creation_duration_seconds_sum`, target)).toBeUndefined();
    expect(
      valueOf(samples, `${prefix}machine_creation_duration_seconds_sum`, { executor: 'docker+machine' }),
    ).toBe(41);
  });
});

describe('papers', () => {
  test('docs/metrics.md lists every series and no other', async () => {
    const metrics = createMetrics({ compat: true });
    exercise(metrics);
    const { types } = parse(await metrics.render());
    const text = readFileSync(join(import.meta.dirname, '../../../../docs/metrics.md'), 'utf8');
    const listed = [...text.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map((match) => match[1] ?? '');
    const own = [...types.keys()].filter((name) => /^(hostler|gitlab_runner)_/.test(name));
    expect(listed.toSorted()).toEqual(own.toSorted());
  });

  const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
  test.runIf(hasPromtool)('promtool finds nothing to say', async () => {
    const metrics = createMetrics({ compat: false });
    exercise(metrics);
    const input = `${(await metrics.render()).trimEnd()}\n`;
    const check = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    expect(check.stderr).toBe('');
    expect(check.status).toBe(0);
  });
});

test('a queue that never came into sight counts as missed, and what GitLab does not say has no value', async () => {
  const metrics = createMetrics({ compat: false });
  const gauges = { pool: 'linux', source: null, oldestMs: 0, held: 0, ageMs: null };
  metrics.queue({ ...gauges, state: 'failed' });
  metrics.queue({ ...gauges, pool: 'quiet', state: 'off' });
  metrics.gitlabBudget('one.example.com', 150, null);
  metrics.gitlabBudget('two.example.com', 30, 12);
  const { samples } = parse(await metrics.render());
  const of = (name: string) =>
    samples
      .filter((sample) => sample.name === name)
      .map(({ labels, value }) => [...Object.values(labels), value]);
  expect(of('hostler_queue_fresh_state')).toEqual([
    ['linux', 0],
    ['quiet', 1],
  ]);
  expect(of('hostler_gitlab_remaining_calls')).toEqual([['two.example.com', 12]]);
  expect(of('hostler_gitlab_budget_calls')).toEqual([
    ['one.example.com', 150],
    ['two.example.com', 30],
  ]);
});
