// What can go wrong in a run, by name: how often, and in one line what it is. `mean` is the usual time between two, for those
// that happen at moments; `rate` the share of calls, boots or doors hit, for those that ride on something else.
// Trap: each has randomness of its own, so that leaving one out does not move the others.
import { type DurationMs, HOUR_MS } from '../../domain/units.ts';

type Pace = { mean: DurationMs; rate?: never } | { rate: number; mean?: never };

export const faults = {
  'ec2-failed': { rate: 0.02, text: 'a call ends with InternalError, undone' },
  'ec2-slow': { rate: 0.01, text: 'a call takes 5 to 70 s longer' },
  'ec2-throttled': { rate: 0.02, text: 'a call is refused with RequestLimitExceeded' },
  'ec2-duplicated': { rate: 0.01, text: 'a call arrives twice' },
  'ec2-lost-answer': { rate: 0.02, text: 'a call is done and its answer never comes' },
  'capacity-drought': {
    mean: 4 * HOUR_MS,
    text: 'no more machines at some or all places for up to half an hour',
  },
  'zone-outage': { mean: 8 * HOUR_MS, text: 'no capacity in one zone, and none of its hosts can be reached' },
  'spot-reclaim': { mean: 3 * HOUR_MS, text: 'EC2 takes some spot machines back after two minutes' },
  'spot-advice': { mean: 3 * HOUR_MS, text: 'EC2 advises to leave some spot machines' },
  'spot-prices': { mean: 3 * HOUR_MS, text: 'spot prices of some places rise for up to an hour' },
  'spot-quota': { mean: 6 * HOUR_MS, text: "the account's spot quota is a few machines for a while" },
  'host-vanishes': { mean: 4 * HOUR_MS, text: 'an instance ends by itself' },
  'host-silent': { mean: 4 * HOUR_MS, text: 'no packet of a host comes through, for minutes or for good' },
  'host-fills-up': { mean: 3 * HOUR_MS, text: 'a disk above the watermark' },
  'docker-dies': { mean: 5 * HOUR_MS, text: 'dockerd ends, its containers too' },
  'host-hangs': { rate: 0.05, text: 'a boot that hangs in one of several ways' },
  'gitlab-away': { mean: 6 * HOUR_MS, text: 'GitLab answers nothing for minutes' },
  'gitlab-slow': { mean: 6 * HOUR_MS, text: 'GitLab takes seconds for each answer' },
  'gitlab-throttled': { mean: 6 * HOUR_MS, text: 'GitLab refuses most calls with 429' },
  'clock-jump': { mean: 8 * HOUR_MS, text: "the manager's wall clock jumps by up to two hours" },
  'disk-full': { mean: 5 * HOUR_MS, text: 'the state folder takes no writes for minutes' },
  crash: { mean: 3 * HOUR_MS, text: 'kill -9 of the daemon at any time; it starts again' },
  'crash-at-write': { mean: 2 * HOUR_MS, text: 'kill -9 exactly before or after a write or an effect' },
  restart: { mean: 4 * HOUR_MS, text: 'SIGTERM of the daemon; it starts again' },
  'power-loss': { mean: 8 * HOUR_MS, text: 'the daemon ends and its newest undurable writes are lost' },
  'database-lost': { mean: 12 * HOUR_MS, text: 'the daemon ends and finds no database' },
  'mail-deaf': { mean: 6 * HOUR_MS, text: 'file notification of the mailbox fails' },
  'store-unreadable': { mean: 6 * HOUR_MS, text: "the runner's store cannot be read for minutes" },
  'runner-dies': {
    mean: 6 * HOUR_MS,
    text: 'kill -9 of the runner, sometimes with all its calls; it starts again',
  },
  'runner-restarts': { mean: 6 * HOUR_MS, text: 'the runner is stopped by TERM or QUIT and starts again' },
  'runner-drains': { mean: 10 * HOUR_MS, text: 'the runner drains its machines at a stop' },
  'token-change': { mean: 10 * HOUR_MS, text: "the runner's token changes: old names fit no more" },
  'door-killed': { rate: 0.01, text: 'a docker-machine call is killed somewhere' },
} as const satisfies Record<string, Pace & { text: string }>;

export type FaultName = keyof typeof faults;

export const faultNames = Object.keys(faults) as FaultName[];

/** `all`, `none`, or names with commas. Null for a name that nobody knows. */
export function parseFaults(text: string): FaultName[] | null {
  if (text === 'all') return [...faultNames];
  if (text === 'none' || text === '') return [];
  const named = text.split(',');
  return named.every((name): name is FaultName => Object.hasOwn(faults, name)) ? named : null;
}
