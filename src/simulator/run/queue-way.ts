// Whether a simulated daemon sees GitLab's queue: as the configuration says, or with it or without it whatever that says.
// Must not look at jobs. Trap: a user's token never gets into a simulated world; another one stands for it.
import { type PoolSpec, Secret } from '../../domain/config.ts';
import type { QueueSettings } from '../../domain/queue.ts';
import { SECOND_MS } from '../../domain/units.ts';

/** `config`: as the file says; `on`: polled; `webhook`: polled and told of each pending job; `off`: not at all. */
export type QueueWay = 'config' | 'on' | 'webhook' | 'off';

/** Settings of a pool that says nothing of its queue (docs/configuration.md). */
export const usualQueue: QueueSettings = {
  source: 'auto',
  url: null,
  token: null,
  ca: null,
  runnerId: null,
  projects: [],
  group: null,
  pollIntervalMs: 10 * SECOND_MS,
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
};

const standIn = new Secret('simulated');

/** Whether GitLab is asked by these settings. */
function asksGitlab(settings: QueueSettings | undefined): settings is QueueSettings {
  if (settings === undefined || settings.token === null) return false;
  return settings.source !== 'none' && settings.source !== 'metrics';
}

/** Where the simulated GitLab is asked, by a token that may read all that is needed. */
function inSimulation(settings: QueueSettings, way: QueueWay): QueueSettings {
  const { source, webhook } = settings;
  const isNamed = source === 'rest' || source === 'graphql' || source === 'instance';
  const token = { kind: 'value' as const, value: standIn };
  const hook = { listen: '127.0.0.1:0', secret: token };
  return {
    ...settings,
    source: isNamed ? source : 'auto',
    url: 'https://gitlab.example.com',
    token,
    // The simulated GitLab has projects of its own.
    projects: [],
    group: null,
    webhook: way === 'webhook' || (way === 'config' && webhook !== null) ? hook : null,
  };
}

/** The pool with its queue seen in that way. Without a token `config` means `off`; `metrics` is not simulated. */
export function withQueue(pool: PoolSpec, way: QueueWay): PoolSpec {
  const { queue: asked, ...rest } = pool;
  const isOn = way === 'config' ? asksGitlab(asked) : way !== 'off';
  if (isOn) return { ...rest, queue: inSimulation(asked ?? usualQueue, way) };
  // The forecast learns from what hostler sees anyway.
  return asked?.forecast === true
    ? { ...rest, queue: { ...asked, source: 'none', token: null, webhook: null } }
    : rest;
}
