// The gate before all calls to one GitLab: who goes first while a sweep fills the line.
import { expect, test } from 'vitest';
import { createMetrics } from '../../../src/adapters/telemetry/metrics.ts';
import { SECOND_MS } from '../../../src/domain/units.ts';
import { createQueueGate, type QueueGate } from '../../../src/service/queue-gate.ts';
import { NOON } from '../../support/builders.ts';
import { createHandClock, settle } from '../../support/hand-clock.ts';

const random = { float: () => 0, id: () => 'x' };

function startGate() {
  const clock = createHandClock(NOON);
  const gate = createQueueGate('gitlab.example.com', {
    clock,
    random,
    metrics: createMetrics({ compat: false }),
  });
  return { clock, gate };
}

const answer = { what: 'jobs', outcome: 'ok', ms: 5, limit: null, remaining: null, retryAt: null } as const;

async function call(gate: QueueGate, name: string, done: string[], isUrgent?: boolean): Promise<void> {
  await gate.enter(new AbortController().signal, isUrgent);
  done.push(name);
  gate.leave(answer);
}

test('what a webhook asks for goes before a sweep that waits, and the sweep goes on in its order', async () => {
  const { clock, gate } = startGate();
  const done: string[] = [];
  const sweep = Array.from({ length: 8 }, (_, at) => call(gate, `sweep ${at}`, done));
  await settle();
  expect(done).toEqual(['sweep 0', 'sweep 1']);
  const hook = call(gate, 'hook', done, true);
  await clock.advance(SECOND_MS / 2);
  expect(done).toEqual(['sweep 0', 'sweep 1', 'hook']);
  await clock.advance(5 * SECOND_MS);
  await Promise.all([...sweep, hook]);
  expect(done.slice(3)).toEqual(['sweep 2', 'sweep 3', 'sweep 4', 'sweep 5', 'sweep 6', 'sweep 7']);
});

test('an urgent call that is given up holds nobody back', async () => {
  const { clock, gate } = startGate();
  const done: string[] = [];
  const sweep = Array.from({ length: 3 }, (_, at) => call(gate, `sweep ${at}`, done));
  await settle();
  const stop = new AbortController();
  const given = gate.enter(stop.signal, true).catch(() => 'given up');
  await settle();
  stop.abort();
  await clock.advance(2 * SECOND_MS);
  expect(await given).toBe('given up');
  await Promise.all(sweep);
  expect(done).toHaveLength(3);
});
