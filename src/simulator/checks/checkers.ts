// The rules that every run must keep, looked at where they could break: at each launch, termination, cleaning and create, and
// over all of the world once a minute. They know the truth of the world, which hostler does not.
// Must not be more patient than a user would be. Trap: what needs the daemon is counted in the time in which it was up and
// EC2 let itself be listed; a broken minute is not the daemon's delay.
import { type Instance, TAG } from '../../domain/instance.ts';
import { type DurationMs, MINUTE_MS } from '../../domain/units.ts';
import type { LogFields } from '../../ports/log.ts';
import type { SimInstance } from '../../sim/instance.ts';
import type { SimHost } from '../hosts/sim-host.ts';
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';

/** Two listings a minute apart, each up to a minute old, then a call, its retries after failures: minutes of a daemon that works. */
const ORPHAN_GRACE_MIN = 15;
/** Ten minutes of repetitions, two looks, and what failing calls cost. */
const INTENT_GRACE_MIN = 25;
/** Ten minutes without folder or section (design §4) and a look at a host that answers. */
const LEASE_GRACE_MIN = 30;
/** Time until a folder's lease is known again, or its host's end is written into it. */
const GHOST_GRACE_MIN = 20;
/** create_wait, an absent daemon's time, and some. */
const CREATE_GRACE_MS: DurationMs = 60 * MINUTE_MS;
const OPEN_REQUESTS = 60;
/** Share of calls that EC2 may refuse for their rate. */
const THROTTLED_SHARE = 0.01;
const FEW_CALLS = 200;
/** What the daemon rightly calls an error while the world is broken. */
const EXCUSED = /cannot be written|no space is left|cannot be read/;

export type Checkers = {
  onTerminate(ids: readonly string[]): void;
  onClean(host: SimHost): void;
  onLaunch(token: string, instances: readonly Instance[]): void;
  onCall(action: string, answer: 'ok' | 'throttled' | 'refused'): void;
  onCreate(name: string, made: boolean, ms: DurationMs): void;
  said(level: string, message: string, fields: LogFields): void;
  died(error: string): void;
  /** Once a minute. `isGood`: the daemon was up for all of it. */
  minute(isGood: boolean): void;
};

const isAlive = (instance: SimInstance) => instance.endingAt === null && instance.state !== 'terminated';

/** Things that may be wrong for so many good minutes, by a key of their own. */
function createPatience() {
  const wrongFor = new Map<string, number>();
  return {
    /** Counts another good minute for all of these; those that are wrong for longer than `minutes`. */
    look(kind: string, wrong: readonly string[], isGood: boolean, minutes: number): string[] {
      const now = new Set(wrong.map((key) => `${kind} ${key}`));
      for (const key of wrongFor.keys())
        if (key.startsWith(`${kind} `) && !now.has(key)) wrongFor.delete(key);
      for (const key of now) wrongFor.set(key, (wrongFor.get(key) ?? 0) + Number(isGood));
      return wrong.filter((key) => (wrongFor.get(`${kind} ${key}`) ?? 0) > minutes);
    },
  };
}

/** The checkers of one run; the stage is made with them, so it comes late. */
export function createCheckers(book: BreachBook, stage: () => Stage): Checkers {
  const patience = createPatience();
  let calls = 0;
  let throttled = 0;

  function liveJobs(instance: string): number[] {
    const { gitlab, jobHosts } = stage();
    return jobHosts.jobsOn(instance).filter((id) => gitlab.job(id)?.status === 'running');
  }

  function aliveInstances(): SimInstance[] {
    return stage().world.instances().filter(isAlive);
  }

  function checkInstances(isGood: boolean): void {
    const { machines, launches } = stage().daemon.disk.tables;
    const known = new Set<string>();
    for (const { instance, phase } of machines.values())
      if (instance !== null && phase !== 'gone') known.add(instance);
    const open = new Set(
      [...launches.values()].filter(({ state }) => state === 'intended').map(({ token }) => token),
    );
    const orphans = aliveInstances().filter(
      ({ id, tags }) => !known.has(id) && !open.has(tags.get(TAG.launch) ?? ''),
    );
    for (const id of patience.look(
      'orphan',
      orphans.map((one) => one.id),
      isGood,
      ORPHAN_GRACE_MIN,
    ))
      book.add('old-orphan', `${id} runs without a record`);
    for (const token of patience.look('intent', [...open], isGood, INTENT_GRACE_MIN))
      book.add('open-intent', `launch ${token} is still open`);
  }

  function checkLeases(isGood: boolean): void {
    const { folder, daemon, runner } = stage();
    const { leases, machines } = daemon.disk.tables;
    const inUse = new Set(runner.machines().map(({ name }) => name));
    const isReleased = (name: string) => folder.released.some((release) => release.name === name);
    const forgotten = [...leases.values()].filter(
      ({ name, state }) => state === 'held' && !folder.machines.has(name) && !inUse.has(name),
    );
    for (const name of patience.look(
      'lease',
      forgotten.map((lease) => lease.name),
      isGood,
      LEASE_GRACE_MIN,
    ))
      book.add(
        'forgotten-lease',
        `${name} is held, and its folder is gone${isReleased(name) ? ' (released)' : ''}`,
      );

    const byMachine = new Map<string, string>();
    const ghosts: string[] = [];
    for (const [name, { machine, health }] of folder.machines) {
      if (health?.kind === 'gone' || health?.kind === 'dead') continue;
      const lease = leases.get(name);
      const row = machines.get(lease?.machine ?? '');
      if (lease === undefined || row === undefined || row.phase === 'gone' || row.phase === 'terminating')
        ghosts.push(name);
      const host = lease?.machine ?? machine;
      const other = byMachine.get(host);
      if (other !== undefined) book.add('shared-host', `${name} and ${other} stand for ${host}`);
      byMachine.set(host, name);
    }
    for (const name of patience.look('ghost', ghosts, isGood, GHOST_GRACE_MIN))
      book.add('ghost-folder', `${name} stands for a host that nobody holds`);
  }

  return {
    onTerminate(ids) {
      for (const id of ids) {
        const jobs = liveJobs(id);
        const isOurs = stage()
          .world.instances()
          .some((instance) => instance.id === id && isAlive(instance));
        if (jobs.length > 0 && isOurs)
          book.add('busy-host-ended', `${id} is terminated under job ${jobs.join(', ')}`);
      }
    },
    onClean(host) {
      const jobs = liveJobs(host.instance.id);
      if (jobs.length > 0)
        book.add('busy-host-ended', `${host.instance.id} is cleaned under job ${jobs.join(', ')}`);
    },
    onLaunch() {
      for (const pool of stage().config().pools) {
        if (pool.limit === 0) continue;
        const alive = aliveInstances().filter(({ tags }) => tags.get(TAG.pool) === pool.id).length;
        if (alive > pool.limit)
          book.add('above-limit', `${pool.id} has ${alive} machines, its limit is ${pool.limit}`);
      }
    },
    onCall(action, answer) {
      calls += 1;
      if (answer === 'throttled') throttled += 1;
      if (calls > FEW_CALLS && throttled > calls * THROTTLED_SHARE)
        book.add('call-rate', `${throttled} of ${calls} calls were too many for EC2, the last one ${action}`);
    },
    onCreate(name, _made, ms) {
      if (ms > CREATE_GRACE_MS)
        book.add('unanswered-create', `${name} was answered after ${Math.round(ms / 1000)} s`);
    },
    said(level, message, fields) {
      const error = String(fields['error'] ?? '');
      if (message === 'a tick failed' && error.includes('breaks a rule')) book.add('plan-broken', error);
      else if (level === 'error' && !EXCUSED.test(`${message} ${error}`))
        book.add('internal-error', `${message}: ${error} ${JSON.stringify(fields).slice(0, 200)}`);
    },
    died: (error) => book.add('daemon-died', error),
    minute(isGood) {
      checkInstances(isGood);
      checkLeases(isGood);
      const open = stage()
        .world.spotRequests()
        .filter(({ state }) => state === 'open').length;
      if (open >= OPEN_REQUESTS) book.add('spot-requests', `${open} requests are open`);
    },
  };
}
