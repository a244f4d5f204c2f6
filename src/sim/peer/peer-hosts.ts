// Jobs on the peer's hosts: containers on emulated instances. A host that ends takes its jobs along, and the runner
// notices some seconds later.
import type { SimInstance } from '../instance.ts';
import type { Ledger } from '../ledger.ts';
import type { Box } from '../runner/box.ts';
import type { HostEnd, JobHosts, JobRun } from '../runner/job-hosts.ts';
import type { Timeline } from '../timeline.ts';

/** Until a runner gives up on a Docker that refuses or broke off (measured). */
const LOST_MS = 4_100;

export type PeerHosts = JobHosts & {
  /** That host does not answer any more. */
  hostDown(instance: SimInstance): void;
  /** Jobs on hosts now. */
  count(): number;
};

type Running = { instance: string; end(how: HostEnd): void };

/** `box`: what starting a job's containers takes. `instanceAt`: the instance behind a url, null when nothing answers. */
export function createPeerHosts(parts: {
  timeline: Timeline;
  ledger: Pick<Ledger, 'jobBegan' | 'jobEnded'>;
  box: Box;
  instanceAt(url: string): string | null;
}): PeerHosts {
  const { timeline, ledger } = parts;
  const running = new Set<Running>();

  return {
    run(url, job): JobRun {
      const begun = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<HostEnd>();
      const instance = parts.instanceAt(url);
      if (instance === null) {
        timeline.after(LOST_MS, () => ended.resolve('lost'));
        return { begun: begun.promise, ended: ended.promise, kill: () => undefined };
      }
      let off = (): void => undefined;
      const leave = (): boolean => {
        off();
        if (!running.delete(own)) return false;
        ledger.jobEnded(instance);
        return true;
      };
      const own: Running = {
        instance,
        end(how) {
          if (!leave()) return;
          if (how === 'lost') timeline.after(LOST_MS, () => ended.resolve(how));
          else ended.resolve(how);
        },
      };
      running.add(own);
      ledger.jobBegan(instance);
      off = parts.box.start(() => {
        begun.resolve();
        off = timeline.after(job.durationMs, () => own.end('done'));
      });
      return { begun: begun.promise, ended: ended.promise, kill: () => void leave() };
    },
    hostDown({ id }) {
      for (const one of [...running].filter(({ instance }) => instance === id)) one.end('lost');
    },
    count: () => running.size,
  };
}
