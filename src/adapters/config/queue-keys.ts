// `[pools.queue]` (and `[runners.hostler.queue]`): each key once, as own-keys.ts has those of a pool.
// Environment names: HOSTLER_POOL_POOL__QUEUE_KEY; the token of all pools also HOSTLER_GITLAB_TOKEN.
// Trap: no message may quote the token, so its kind takes any text.
import { z } from 'zod';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import { choice, duration, flag, list, matching, type ValueKind } from './value-kind.ts';

const asIs = (text: string): unknown => text;
const asNumber = (text: string): unknown => (/^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text);

function secret(): ValueKind<string> {
  const message = 'must be text in quotes';
  return {
    schema: z.string(message).trim().min(1, 'must not be empty').max(4_096, 'is too long'),
    fromText: asIs,
  };
}

/** GitLab's numbers grow beyond what `whole` takes as a slip: gitlab.com counts its runners in tens of millions. */
function gitlabId(): ValueKind<number> {
  const message = 'must be the number that GitLab shows, such as 42';
  return { schema: z.int(message).min(1, message).max(1e12, message), fromText: asNumber };
}

const nameMessage = 'must be a number or a full path such as "group/project"';
const name = z.union(
  [
    z.int(nameMessage).min(1, nameMessage),
    z
      .string()
      .trim()
      .regex(/^[^\s"\\]{1,500}$/, nameMessage),
  ],
  nameMessage,
);

function idOrPath(): ValueKind<number | string> {
  return { schema: name, fromText: asNumber };
}

/** One call a project and refresh: more named ones belong into a group. */
const MOST_PROJECTS = 500;

function idsOrPaths(): ValueKind<(number | string)[]> {
  return {
    schema: z
      .array(name, 'must be a list of numbers or full paths')
      .max(MOST_PROJECTS, `holds at most ${MOST_PROJECTS}; use group`),
    fromText: (text) =>
      text
        .split(',')
        .map((part) => asNumber(part.trim()))
        .filter((part) => part !== ''),
  };
}

function share(): ValueKind<number> {
  const message = 'must be above 0 and at most 1, such as 0.5';
  return { schema: z.number(message).gt(0, message).max(1, message), fromText: asNumber };
}

/** Below 5 s a single busy project would already take a good part of what GitLab allows. */
const LEAST_INTERVAL_MS: DurationMs = 5 * SECOND_MS;
/** What "within ten minutes" leaves. */
const MOST_INTERVAL_MS: DurationMs = 10 * MINUTE_MS;

export const queueKeys = {
  source: choice(['auto', 'rest', 'graphql', 'instance', 'metrics', 'none']),
  token: secret(),
  url: matching(/^https?:\/\/[^\s?#]{1,500}$/, 'an address such as "https://gitlab.example.com"'),
  runner_id: gitlabId(),
  projects: idsOrPaths(),
  group: idOrPath(),
  poll_interval: duration(LEAST_INTERVAL_MS, MOST_INTERVAL_MS),
  share: share(),
  min_age: duration(0),
  assume_protected: flag(),
  tags: list('tags'),
  run_untagged: flag(),
  protected_only: flag(),
  lookahead: flag(),
  forecast: flag(),
  forecast_share: share(),
  webhook_listen: matching(
    /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]*):\d{1,5}$/,
    'an address and port such as ":9260"',
  ),
  webhook_secret: secret(),
};

export type QueueKey = keyof typeof queueKeys;

export const queueDefaults = {
  source: 'auto',
  /** Seen within 15 s with room for the answer. */
  poll_interval: 10 * SECOND_MS,
  share: 1,
  min_age: 0,
  assume_protected: false,
  lookahead: false,
  forecast: false,
  /** Of five quarters of an hour, one may have a larger rush. */
  forecast_share: 0.8,
} as const;

/** The token of all pools. */
export const TOKEN_VARIABLE = 'HOSTLER_GITLAB_TOKEN';
