// The rules that every run must keep, looked at where they could break: at each launch, termination, cleaning and create, and
// over all of the world once a minute. They know the truth of the world, which hostler does not.
// Must not be more patient than a user would be. Trap: what needs the daemon is counted in the time in which it was up; a
// broken minute is not the daemon's delay.
import type { DurationMs } from '../../domain/units.ts';
import type { LogFields } from '../../ports/log.ts';
import type { SimInstance } from '../../sim/instance.ts';
import type { SimHost } from '../hosts/sim-host.ts';
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';
import { checkInstances, checkOpenRequests, isAlive } from './check-instances.ts';
import { checkLeases } from './check-leases.ts';
import { createLimitCheck } from './check-limits.ts';
import { createReasonCheck } from './check-reasons.ts';
import { createPatience } from './patience.ts';

/** create_wait is ten minutes; a daemon that starts anew begins it anew for who asks again. In minutes of a daemon that is up. */
const CREATE_GRACE_MIN = 25;
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
  onAsk(name: string): void;
  onCreate(name: string, made: boolean, ms: DurationMs): void;
  onShutDown(instance: SimInstance): void;
  said(level: string, message: string, fields: LogFields): void;
  died(error: string): void;
  /** Once a minute. `isGood`: the daemon was up for all of it. */
  minute(isGood: boolean): void;
};

/** Jobs of a living runner on that host. */
function liveJobs({ gitlab, jobHosts }: Stage, instance: string): number[] {
  return jobHosts.jobsOn(instance).filter((id) => gitlab.job(id)?.status === 'running');
}

/** What is left of them is nobody's loss. */
function checkTermination(stage: Stage, book: BreachBook, ids: readonly string[]): string[] {
  return ids.filter((id) => {
    const jobs = liveJobs(stage, id);
    const found = stage.world.find(id)?.instance;
    const isLoss = jobs.length > 0 && found !== undefined && isAlive(found);
    if (isLoss) book.add('busy-host-ended', `${id} is ended under job ${jobs.join(', ')}`);
    return !isLoss;
  });
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
  const limits = createLimitCheck(book);
  const reasons = createReasonCheck(book);
  const asking = new Set<string>();
  return {
    onTerminate(ids) {
      reasons.ended(stage(), checkTermination(stage(), book, ids));
    },
    onShutDown({ id }) {
      const jobs = liveJobs(stage(), id);
      if (jobs.length > 0) book.add('busy-host-ended', `${id} ends itself under job ${jobs.join(', ')}`);
    },
    onClean({ instance }) {
      const jobs = liveJobs(stage(), instance.id);
      if (jobs.length > 0)
        book.add('busy-host-ended', `${instance.id} is cleaned under job ${jobs.join(', ')}`);
    },
    onLaunch() {
      limits(stage());
      checkOpenRequests(stage(), book);
    },
    onCall: createRateCheck(book),
    onAsk: (name) => void asking.add(name),
    onCreate: (name) => void asking.delete(name),
    said(level, message, fields) {
      const error = typeof fields['error'] === 'string' ? fields['error'] : '';
      if (message === 'a tick failed' && error.includes('breaks a rule')) book.add('plan-broken', error);
      else if (level === 'error' && !EXCUSED.test(`${message} ${error}`))
        book.add('internal-error', `${message}: ${error} ${JSON.stringify(fields).slice(0, 200)}`);
    },
    died: (error) => book.add('daemon-died', error),
    minute(isGood) {
      limits(stage());
      reasons.written(stage());
      for (const name of patience.look(
        { kind: 'create', keys: [...asking], minutes: CREATE_GRACE_MIN },
        isGood,
      ))
        book.add('unanswered-create', `${name} waits for more than ${CREATE_GRACE_MIN} minutes`);
      checkInstances(stage(), book, patience, isGood);
      checkLeases(stage(), book, patience, isGood);
    },
  };
}
