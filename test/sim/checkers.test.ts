// The simulator's checkers catch what they are there for: each rule is broken on purpose, past hostler, at a port or in the
// world, and just that rule is reported. A checker that never speaks proves nothing.
import { describe, expect, test } from 'vitest';
import type { Ports } from '../../src/assemble.ts';
import { buildRequest } from '../../src/domain/build-request.ts';
import type { PoolSpec } from '../../src/domain/config.ts';
import { TAG } from '../../src/domain/instance.ts';
import type { Machine } from '../../src/domain/machine.ts';
import type { ReasonCode } from '../../src/domain/reason.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/units.ts';
import { type Breach, type Rule, rules } from '../../src/simulator/checks/breaches.ts';
import type { WatchedStage } from '../../src/simulator/run/watched-stage.ts';
import { runSeed } from '../../src/simulator/run-seed.ts';
import { type SimStory, type SimWish, simStory } from '../support/sim-stage.ts';
import { forever } from '../unit/adapters/aws/specimens.ts';

/** A story with the ports of its daemon, to do what hostler would not. */
async function broken(wish: SimWish = {}): Promise<SimStory & { ports: Ports; pool: PoolSpec }> {
  const started: Ports[] = [];
  const hooks = { ...wish.hooks, onStart: (ports: Ports) => void started.push(ports) };
  const story = await simStory({ ...wish, hooks });
  const [pool] = story.stage.config().pools;
  const [ports] = started;
  if (ports === undefined || pool === undefined) throw new Error('no daemon');
  return { ...story, ports, pool };
}

type Broken = Awaited<ReturnType<typeof broken>>;

const reported = new Set<Rule>();

function rulesOf(breaches: readonly Breach[]): Rule[] {
  const found = [...new Set(breaches.map(({ rule }) => rule))];
  for (const rule of found) reported.add(rule);
  return found;
}

/** The rules that were found broken, once each. */
const rulesIn = ({ book }: Pick<WatchedStage, 'book'>) => rulesOf(book.all());

function enqueue({ stage }: SimStory, count: number, minutes: number): void {
  for (let job = 0; job < count; job += 1) stage.gitlab.enqueue({ durationMs: minutes * MINUTE_MS });
}

/** The machine of the one job that runs now. */
async function busyMachine(story: Broken): Promise<Machine & { instance: string }> {
  enqueue(story, 1, 60);
  await story.until('the job to run', () => story.stage.jobHosts.count() === 1);
  const found = story.ports.store.machines().find(({ lease }) => lease !== null);
  const instance = found?.instance ?? null;
  if (found === undefined || instance === null) throw new Error('no machine is leased');
  return { ...found, instance };
}

/** Launches machines that no plan asked for, and does not wait. */
async function launchStray({ ports, pool, ...story }: Broken, count: number, tags: Record<string, string>) {
  const { cloud } = ports;
  let isKnown = false;
  const resolved = cloud.resolve(pool.launch, forever).finally(() => {
    isKnown = true;
  });
  await story.until('EC2 to answer', () => isKnown);
  const at = story.now();
  const request = buildRequest(pool.launch, await resolved, { userData: '', tags, at });
  void cloud.launch(pool.launch.site, { token: 'stray', count, request }, forever);
}

describe('a host with a job', () => {
  test('that is terminated', async () => {
    const story = await broken();
    const { instance } = await busyMachine(story);
    void story.ports.cloud.terminate(story.pool.launch.site, [instance], forever);
    await story.minutes(1);
    expect(rulesIn(story)).toEqual(['busy-host-ended']);
  });

  test('that is cleaned', async () => {
    const story = await broken();
    const { id, address } = await busyMachine(story);
    const ca = story.ports.store.machineTls(id)?.ca;
    if (typeof ca !== 'string' || address === null) throw new Error('it is not known');
    await story.until('its script to begin', () => (story.stage.park.at(address)?.containers.size ?? 0) > 0);
    void story.ports.docker.clean({ address, port: 2376, tls: { ca, cert: '', key: '' } }, forever);
    await story.minutes(1);
    expect(rulesIn(story)).toEqual(['busy-host-ended']);
  });

  test('whose own timer ends it too early', async () => {
    const story = await broken();
    const { instance } = await busyMachine(story);
    void story.stage.park.of(instance)?.play('# hostler-step: renew-dead-man\necho "$up 60 60"');
    await story.minutes(5);
    expect(rulesIn(story)).toEqual(['busy-host-ended']);
  });
});

describe('more machines than the limit', () => {
  test.each([
    ['at once', false],
    ['when open spot requests are filled', true],
  ])('%s', async (_when, bySpotRequest) => {
    const story = await broken({ limit: 1, bySpotRequest });
    await launchStray(story, 2, { [TAG.owner]: 'me', [TAG.pool]: story.pool.id });
    await story.minutes(2);
    expect(rulesIn(story)).toEqual(['above-limit']);
  });
});

test('more open spot requests than an account bears', async () => {
  const story = await broken({ bySpotRequest: true, limit: 100 });
  const [type = ''] = story.pool.launch.instanceTypes;
  story.stage.world.capacity.set({ type, zone: 'eu-central-1a', market: 'spot' }, 0);
  await launchStray(story, 21, { [TAG.owner]: 'me', [TAG.pool]: story.pool.id });
  await story.minutes(2);
  expect(rulesIn(story)).toEqual(['spot-requests']);
});

test('an instance without a record that nobody ends', async () => {
  const story = await broken();
  await launchStray(story, 1, { [TAG.owner]: 'somebody' });
  await story.minutes(30);
  expect(rulesIn(story)).toEqual(['old-orphan']);
});

test('a launch that is never settled', async () => {
  const trouble = (action: string) => {
    if (action === 'RunInstances') return 'lost-answer';
    return action === 'DescribeInstances' ? 'failed' : null;
  };
  let isBlind = false;
  const story = await broken({ hooks: { trouble: (action) => (isBlind ? trouble(action) : null) } });
  await story.minutes(2);
  isBlind = true;
  enqueue(story, 1, 1);
  await story.minutes(90);
  expect(rulesIn(story)).toEqual(['open-intent']);
});

test('a create that is neither served nor answered', async () => {
  const story = await broken();
  const { config, change } = story.stage;
  change({ ...config(), pools: config().pools.map((pool) => ({ ...pool, createWaitMs: 5 * HOUR_MS })) });
  const [type = ''] = story.pool.launch.instanceTypes;
  story.stage.world.capacity.set({ type, zone: 'eu-central-1a', market: null }, 0);
  enqueue(story, 1, 1);
  await story.minutes(60);
  expect(rulesIn(story)).toEqual(['unanswered-create']);
});

describe('while the store cannot be read', () => {
  /** A runner holds a machine and is gone; from now on hostler cannot see the folder. */
  async function held() {
    let isUnreadable = false;
    const story = await broken({
      idleCount: 1,
      idleTimeS: 3600,
      way: 'drop-in',
      hooks: { isUnreadable: () => isUnreadable },
    });
    await story.until('the runner to hold a machine', () => story.stage.folder.machines.size === 1);
    await story.minutes(1);
    await story.stage.runner.stop('KILL', 'process');
    isUnreadable = true;
    return story;
  }

  test('a lease that nobody holds any more', async () => {
    const story = await held();
    story.stage.folder.machines.clear();
    await story.minutes(4 * 60);
    expect(rulesIn(story)).toEqual(['forgotten-lease']);
  });

  test('a folder of a host that is gone', async () => {
    const story = await held();
    const [host] = [...story.stage.park.all()];
    if (host !== undefined) story.stage.world.region('eu-central-1').unaskedEnds.hostOff(host.instance);
    await story.minutes(90);
    expect(rulesIn(story)).toEqual(['ghost-folder']);
  });
});

test('two folders of one host', async () => {
  const story = await broken();
  await busyMachine(story);
  const [lease] = story.ports.store.leases();
  const [folder] = [...story.stage.folder.machines.values()];
  if (lease === undefined || folder === undefined) throw new Error('no lease');
  const name = `${lease.name}-again`;
  story.ports.store.putLease({ ...lease, name });
  story.stage.folder.machines.set(name, folder);
  await story.minutes(1);
  expect(rulesIn(story)).toEqual(['shared-host']);
});

test('calls beyond the rates of EC2', async () => {
  const story = await broken({ idleCount: 2, way: 'drop-in' });
  // Another program of the same account takes every token.
  const region = story.stage.world.region('eu-central-1');
  const greedy = () => {
    try {
      for (;;) region.admit({ action: 'DescribeInstances', narrowed: true, dryRun: false });
    } catch {
      story.stage.timeline.after(SECOND_MS / 10, greedy);
    }
  };
  greedy();
  for (let round = 0; round < 60; round += 1) {
    enqueue(story, 3, 1);
    await story.minutes(5);
  }
  expect(rulesIn(story)).toEqual(['call-rate']);
});

describe('reasons', () => {
  test('an idle machine that is ended without one', async () => {
    const story = await broken({ idleCount: 1 });
    await story.until('a machine to stand', () =>
      story.ports.store.machines().some(({ phase }) => phase === 'ready'),
    );
    void story.ports.cloud.terminate(story.pool.launch.site, story.alive(), forever);
    await story.minutes(1);
    expect(rulesIn(story)).toEqual(['reasons']);
  });

  test.each([
    ['without words', 'idle-time', ' '],
    ['outside the closed set', 'because', 'a machine was ended'],
  ])('a line of the history %s', async (_how, code, text) => {
    const story = await broken();
    const line = { code: code as ReasonCode, text, pool: null, machine: null, lease: null, detail: {} };
    story.ports.store.addEvent({ at: story.now(), ...line });
    await story.minutes(2);
    expect(rulesIn(story)).toEqual(['reasons']);
  });
});

describe("the daemon's own trouble", () => {
  test('a plan that breaks a rule', async () => {
    const story = await broken({ idleCount: 2 });
    await story.until('machines to stand', () => story.alive().length === 2);
    // Chance that always falls the same way makes new machines with old names.
    story.ports.random.id = () => 'aaaaaaaaaa';
    enqueue(story, 4, 10);
    await story.minutes(5);
    expect(rulesIn(story)).toEqual(['plan-broken']);
  });

  test('work that fails for a reason of its own', async () => {
    const story = await broken();
    story.ports.metrics.booted = () => {
      throw new TypeError('not a metric');
    };
    enqueue(story, 1, 10);
    await story.minutes(5);
    expect(rulesIn(story)).toEqual(['internal-error']);
  });

  test('an end by an error of its own', async () => {
    const story = await broken();
    story.ports.clock.sleep = () => Promise.reject(new TypeError('not a clock'));
    enqueue(story, 1, 10);
    await story.minutes(5);
    expect(rulesIn(story)).toEqual(['daemon-died']);
  });
});

describe('a whole run', () => {
  // One spot pool at one place that never goes on demand.
  const [spotSeed, hours] = [98, 2];

  test('whose machines came at a price that nothing explains', async () => {
    const { breaches } = await runSeed({
      seed: spotSeed,
      faults: [],
      hours,
      meddle: ({ stage: { world, timeline } }) => {
        const [before, later] = [MINUTE_MS / 2, (hours * HOUR_MS) / 2];
        const move = (usd: number | null) => {
          for (const type of ['m5.large', 'm6i.large', 'm6a.large', 'm5a.large', 'm7i.large', 'c5.xlarge'])
            for (const zone of ['a', 'b', 'c']) world.prices.set({ type, zone: `eu-central-1${zone}` }, usd);
        };
        timeline.after(before, () => move(9));
        timeline.after(later, () => move(null));
      },
    });
    expect(breaches.map(({ rule, text }) => `${rule}: ${text}`)).toEqual([
      expect.stringMatching(/^cost: pool-a: [\d.]+ USD, [\d.]+ explained$/),
    ]);
  });

  test('of a spot pool whose machines ran on demand', async () => {
    const { breaches } = await runSeed({
      seed: spotSeed,
      faults: [],
      hours,
      meddle: ({ stage }) => {
        const onDemand = stage.config();
        const pools = onDemand.pools.map((pool) => ({
          ...pool,
          launch: { ...pool.launch, market: 'on-demand' as const, markets: ['on-demand' as const] },
        }));
        stage.change({ ...onDemand, pools });
      },
    });
    expect(breaches.map(({ rule, text }) => `${rule}: ${text}`)).toContainEqual(
      expect.stringMatching(/^cost: pool-a: [\d.]+ hours on demand, 0\.0 explained$/),
    );
    expect(rulesOf(breaches)).toEqual(['cost']);
  });

  test('that held more machines than jobs and file explain', async () => {
    const { breaches } = await runSeed({
      seed: spotSeed,
      faults: [],
      hours,
      meddle: ({ stage }) => {
        const many = stage.config();
        const pools = many.pools.map((pool) => ({
          ...pool,
          limit: 200,
          ownSchedule: {
            ...pool.ownSchedule,
            base: { ...pool.ownSchedule.base, idleCount: 150, idleTimeMs: 8 * HOUR_MS },
          },
        }));
        stage.change({ ...many, pools });
      },
    });
    expect(breaches.map(({ rule, text }) => `${rule}: ${text}`)).toContainEqual(
      expect.stringMatching(/^cost: pool-a: [\d.]+ machine-hours, [\d.]+ explained$/),
    );
    expect(rulesOf(breaches)).toEqual(['cost']);
  });

  test('without faults in which a host vanished under its job', async () => {
    const { breaches } = await runSeed({
      seed: spotSeed,
      faults: [],
      hours,
      meddle: ({ stage: { timeline, park, world } }) => {
        const strike = () => {
          const host = [...park.all()].find(({ containers }) => containers.size > 0);
          if (host === undefined) timeline.after(SECOND_MS, strike);
          else world.region('eu-central-1').unaskedEnds.hostOff(host.instance);
        };
        strike();
      },
    });
    expect(rulesOf(breaches)).toEqual(['job-lost']);
  });

  test('with a job that never ends', async () => {
    const { breaches } = await runSeed({
      seed: spotSeed,
      faults: [],
      hours,
      meddle: ({ stage: { gitlab } }) => void gitlab.enqueue({ durationMs: MINUTE_MS, tags: ['nobody'] }),
    });
    expect(rulesOf(breaches)).toEqual(['not-converged']);
  });

  test('that leaves something in the account', async () => {
    const { breaches } = await runSeed({
      seed: spotSeed,
      faults: [],
      hours,
      meddle: ({ stage: { world, timeline } }) => {
        const { volumes } = world.region('eu-central-1');
        const every = { ids: [], filters: [], page: { maxResults: null, nextToken: null } };
        // Of the first machine: it outlives it, and nobody's tag is on it.
        const keepOne = () => {
          const [volume] = volumes.describe(every).things;
          if (volume === undefined) timeline.after(SECOND_MS, keepOne);
          else {
            volume.deleteOnTermination = false;
            volume.tags.clear();
          }
        };
        keepOne();
      },
    });
    expect(rulesOf(breaches)).toEqual(['not-empty']);
  });
});

test('each rule is broken above', () => {
  expect([...reported].toSorted()).toEqual(Object.keys(rules).toSorted());
});
