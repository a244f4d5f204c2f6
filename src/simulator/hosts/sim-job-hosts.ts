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

/** Jobs on the hosts of a park. */
export function createSimJobHosts(parts: Parts): SimJobHosts {
  const { timeline, park, folder, prepareMs = PREPARE_MS } = parts;
  const running = new Map<number, Running>();
  const byHost = new Map<string, Set<number>>();

  function take(entry: Running): void {
    running.set(entry.job.id, entry);
    const { id } = entry.host.instance;
    const jobs = byHost.get(id) ?? new Set();
    byHost.set(id, jobs.add(entry.job.id));
  }

  function leave({ job, host }: Running): void {
    running.delete(job.id);
    const jobs = byHost.get(host.instance.id);
    jobs?.delete(job.id);
    if (jobs?.size === 0) byHost.delete(host.instance.id);
  }

  function begin(entry: Running, end: (how: HostEnd) => void, begun: () => void): void {
    const { host, job } = entry;
    const container: SimContainer = {
      id: `c-${job.id}-${timeline.now()}`,
      jobId: job.id,
      running: true,
      ended: (how) => end(how),
    };
    entry.container = container;
    host.containers.set(container.id, container);
    begun();
    const finish = () => {
      if (!host.containers.has(container.id)) return;
      // Its script is over, but nobody hears of it before the host speaks again.
      if (host.troubles.has('mute')) {
        timeline.after(SECOND_MS, finish);
        return;
      }
      container.running = false;
      container.ended = null;
      if (running.get(job.id) === entry) {
        host.containers.delete(container.id);
        end('done');
      }
    };
    timeline.after(job.durationMs, finish);
  }

  function run(url: string, job: HostedJob): JobRun {
    let tellBegun: () => void = () => undefined;
    let tellEnd: (how: HostEnd) => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      tellBegun = resolve;
    });
    const ended = new Promise<HostEnd>((resolve) => {
      tellEnd = resolve;
    });
    const host = park.at(addressIn(url));
    const ca = folder.machines.get(job.machine)?.ca ?? '';
    if (host !== null && host.troubles.has('mute')) return { begun, ended, kill: () => undefined };
    if (host === null || !dockerAnswers(host, ca)) {
      timeline.after(LOST_MS, () => tellEnd('lost'));
      return { begun, ended, kill: () => undefined };
    }
    const entry: Running = { job, host, container: null };
    take(entry);
    const end = (how: HostEnd) => {
      if (running.get(job.id) !== entry) return;
      leave(entry);
      if (how === 'lost') timeline.after(LOST_MS, () => tellEnd(how));
      else tellEnd(how);
    };
    timeline.after(prepareMs, () => {
      if (running.get(job.id) !== entry) return;
      if (dockerAnswers(host, ca)) begin(entry, end, tellBegun);
      else end('lost');
    });
    return {
      begun,
      ended,
      kill() {
        if (running.get(job.id) !== entry) return;
        leave(entry);
        const { container } = entry;
        if (container === null || host.troubles.has('mute')) return;
        container.ended = null;
        host.removeContainer(container.id, 'killed');
      },
    };
  }

  return {
    run,
    jobsOn: (instance) => [...(byHost.get(instance) ?? [])],
    runnerEnded() {
      for (const entry of [...running.values()]) {
        if (entry.container !== null) entry.container.ended = null;
        leave(entry);
      }
    },
    count: () => running.size,
  };
}
