import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JobOrder } from '../../../src/demo/docker-job.ts';
import type { RunnerPolicy } from '../../../src/demo/policy.ts';
import { createStandInRunner, type StandInRunner } from '../../../src/demo/runner.ts';
import { type ScriptedDockerMachine, scriptedDockerMachine } from './scripted-docker-machine.ts';

const onDemand: RunnerPolicy = {
  idleCount: 0,
  idleCountMin: 0,
  idleScaleFactor: 0,
  idleTimeMs: 3_600_000,
  maxBuilds: 10,
  limit: 0,
  maxGrowthRate: 0,
  concurrent: 100,
};

/** Short pauses; what is asserted is order and number, never time. */
const pace = { pollMs: 20, claimGapMs: 1, createRetryMs: 5, prepareRetryMs: 5, removalRetryMs: 5 };

const orders = (count: number, from = 1): JobOrder[] =>
  Array.from({ length: count }, (_, index) => ({
    id: String(from + index),
    url: `https://gitlab.example.com/group/project/-/jobs/${from + index}`,
    image: 'alpine',
    durationMs: 0,
  }));

let door: ScriptedDockerMachine;
let runner: StandInRunner | undefined;
let clock = 0;
/** Jobs whose end waits for the test. */
let gates: Map<string, () => void>;

beforeEach(() => {
  door = scriptedDockerMachine();
  gates = new Map();
  clock = 1_800_000_000_000;
});

afterEach(() => {
  runner?.kill();
  door[Symbol.dispose]();
});

function startRunner(policy: Partial<RunnerPolicy> = {}, options: { gated?: boolean } = {}): StandInRunner {
  runner = createStandInRunner({
    dockerMachine: door.path,
    store: door.store,
    env: { PATH: process.env['PATH'] },
    policy: { ...onDemand, ...policy },
    token: 'glrt-Abc123def456',
    machineName: 'box-%s',
    machineOptions: ['amazonec2-region=eu-central-1', 'amazonec2-tags=a,b'],
    pace,
    now: () => clock,
    runJob: async (_host, order, { started }) => {
      started();
      if (options.gated === true) await new Promise<void>((open) => gates.set(order.id, open));
    },
  });
  runner.start();
  return runner;
}

/** Looks until it holds; the test's own time limit ends it. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds())
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
}

const machines = () => (existsSync(door.store) ? readdirSync(join(door.store, 'machines')) : []);

describe('calls of one job', () => {
  test('are the runner’s own, in its order, with its first argument', async () => {
    const it = startRunner({ maxBuilds: 1 });
    it.queue(orders(1));
    await it.settled();
    const name = it.jobs()[0]?.machine ?? '';
    await until(() => it.machines().length === 0);
    expect(name).toMatch(/^runner-abc123def-box-\d{10}-[0-9a-f]{8}$/);
    expect(door.calls()).toEqual([
      `create --driver amazonec2 --amazonec2-region=eu-central-1 --amazonec2-tags=a,b ${name}`,
      `config ${name}`,
      `config ${name}`,
      `url ${name}`,
      `inspect ${name} -f {{.HostOptions.AuthOptions.StorePath}}`,
      `inspect ${name}`,
      `stop ${name}`,
      `rm -y ${name}`,
    ]);
  });

  test('leave a record of every step', async () => {
    const it = startRunner();
    it.queue(orders(1));
    await it.settled();
    const at = clock;
    expect(it.jobs()[0]).toMatchObject({
      state: 'done',
      queuedAt: at,
      claimedAt: at,
      createAt: at,
      handedAt: at,
      startedAt: at,
      doneAt: at,
      failure: null,
    });
  });
});

describe('a runner on demand', () => {
  test('claims all jobs at once and makes a machine for each', async () => {
    door.set('hold', true);
    const it = startRunner();
    it.queue(orders(5));
    await until(() => it.counts().creating === 5);
    door.set('hold', false);
    await it.settled();
    expect(it.jobs().map(({ state }) => state)).toEqual(Array(5).fill('done'));
    expect(door.calls().filter((line) => line.startsWith('create'))).toHaveLength(5);
  });

  test('gives a freed machine to the oldest waiting job, whose own create makes an idle one', async () => {
    const it = startRunner({}, { gated: true });
    it.queue(orders(1));
    await until(() => gates.has('1'));
    door.set('hold', true);
    it.queue(orders(1, 2));
    await until(() => it.counts().creating === 1);
    gates.get('1')?.();
    await until(() => gates.has('2'));
    expect(it.jobs()[1]?.machine).toBe(it.jobs()[0]?.machine);
    door.set('hold', false);
    await until(() => it.counts().idle === 1);
    gates.get('2')?.();
    await it.settled();
  });

  test('uses an idle machine before it makes one', async () => {
    const it = startRunner();
    it.queue(orders(1));
    await it.settled();
    it.queue(orders(1, 2));
    await it.settled();
    expect(it.jobs()[1]).toMatchObject({ state: 'done', createAt: null, machine: it.jobs()[0]?.machine });
  });

  test('never has more machines than limit, those being removed included', async () => {
    const seen: number[] = [];
    const it = startRunner({ limit: 2, maxBuilds: 1 }, { gated: true });
    it.queue(orders(5));
    for (let open = 0; open < 5; open += 1) {
      await until(() => gates.size > open);
      seen.push(it.machines().length);
      [...gates.values()][open]?.();
    }
    await it.settled();
    expect(Math.max(...seen)).toBeLessThanOrEqual(2);
  });

  test('makes at most MaxGrowthRate machines at a time and claims no more meanwhile', async () => {
    door.set('hold', true);
    const it = startRunner({ maxGrowthRate: 2 });
    it.queue(orders(4));
    await until(() => it.counts().creating === 2);
    await until(() => door.calls().length === 2);
    expect(it.jobs().map(({ state }) => state)).toEqual(['waiting', 'waiting', 'queued', 'queued']);
    door.set('hold', false);
    await it.settled();
  });

  test('runs at most `concurrent` jobs', async () => {
    const it = startRunner({ concurrent: 2 }, { gated: true });
    it.queue(orders(3));
    await until(() => gates.size === 2);
    expect(it.jobs().filter(({ state }) => state === 'queued')).toHaveLength(1);
    gates.get('1')?.();
    await until(() => gates.has('3'));
    for (const open of gates.values()) open();
    await it.settled();
  });

  test('removes a machine idle longer than IdleTime', async () => {
    const it = startRunner({ idleTimeMs: 60_000 });
    it.queue(orders(1));
    await it.settled();
    clock += 60_001;
    await until(() => it.machines().length === 0);
    expect(machines()).toEqual([]);
  });
});

describe('a runner that holds idle machines', () => {
  test('fills IdleCount and asks `config` of the newest only', async () => {
    const it = startRunner({ idleCount: 3 });
    await until(() => it.counts().idle === 3);
    await until(() => door.calls().some((line) => line.startsWith('config')));
    expect(new Set(door.calls().filter((line) => line.startsWith('config'))).size).toBe(1);
    expect(machines()).toHaveLength(3);
  });

  test('claims only with a machine in hand and fills up again', async () => {
    const it = startRunner({ idleCount: 2 }, { gated: true });
    await until(() => it.counts().idle === 2);
    door.set('hold', true);
    it.queue(orders(3));
    await until(() => gates.size === 2 && it.counts().creating === 2);
    expect(it.jobs().map(({ state }) => state)).toEqual(['running', 'running', 'queued']);
    expect(it.jobs()[0]?.createAt).toBeNull();
    door.set('hold', false);
    await until(() => gates.size === 3);
    for (const open of gates.values()) open();
    await it.settled();
  });

  test('keeps IdleCount machines beyond IdleTime', async () => {
    const it = startRunner({ idleCount: 1, idleTimeMs: 60_000 }, { gated: true });
    await until(() => it.counts().idle === 1);
    it.queue(orders(1));
    await until(() => gates.has('1') && it.counts().idle === 1);
    gates.get('1')?.();
    await until(() => it.counts().idle === 2);
    clock += 60_001;
    await until(() => it.counts().total === 1);
    expect(machines()).toHaveLength(1);
  });

  test('takes a machine found in its store as used once', async () => {
    const name = 'runner-abc123def-box-1700000000-0a0b0c0d';
    mkdirSync(join(door.store, 'machines', name), { recursive: true });
    writeFileSync(join(door.store, 'machines', name, 'config.json'), '{}');
    mkdirSync(join(door.store, 'machines', 'somebody-elses'));
    const it = startRunner({ maxBuilds: 1 });
    await until(() => it.machines().length === 0 && machines().length === 1);
    expect(door.verbsOf(name)).toEqual(['inspect', 'stop', 'rm']);
    expect(machines()).toEqual(['somebody-elses']);
  });
});

describe('failures', () => {
  test('a create that always fails is tried nine times under new names, then the job fails', async () => {
    door.set('create-fails', true);
    const it = startRunner();
    it.queue(orders(1));
    await it.settled();
    expect(it.jobs()[0]).toMatchObject({ state: 'failed', machine: null });
    expect(it.jobs()[0]?.failure).toContain('no capacity anywhere');
    expect(new Set(door.calls()).size).toBe(9);
    expect(door.calls().every((line) => line.startsWith('create'))).toBe(true);
  });

  test('a failed create that left its config.json is removed', async () => {
    door.set('create-breaks', true);
    const it = startRunner();
    it.queue(orders(1));
    await until(() => it.counts().creating + it.counts().removing > 0);
    const [name = ''] = it.machines().map((machine) => machine.name);
    await until(() => door.verbsOf(name).includes('rm'));
    door.set('create-breaks', false);
    await it.settled();
    expect(door.verbsOf(name)).toEqual(['create', 'inspect', 'stop', 'rm']);
  });

  test('a dead idle machine goes back to idle and the job makes its own', async () => {
    const it = startRunner();
    it.queue(orders(1));
    await it.settled();
    const dead = it.jobs()[0]?.machine ?? '';
    door.set('dead', true);
    door.set('hold', true);
    it.queue(orders(1, 2));
    await until(() => it.counts().creating === 1);
    door.set('dead', false);
    door.set('hold', false);
    await it.settled();
    expect(it.jobs()[1]).toMatchObject({ state: 'done' });
    expect(it.jobs()[1]?.machine).not.toBe(dead);
    expect(it.machines().find(({ name }) => name === dead)?.state).toBe('idle');
  });

  test('a new machine that does not answer is removed and its job waits for another', async () => {
    door.set('dead', true);
    const it = startRunner({}, { gated: true });
    it.queue(orders(1));
    await until(() => door.calls().some((line) => line.startsWith('rm')));
    await until(() => it.machines().length === 0);
    expect(it.jobs()[0]?.state).toBe('waiting');
    door.set('dead', false);
    it.queue(orders(1, 2));
    await until(() => gates.has('1'));
    expect(door.calls().filter((line) => line.startsWith('create'))).toHaveLength(2);
  });

  test('a removal that fails is tried again and in the end forced', async () => {
    door.set('rm-fails', true);
    const it = startRunner({ maxBuilds: 1 });
    it.queue(orders(1));
    await it.settled();
    const name = it.jobs()[0]?.machine ?? '';
    await until(() => door.calls().includes(`rm -f ${name}`));
    expect(door.calls().filter((line) => line === `rm -y ${name}`)).toHaveLength(30);
  });
});

describe('the end', () => {
  test('stop lets jobs end and leaves machines; drain removes them by force', async () => {
    const it = startRunner({}, { gated: true });
    it.queue(orders(4));
    await until(() => gates.size === 4);
    const stopped = it.stop({ drain: true });
    for (const open of gates.values()) open();
    await stopped;
    expect(it.jobs().map(({ state }) => state)).toEqual(Array(4).fill('done'));
    expect(door.calls().filter((line) => line.startsWith('rm -f'))).toHaveLength(4);
    expect(machines()).toEqual([]);
  });

  test('kill ends waiting creates and fails their jobs', async () => {
    door.set('hold', true);
    const it = startRunner();
    it.queue(orders(2));
    await until(() => it.counts().creating === 2);
    it.kill();
    await it.settled();
    await until(() => it.jobs().every(({ state }) => state === 'failed'));
    expect(machines()).toEqual([]);
  });
});
