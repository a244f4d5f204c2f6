// The Notices port in the world: long polls of the queues that EC2's events go to. Queues outlive the process that reads them;
// what it took and did not acknowledge comes again.
import { readEvent } from '../../adapters/aws/read-event.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { EventQueues } from '../../emulator/event-queues.ts';
import type { Notices } from '../../ports/notices.ts';
import type { NetworkLine } from './network-line.ts';

/** SQS answers within this time, each way. */
const LEG_MS: DurationMs = 25;
/** As in adapters/aws: a long poll, what it takes at most, how long that is hidden from a second reader. */
const POLL = { most: 10, waitMs: 20 * SECOND_MS, hideMs: 30 * SECOND_MS };

/** The port of one process. */
export function createSimNotices(queues: EventQueues, line: NetworkLine): Notices {
  const ask = <T>(what: string, signal: AbortSignal, work: () => T | Promise<T>) =>
    line.ask<T>({ what, thereMs: LEG_MS, backMs: LEG_MS, signal, work });
  return {
    async poll({ url }, signal) {
      const messages = await ask('ReceiveMessage', signal, () => queues.receive(url, POLL));
      const read = messages.map(({ body }) => readEvent(body));
      return {
        notices: read.flat(),
        ignored: read.filter((some) => some.length === 0).length,
        acknowledge: (later) =>
          ask('DeleteMessageBatch', later, () => {
            for (const { receipt } of messages) queues.remove(url, receipt);
          }),
      };
    },
  };
}
