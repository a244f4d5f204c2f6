// The notices port on SQS: long polls of a queue that EventBridge fills, messages parsed, taken off once acknowledged.
// One client for each queue; SQS is asked where the queue's URL says, with the site's credentials.
// Trap: a queue that fails at once must not become a loop of calls; our own bucket bounds it, back-off is the caller's.
import type { Message, SQSClient } from '@aws-sdk/client-sqs';
import type { CloudSite } from '../../domain/config.ts';
import { refusal } from '../../domain/outcome.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { NoticeBatch, Notices } from '../../ports/notices.ts';
import { createCallLimits } from './call-limits.ts';
import { outcomeOfError } from './errors.ts';
import { readEvent } from './read-event.ts';
import { clientSettings, isSameAccess } from './sdk-clients.ts';

export type NoticesDeps = {
  clock: Clock;
  /** After each call: its outcome's kind, or `ok`. */
  onCall?: (call: { action: string; outcome: string; ms: DurationMs }) => void;
};

/** Seconds of a long poll; SQS's maximum. */
const WAIT_S = 20;

/** Messages of one poll; SQS's maximum. */
const MOST = 10;

/** Seconds that a message is hidden from a second reader: to act on ten notices takes none of them, to store them one. */
const HIDDEN_S = 30;

/** Milliseconds a poll waits for our own bucket at most. */
const MAX_WAIT_MS: DurationMs = 5 * SECOND_MS;

type Queue = { site: CloudSite; client: Promise<SQSClient> };

/** `calls` counts by action; `close` ends kept connections. */
export function createNotices(
  deps: NoticesDeps,
): Notices & { calls(): Readonly<Record<string, number>>; close(): void } {
  const { clock } = deps;
  const limits = createCallLimits(() => clock.monotonic());
  const queues = new Map<string, Queue>();
  const counts = new Map<string, number>();

  const clientOf = (site: CloudSite, url: string): Promise<SQSClient> => {
    const known = queues.get(url);
    if (known !== undefined && isSameAccess(known.site, site)) return known.client;
    const client = createClient(site, url);
    queues.set(url, { site, client });
    // A failed load is told to its caller; the next poll tries again.
    client.catch(() => queues.delete(url));
    return client;
  };

  const call = async <T>(action: string, signal: AbortSignal, send: () => Promise<T>): Promise<T> => {
    const waitMs = limits.reserve({ action, instances: 0, maxWaitMs: MAX_WAIT_MS }) ?? MAX_WAIT_MS;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    counts.set(action, (counts.get(action) ?? 0) + 1);
    const started = clock.monotonic();
    const done = (outcome: string): void =>
      deps.onCall?.({ action, outcome, ms: clock.monotonic() - started });
    try {
      const answer = await send();
      done('ok');
      return answer;
    } catch (error) {
      const outcome = outcomeOfError(error);
      done(outcome.kind);
      throw refusal(action, outcome);
    }
  };

  const acknowledge = async (
    queue: { site: CloudSite; url: string },
    messages: readonly Message[],
    signal: AbortSignal,
  ): Promise<void> => {
    const entries = messages.flatMap(({ ReceiptHandle }, at) =>
      ReceiptHandle === undefined ? [] : [{ Id: String(at), ReceiptHandle }],
    );
    if (entries.length === 0) return;
    const { DeleteMessageBatchCommand } = await import('@aws-sdk/client-sqs');
    await call('DeleteMessageBatch', signal, async () => {
      const client = await clientOf(queue.site, queue.url);
      const command = new DeleteMessageBatchCommand({ QueueUrl: queue.url, Entries: entries });
      // What could not be deleted comes again, and is harmless to hear again.
      await client.send(command, { abortSignal: signal });
    });
  };

  return {
    poll: async (queue, signal): Promise<NoticeBatch> => {
      const { ReceiveMessageCommand } = await import('@aws-sdk/client-sqs');
      const answer = await call('ReceiveMessage', signal, async () => {
        const client = await clientOf(queue.site, queue.url);
        const command = new ReceiveMessageCommand({
          QueueUrl: queue.url,
          MaxNumberOfMessages: MOST,
          WaitTimeSeconds: WAIT_S,
          VisibilityTimeout: HIDDEN_S,
        });
        return await client.send(command, { abortSignal: signal });
      });
      const messages = answer.Messages ?? [];
      const read = messages.map(({ Body }) => readEvent(Body ?? ''));
      return {
        notices: read.flat(),
        ignored: read.filter((some) => some.length === 0).length,
        acknowledge: (later) => acknowledge(queue, messages, later),
      };
    },
    calls: () => Object.fromEntries(counts),
    close: () => {
      for (const { client } of queues.values())
        void client.then(
          (made) => made.destroy(),
          () => undefined,
        );
      queues.clear();
    },
  };
}

async function createClient(site: CloudSite, url: string): Promise<SQSClient> {
  const { SQSClient } = await import('@aws-sdk/client-sqs');
  const settings = await clientSettings(site);
  return new SQSClient({ ...settings(), endpoint: new URL(url).origin });
}
