// EC2's events about instances from a queue, in our words. The other two sources of notices are the cloud port's own
// listings (spot requests, instances); domain/notice.ts reads those.
// Trap: a queue delivers at least once and in any order; what is not acknowledged comes again.
import type { CloudSite } from '../domain/config.ts';
import type { Notice } from '../domain/notice.ts';

/** Notices of one look at a queue. */
export type NoticeBatch = {
  notices: readonly Notice[];
  /** Messages that were no event of EC2's about an instance; they are acknowledged with the rest. */
  ignored: number;
  /** Takes the batch off the queue; to be called once the notices are acted upon or stored. Throws `cloud-refused`. */
  acknowledge(signal: AbortSignal): Promise<void>;
};

export interface Notices {
  /** One long poll: comes back with the first events, or empty after 20 s. Throws HostlerError `cloud-refused`. */
  poll(queue: { site: CloudSite; url: string }, signal: AbortSignal): Promise<NoticeBatch>;
}
