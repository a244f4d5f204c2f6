import { describe, expect, test } from 'vitest';
import { createLedger } from '../../../src/sim/ledger.ts';
import { ask, createFixture, one, spot } from './sim-fixture.ts';

function books() {
  const fixture = createFixture();
  const ledger = createLedger(fixture.timeline.now, fixture.world.prices);
  const look = () => ledger.look(fixture.world.instances());
  return { ...fixture, ledger, look };
}

describe('a ledger', () => {
  test('counts a machine from its launch to its end, and asks the price of its offering', () => {
    const { region, timeline, ledger, look } = books();
    const instance = one(region.runInstances(ask({ type: 'm5.large' })));
    timeline.advance(1_800_000);
    look();
    expect(ledger.totals()).toMatchObject({ machines: 1, machineSeconds: 1_800, costUsd: 0.048 });
    expect(ledger.rate()).toBe(0.096);
    region.terminateInstances([instance.id]);
    timeline.advance(1_800_000);
    expect(ledger.totals()).toMatchObject({ machineSeconds: 1_800, costUsd: 0.048 });
    expect(ledger.rate()).toBe(0);
  });

  test('bills a minute at least', () => {
    const { region, timeline, ledger, look } = books();
    const instance = one(region.runInstances(ask({ type: 'm5.large' })));
    timeline.advance(10_000);
    region.terminateInstances([instance.id]);
    look();
    expect(ledger.totals().machineSeconds).toBe(10);
    expect(ledger.totals().costUsd).toBeCloseTo(0.096 / 60, 6);
  });

  test('bills a spot machine by what was asked at its launch', () => {
    const { region, timeline, ledger, look, world } = books();
    const zone = 'eu-central-1a';
    world.prices.set({ type: 'm5.large', zone }, 0.03);
    region.runInstances(ask({ type: 'm5.large', zone, spot: spot() }));
    look();
    world.prices.set({ type: 'm5.large', zone }, 0.09);
    timeline.advance(3_600_000);
    expect(ledger.totals().costUsd).toBeCloseTo(0.03, 6);
  });

  test('calls a machine busy while at least one job is on it, and no longer than it lives', () => {
    const { region, timeline, ledger, look } = books();
    const { id } = one(region.runInstances(ask()));
    look();
    timeline.advance(100_000);
    ledger.jobBegan(id);
    timeline.advance(50_000);
    ledger.jobBegan(id);
    timeline.advance(50_000);
    ledger.jobEnded(id);
    ledger.jobEnded(id);
    ledger.jobEnded(id);
    timeline.advance(100_000);
    expect(ledger.totals()).toMatchObject({ busySeconds: 100, idleSeconds: 200 });
    ledger.jobBegan(id);
    timeline.advance(10_000);
    region.terminateInstances([id]);
    timeline.advance(500_000);
    expect(ledger.totals()).toMatchObject({ busySeconds: 110, idleSeconds: 200 });
  });

  test('keeps its sums when EC2 has forgotten a machine, and counts none twice', () => {
    const { region, timeline, ledger, look } = books();
    const { id } = one(region.runInstances(ask()));
    look();
    ledger.jobBegan(id);
    timeline.advance(600_000);
    ledger.jobEnded(id);
    region.terminateInstances([id]);
    look();
    const before = ledger.totals();
    for (let hours = 0; hours < 6; hours += 1) {
      timeline.advance(1_800_000);
      look();
    }
    expect(ledger.totals()).toEqual(before);
    expect(before).toMatchObject({ machines: 1, busySeconds: 600 });
  });

  test('counts calls by name and machines that EC2 took back', () => {
    const { region, timeline, ledger, look } = books();
    const instance = one(region.runInstances(ask({ spot: spot() })));
    timeline.advance(10_000);
    look();
    for (const action of ['RunInstances', 'DescribeInstances', 'DescribeInstances']) ledger.call(action);
    region.unaskedEnds.reclaim(instance, 1_000);
    timeline.advance(10_000);
    expect(ledger.totals()).toMatchObject({
      calls: 3,
      callsByAction: { RunInstances: 1, DescribeInstances: 2 },
      interruptions: 1,
    });
  });
});
