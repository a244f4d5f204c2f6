// The rules that every run must keep, looked at where they could break: at each launch, termination, cleaning and create, and
// over all of the world once a minute. They know the truth of the world, which hostler does not.
// Must not be more patient than a user would be. Trap: what needs the daemon is counted in the time in which it was up; a
// broken minute is not the daemon's delay.
import { TAG } from '../../domain/instance.ts';
import { type DurationMs, MINUTE_MS } from '../../domain/units.ts';
import type { LogFields } from '../../ports/log.ts';
import type { SimHost } from '../hosts/sim-host.ts';
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';
import { checkInstances, isAlive } from './check-instances.ts';
import { checkLeases } from './check-leases.ts';
import { createPatience } from './patience.ts';

/** create_wait, an absent daemon's time, and some. */
const CREATE_GRACE_MS: DurationMs = 60 * MINUTE_MS;
/** Share of calls that EC2 may refuse for their rate. */
const THROTTLED_SHARE = 0.01;
const FEW_CALLS = 200;
/** What the daemon rightly calls an error while the world is broken. */
const EXCUSED = /cannot be written|no space is left|cannot be read/;

export type Checkers = {
  onTerminate(ids: readonly string[]): void;
  onClean(host: SimHost): void;
  onLaunch(): void;
  onCall(action: string, answer: 'ok' | 'throttled' | 'refused'): void;
  onCreate(name: string, made: boolean, ms: DurationMs): void;
  said(level: string, message: string, fields: LogFields): void;
  died(error: string): void;
  /** Once a minute. `isGood`: the daemon was up for all of it. */
  minute(isGood: boolean): void;
};

/** Jobs of a living runner on that host. */
function liveJobs({ gitlab, jobHosts }: Stage, instance: string): number[] {
  return jobHosts.jobsOn(instance).filter((id) => gitlab.job(id)?.status === 'running');
}

function checkTermination(stage: Stage, book: BreachBook, ids: readonly string[]): void {
  for (const id of ids) {
    const jobs = liveJobs(stage, id);
    if (jobs.length === 0) continue;
    const alive = stage.world.instances().some((instance) => instance.id === id && isAlive(instance));
    if (alive) book.add('busy-host-ended', `${id} is terminated under job ${jobs.join(', ')}`);
  }
}

function checkLimits(stage: Stage, book: BreachBook): void {
  const alive = stage.world.instances().filter(isAlive);
  for (const { id, limit } of stage.config().pools) {
    const count = alive.filter(({ tags }) => tags.get(TAG.pool) === id).length;
    if (limit > 0 && count > limit)
      book.add('above-limit', `${id} has ${count} machines, its limit is ${limit}`);
  }
}

/** EC2's own refusals for rate, as a share of all calls. */
function createRateCheck(book: BreachBook): Checkers['onCall'] {
  let calls = 0;
  let throttled = 0;
  return (action, answer) => {
    calls += 1;
    if (answer === 'throttled') throttled += 1;
    if (calls > FEW_CALLS && throttled > calls * THROTTLED_SHARE)
      book.add('call-rate', `${throttled} of ${calls} calls were too many for EC2, the last one ${action}`);
  };
}

/** The checkers of one run; the stage is made with them, so it comes late. */
export function createCheckers(book: BreachBook, stage: () => Stage): Checkers {
  const patience = createPatience();
  return {
    onTerminate: (ids) => checkTermination(stage(), book, ids),
    onClean({ instance }) {
      const jobs = liveJobs(stage(), instance.id);
      if (jobs.length > 0)
        book.add('busy-host-ended', `${instance.id} is cleaned under job ${jobs.join(', ')}`);
    },
    onLaunch: () => checkLimits(stage(), book),
    onCall: createRateCheck(book),
    onCreate(name, _made, ms) {
      if (ms > CREATE_GRACE_MS)
        book.add('unanswered-create', `${name} was answered after ${Math.round(ms / 1000)} s`);
    },
    said(level, message, fields) {
      const error = typeof fields['error'] === 'string' ? fields['error'] : '';
      if (message === 'a tick failed' && error.includes('breaks a rule')) book.add('plan-broken', error);
      else if (level === 'error' && !EXCUSED.test(`${message} ${error}`))
        book.add('internal-error', `${message}: ${error} ${JSON.stringify(fields).slice(0, 200)}`);
    },
    died: (error) => book.add('daemon-died', error),
    minute(isGood) {
      checkInstances(stage(), book, patience, isGood);
      checkLeases(stage(), book, patience, isGood);
    },
  };
}
