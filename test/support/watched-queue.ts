// A queue watch over real HTTP on a clock that the test moves: the stand-in GitLab answers in real time, all pauses are
// virtual. `pass` moves time in small steps and lets every answer come in between.
import { setTimeout as sleep } from 'node:timers/promises';
import { createGitlabDoor } from '../../src/adapters/gitlab/gitlab.ts';
import { createRunnerMetrics } from '../../src/adapters/runner-metrics/runner-scrape.ts';
import { openDatabase } from '../../src/adapters/sqlite/database.ts';
import { createStore } from '../../src/adapters/sqlite/store.ts';
import { createLog } from '../../src/adapters/telemetry/log.ts';
import { createMetrics } from '../../src/adapters/telemetry/metrics.ts';
import { type Config, type PoolSpec, Secret } from '../../src/domain/config.ts';
import type { QueueSettings, QueueView } from '../../src/domain/queue.ts';
import type { Metrics } from '../../src/ports/metrics.ts';
import type { Store } from '../../src/ports/store.ts';
import { type CurrentConfig, createCurrentConfig } from '../../src/service/current-config.ts';
import type { Entry } from '../../src/service/journal.ts';
import { createQueueWatch, type QueueWatch } from '../../src/service/watch-queue.ts';
import { NOON, poolSpec } from './builders.ts';
import { createHandClock, type HandClock, settle } from './hand-clock.ts';
import { STAND_IN_TOKEN, type StandInGitlab, startStandInGitlab } from './stand-in-gitlab.ts';

/** Virtual time between two looks at what is due. */
const STEP_MS = 500;
/** Looks for answers that are still on their way; each a millisecond. */
const LOOKS_AT_MOST = 3_000;

export function queueSettings(over: Partial<QueueSettings> = {}): QueueSettings {
  return {
    source: 'auto',
    url: null,
    token: { kind: 'value', value: new Secret(STAND_IN_TOKEN) },
    ca: null,
    runnerId: 7,
    projects: [],
    group: null,
    pollIntervalMs: 10_000,
    share: 1,
    minAgeMs: 0,
    assumeProtected: false,
    tags: null,
    runUntagged: null,
    protectedOnly: null,
    lookahead: false,
    forecast: false,
    forecastShare: 0.8,
    webhook: null,
    ...over,
  };
}

export type WatchedQueue = {
  gitlab: StandInGitlab;
  clock: HandClock;
  watch: QueueWatch;
  config: CurrentConfig;
  store: Store;
  metrics: Metrics;
  said: Entry[];
  /** Creates whose wait was ended, with the words. */
  refused: string[];
  nudges(): number;
  /** Value of the SSM parameter; null = it cannot be read. */
  secret: { value: string | null; reads: number };
  /** A new configuration with these pools. */
  use(pools: readonly PoolSpec[], over?: { runnerMetrics?: string | null }): void;
  pass(ms: number): Promise<void>;
  /** Pending jobs by their pools, `held` apart: `linux` → 3, `linux held` → 2. */
  counts(): Record<string, number>;
  view(): QueueView;
  /** Ends the watch and starts a new one on the same store, as a restart does. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

/** Usual pool whose settings name the stand-in. */
export function watchedPool(
  gitlab: StandInGitlab,
  over: Partial<QueueSettings> = {},
  id = 'linux',
): PoolSpec {
  return poolSpec({ id, queue: queueSettings({ url: gitlab.url, ...over }) });
}

/** Starts a stand-in GitLab; nothing is watched before `use` and `pass`. */
export async function startWatchedQueue(): Promise<WatchedQueue> {
  const clock = createHandClock(NOON);
  const gitlab = await startStandInGitlab({ now: () => clock.now() });
  const store = createStore(openDatabase(':memory:'));
  const metrics = createMetrics({ compat: false });
  const configOf = (pools: readonly PoolSpec[], runnerMetrics: string | null = null) =>
    ({ pools, settings: { runnerMetrics } }) as unknown as Config;
  const config = createCurrentConfig(configOf([]), NOON);
  const said: Entry[] = [];
  const refused: string[] = [];
  const secret: WatchedQueue['secret'] = { value: null, reads: 0 };
  let random = 0.5;
  let nudges = 0;
  let stop = new AbortController();
  let running: Promise<void> = Promise.resolve();

  function start(): QueueWatch {
    stop = new AbortController();
    const ports = {
      gitlab: createGitlabDoor({ clock, env: {}, version: '1.0.0' }),
      runner: createRunnerMetrics(),
      secrets: {
        async read() {
          secret.reads += 1;
          if (secret.value === null) throw new Error('no such parameter');
          return new Secret(secret.value);
        },
      },
    };
    const float = () => {
      random = (random * 7.3 + 0.137) % 1;
      return random;
    };
    const made = createQueueWatch(
      {
        ports,
        config,
        store,
        clock,
        random: { float, id: () => 'x' },
        metrics,
        journal: (entry) => void said.push(entry),
        log: createLog({ level: 'error', pretty: false, clock }),
        leases: () => ({
          refuse(name, reason, error) {
            refused.push(`${name}: ${reason}: ${error.message}`);
            store.deleteLease(name);
            return true;
          },
        }),
        nudge: () => {
          nudges += 1;
        },
      },
      stop.signal,
    );
    running = made.run(stop.signal);
    return made;
  }

  async function quiet(watch: QueueWatch): Promise<void> {
    for (let looks = 0; looks < LOOKS_AT_MOST; looks++) {
      await settle();
      if ([...watch.paces().values()].every(({ inFlight }) => inFlight === 0)) return;
      await sleep(1);
    }
    throw new Error('an answer of the stand-in GitLab did not come');
  }

  const self: WatchedQueue = {
    gitlab,
    clock,
    watch: start(),
    config,
    store,
    metrics,
    said,
    refused,
    nudges: () => nudges,
    secret,
    use: (pools, over = {}) => config.replace(configOf(pools, over.runnerMetrics), clock.now()),
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += STEP_MS) {
        await clock.advance(Math.min(STEP_MS, ms - passed));
        await quiet(self.watch);
      }
    },
    view: () => self.watch.view(clock.now()),
    counts() {
      const counts: Record<string, number> = {};
      for (const { pools, held, queuedAt } of self.view().groups) {
        const name = `${pools.join(' ')}${held ? ' held' : ''}`;
        counts[name] = (counts[name] ?? 0) + queuedAt.length;
      }
      return counts;
    },
    async restart() {
      stop.abort();
      await running;
      self.watch = start();
    },
    async close() {
      stop.abort();
      await running;
      await gitlab.close();
    },
  };
  return self;
}
