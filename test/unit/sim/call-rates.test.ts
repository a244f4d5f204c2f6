import { describe, expect, test } from 'vitest';
import { createCallRates } from '../../../src/sim/call-rates.ts';
import { ask, codeOf, createFixture } from './sim-fixture.ts';

/** How many calls go through at once, and how many more after `ms`. */
function burst(action: string, narrowed: boolean, ms: number): [number, number] {
  let now = 0;
  const rates = createCallRates(() => now);
  const count = (): number => {
    let done = 0;
    while (done < 500 && codeOf(() => rates.call(action, narrowed)) === 'done') done += 1;
    return done;
  };
  const first = count();
  now += ms;
  return [first, count()];
}

describe('request limits', () => {
  test.each<[string, boolean, [number, number]]>([
    ['RunInstances', false, [5, 4]],
    ['TerminateInstances', false, [100, 10]],
    ['CreateTags', false, [100, 20]],
    ['CreateSecurityGroup', false, [50, 10]],
    ['AuthorizeSecurityGroupIngress', false, [50, 10]],
    ['DescribeInstances', true, [100, 40]],
    ['DescribeInstances', false, [50, 20]],
    ['DescribeImages', false, [100, 40]],
  ])('%s (narrowed: %s) has the bucket that EC2 publishes', (action, narrowed, expected) => {
    expect(burst(action, narrowed, 2_000)).toEqual(expected);
  });

  test('a bucket never holds more than its size', () => {
    expect(burst('RunInstances', false, 3_600_000)).toEqual([5, 5]);
  });

  test('instance tokens bound how many machines are launched, not how many are asked for', () => {
    const { region, timeline, world } = createFixture({ addresses: 2_000 });
    world.capacity.set({ type: 'm5.large', zone: 'eu-central-1a', market: null }, 1_400);
    const launch = (maxCount: number) => region.runInstances(ask({ maxCount, zone: 'eu-central-1a' }));
    expect(launch(900)).toHaveLength(900);
    expect(codeOf(() => launch(200))).toBe('RequestLimitExceeded');
    timeline.advance(50_000);
    expect(launch(200)).toHaveLength(200);
  });

  test('terminating more than the instance tokens is throttled as a whole', () => {
    const { region, timeline } = createFixture();
    const ids = [600, 400, 200].flatMap((maxCount) => {
      timeline.advance(200_000);
      return region.runInstances(ask({ maxCount })).map((instance) => instance.id);
    });
    timeline.advance(10_000);
    expect(codeOf(() => region.terminateInstances(ids))).toBe('RequestLimitExceeded');
    expect(codeOf(() => region.terminateInstances(ids.slice(0, 1_000)))).toBe('done');
  });
});
