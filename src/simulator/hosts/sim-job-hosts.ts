// Where the runner's jobs run: containers on simulated hosts, reached with the certificates of the machine's folder. It also
// knows which hosts have a job of a living runner: what no checker may see ended by hostler.
// Trap: a job whose runner died runs on to its end, and nobody removes its container.
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { HostEnd, HostedJob, JobHosts, JobRun } from '../../sim/runner/job-hosts.ts';
import type { Timeline } from '../../sim/timeline.ts';
import { addressIn } from '../door/sim-door.ts';
import type { StoreFolder } from '../door/store-folder.ts';
import type { HostPark } from './host-park.ts';
import { dockerAnswers, type SimContainer, type SimHost } from './sim-host.ts';

/** From the first Docker call to the job's script: helper container, clone (facts M: about a second). */
const PREPARE_MS: DurationMs = SECOND_MS;
/** Until a runner gives up on a Docker that refuses or broke off (facts G: 4.1 s). */
const LOST_MS: DurationMs = 4_100;

export type SimJobHosts = JobHosts & {
  /** Ids of the jobs on a host that a living runner counts on. */
  jobsOn(instance: string): readonly number[];
  /** The runner's process has ended: its jobs are nobody's any more. */
  runnerEnded(): void;
  /** Jobs under way in all. */
  count(): number;
};

type Running = { job: HostedJob; host: SimHost; container: SimContainer | null };

type Parts = { timeline: Timeline; park: HostPark; folder: StoreFolder; prepareMs?: DurationMs };

/** Which jobs run where, as long as somebody counts on them. */
function createRunningJobs() {
  const running = new Map<number, Running>();
  const byHost = new Map<string, Set<number>>();
  return {
    all: () => running.values(),
    count: () => running.size,
    has: (entry: Running) => running.get(entry.job.id) === entry,
    on: (instance: string): readonly number[] => [...(byHost.get(instance) ?? [])],
    take(entry: Running): void {
      running.set(entry.job.id, entry);
      const { id } = entry.host.instance;
      const jobs = byHost.get(id) ?? new Set();
      byHost.set(id, jobs.add(entry.job.id));
    },
    leave({ job, host }: Running): void {
      running.delete(job.id);
      const jobs = byHost.get(host.instance.id);
      jobs?.delete(job.id);
      if (jobs?.size === 0) byHost.delete(host.instance.id);
    },
  };
}

/** A job's run that nobody hears of yet. */
function createRun(kill: () => void) {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<HostEnd>();
  const run: JobRun = { begun: begun.promise, ended: ended.promise, kill };
  return { run, tellBegun: () => begun.resolve(), tellEnd: (how: HostEnd) => ended.resolve(how) };
}

/** Jobs on the hosts of a park. */
export function createSimJobHosts(parts: Parts): SimJobHosts {
  const { timeline, park, folder, prepareMs = PREPARE_MS } = parts;
  const jobs = createRunningJobs();

  /** Its script is over; a silent host says so when it speaks again. */
  function finish(entry: Running, container: SimContainer, end: (how: HostEnd) => void): void {
    const { host } = entry;
    if (!host.containers.has(container.id)) return;
    if (host.troubles.has('mute')) {
      timeline.after(SECOND_MS, () => finish(entry, container, end));
      return;
    }
    container.running = false;
    container.ended = null;
    if (!jobs.has(entry)) return;
    host.containers.delete(container.id);
    end('done');
  }

  function begin(entry: Running, end: (how: HostEnd) => void): void {
    const { host, job } = entry;
    const id = `c-${job.id}-${timeline.now()}`;
    const container: SimContainer = { id, jobId: job.id, running: true, ended: (how) => end(how) };
    entry.container = container;
    host.containers.set(id, container);
    timeline.after(job.durationMs, () => finish(entry, container, end));
  }

  function giveUp(entry: Running): void {
    if (!jobs.has(entry)) return;
    jobs.leave(entry);
    const { container, host } = entry;
    if (container === null || host.troubles.has('mute')) return;
    container.ended = null;
    host.removeContainer(container.id, 'killed');
  }

  function run(url: string, job: HostedJob): JobRun {
    const host = park.at(addressIn(url));
    const ca = folder.machines.get(job.machine)?.ca ?? '';
    if (host === null || host.troubles.has('mute') || !dockerAnswers(host, ca)) {
      const silent = createRun(() => undefined);
      if (host?.troubles.has('mute') !== true) timeline.after(LOST_MS, () => silent.tellEnd('lost'));
      return silent.run;
    }
    const entry: Running = { job, host, container: null };
    const { run: made, tellBegun, tellEnd } = createRun(() => giveUp(entry));
    const end = (how: HostEnd) => {
      if (!jobs.has(entry)) return;
      jobs.leave(entry);
      if (how === 'lost') timeline.after(LOST_MS, () => tellEnd(how));
      else tellEnd(how);
    };
    jobs.take(entry);
    timeline.after(prepareMs, () => {
      if (!jobs.has(entry)) return;
      if (!dockerAnswers(host, ca)) return end('lost');
      begin(entry, end);
      tellBegun();
    });
    return made;
  }

  return {
    run,
    jobsOn: jobs.on,
    runnerEnded() {
      for (const entry of jobs.all()) {
        if (entry.container !== null) entry.container.ended = null;
        jobs.leave(entry);
      }
    },
    count: jobs.count,
  };
}
