// Row A of the runner's life: IdleCount 0, more jobs than `limit` or MaxGrowthRate let it claim. The runner creates beside
// the claim, counts machines that it removes, and gives a free machine to whoever waits longest.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gate, openStage, orders, type Stage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    sections: {
      limit: { limit: 3 },
      growth: { limit: 10, maxGrowthRate: 2 },
      shuffle: { limit: 6 },
    },
  });
});
afterAll(() => stage.close());

const states = (runner: { jobs(): readonly { state: string }[] }) => runner.jobs().map(({ state }) => state);

describe('A: limit and growth of a runner without idle machines', () => {
  test('makes the three machines of limit 3 with one launch, and frees a slot with the `rm` itself', async () => {
    const { world } = stage;
    const runner = stage.runner('limit');
    const first = gate();
    const before = world.ec2Calls()['RunInstances'] ?? 0;
    runner.queue([...orders([1, 2, 3], first.opened), ...orders([4, 5, 6])]);
    await world.until(
      'three jobs at work',
      () => states(runner).filter((one) => one === 'running').length === 3,
    );
    expect(states(runner)).toEqual(['running', 'running', 'running', 'queued', 'queued', 'queued']);
    expect((world.ec2Calls()['RunInstances'] ?? 0) - before).toBeLessThanOrEqual(2);
    expect(stage.alive('limit')).toHaveLength(3);
    const most = watchMost(() => stage.alive('limit').length);
    first.open();
    await runner.settled();
    expect(states(runner)).toEqual(Array(6).fill('done'));
    await world.until('the runner to have no machine', () => runner.counts().total === 0);
    expect(most.stop()).toBeLessThanOrEqual(3);
    expect(runner.count('create')).toBe(6);
    expect(runner.calls.filter(({ code }) => code !== 0)).toEqual([]);
  });

  test('never has more machines on their way than MaxGrowthRate', async () => {
    const { world } = stage;
    const runner = stage.runner('growth');
    let most = 0;
    const look = setInterval(() => {
      const coming = stage.alive('growth').filter(({ state }) => state === 'pending').length;
      most = Math.max(most, coming, runner.counts().creating);
    }, 10);
    runner.queue(orders([1, 2, 3, 4]));
    await world.until('two creates', () => runner.counts().creating === 2);
    expect(states(runner)).toEqual(['waiting', 'waiting', 'queued', 'queued']);
    await runner.settled();
    clearInterval(look);
    expect(most).toBe(2);
    expect(states(runner)).toEqual(Array(4).fill('done'));
  });

  test('knows a machine’s job by its containers, whoever’s create brought it', async () => {
    const { see } = stage;
    const bent = stage.bent('shuffle');
    const runner = stage.runner('shuffle');
    const over = gate();
    bent.bend('create', 'hangs');
    runner.queue(orders([11, 12, 13, 14], over.opened));
    await see('three at work', () => states(runner).filter((one) => one === 'running').length === 3);
    bent.letGo('create');
    const seen = await see('each job on its machine', async () => {
      const leases = await stage.leases('shuffle');
      return leases.length === 4 && leases.every(({ jobs }) => jobs.length === 1) && leases;
    });
    const jobs = new Map(seen.map(({ name, jobs: [job] }) => [name, job?.id]));
    expect(runner.jobs().map(({ machine }) => jobs.get(machine ?? ''))).toEqual(['11', '12', '13', '14']);
    over.open();
    await runner.settled();
  });
});

/** The largest figure seen until `stop`. */
function watchMost(figure: () => number): { stop(): number } {
  let most = 0;
  const look = setInterval(() => {
    most = Math.max(most, figure());
  }, 10);
  return {
    stop() {
      clearInterval(look);
      return most;
    },
  };
}
