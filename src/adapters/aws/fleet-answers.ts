// Sends the calls whose answers grow with the fleet (instances, spot requests) and reads their XML ourselves: the SDK
// signs and sends, its parser is bypassed. Large bodies go to a worker, so that a sweep over thousands of instances never
// holds the main thread.
// Trap: error answers (status ≥ 300) must pass untouched to the SDK, which makes the exception with EC2's code.
import { Worker } from 'node:worker_threads';
import type {
  DescribeInstancesCommandInput,
  DescribeSpotInstanceRequestsCommandInput,
  EC2Client,
  RunInstancesCommandInput,
} from '@aws-sdk/client-ec2';
import { messageOf } from '../../domain/error.ts';
import { refusal } from '../../domain/outcome.ts';
import type { DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { unreadableAnswer } from './errors.ts';
import { type Pages, type ReaderName, readers } from './page-readers.ts';

/** Bytes; parsing this much takes about 3 ms, above it the way to the worker is worth it. */
const WORKER_FROM_BYTES = 256 * 1024;

/** Bytes; a page of 1,000 instances with 50 tags each stays below. A larger answer is not EC2's. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

export type FleetAnswers = {
  run(client: EC2Client, input: RunInstancesCommandInput, signal: AbortSignal): Promise<Pages['instances']>;
  describe(
    client: EC2Client,
    input: DescribeInstancesCommandInput,
    signal: AbortSignal,
  ): Promise<Pages['instances']>;
  describeRequests(
    client: EC2Client,
    input: DescribeSpotInstanceRequestsCommandInput,
    signal: AbortSignal,
  ): Promise<Pages['spotRequests']>;
  close(): void;
};

type AnyPage = Pages[ReaderName];

/**
 * MiB of the parser's heap: the largest body as text and its instances take some 40; without a bound V8 lets it grow to
 * hundreds.
 */
const resourceLimits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 4 };

/**
 * Time without a body after which the parser thread ends: longer than the way to the next page of a listing, short
 * beside the minute between two sweeps. Its heap and what it left free around it, some 25 MB, go back to the system.
 */
const WORKER_RESTS_MS: DurationMs = 5_000;

/** One body for the worker. */
export type WorkerTask = { id: number; reader: ReaderName; body: Uint8Array };

/** The reply of the worker to one body. */
export type WorkerReply = { id: number; page: AnyPage } | { id: number; error: string };

/** What this file needs of the SDK's response; the SDK's own type is not part of its public packages. */
type RawResponse = { statusCode: number; body: unknown };

/** The little of the SDK's middleware stack that is used. */
type RawStack = {
  add(
    middleware: (next: (args: never) => Promise<{ response: unknown }>) => (args: never) => Promise<never>,
    options: { step: 'deserialize'; name: string; priority: 'low' },
  ): void;
};

export function createFleetAnswers(deps: { log: Log; clock: Clock; workerFromBytes?: number }): FleetAnswers {
  const parser = createParser(deps, deps.workerFromBytes ?? WORKER_FROM_BYTES);
  const read = async <R extends ReaderName>(
    action: string,
    reader: R,
    body: Buffer | null,
  ): Promise<Pages[R]> => {
    if (body === null) throw refusal(action, unreadableAnswer(action, 'without a body'));
    try {
      // The reader that was asked for is the one that answers.
      return (await parser.parse(reader, body)) as Pages[R];
    } catch (error) {
      throw refusal(action, unreadableAnswer(action, `what cannot be read: ${messageOf(error)}`));
    }
  };
  return {
    run: async (client, input, signal) => {
      const { RunInstancesCommand } = await import('@aws-sdk/client-ec2');
      const command = new RunInstancesCommand(input);
      const body = takeBody(command.middlewareStack as unknown as RawStack, signal);
      await client.send(command, { abortSignal: signal });
      return await read('RunInstances', 'instances', body());
    },
    describe: async (client, input, signal) => {
      const { DescribeInstancesCommand } = await import('@aws-sdk/client-ec2');
      const command = new DescribeInstancesCommand(input);
      const body = takeBody(command.middlewareStack as unknown as RawStack, signal);
      await client.send(command, { abortSignal: signal });
      return await read('DescribeInstances', 'instances', body());
    },
    describeRequests: async (client, input, signal) => {
      const { DescribeSpotInstanceRequestsCommand } = await import('@aws-sdk/client-ec2');
      const command = new DescribeSpotInstanceRequestsCommand(input);
      const body = takeBody(command.middlewareStack as unknown as RawStack, signal);
      await client.send(command, { abortSignal: signal });
      return await read('DescribeSpotInstanceRequests', 'spotRequests', body());
    },
    close: parser.close,
  };
}

/** Takes the body of a 2xx answer away before the SDK parses it; the returned function hands it out. */
function takeBody(stack: RawStack, signal: AbortSignal): () => Buffer | null {
  let taken: Buffer | null = null;
  stack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as RawResponse;
      if (response.statusCode >= 200 && response.statusCode < 300) {
        taken = await collect(response.body, signal);
        response.body = new Uint8Array(0);
      }
      return result as never;
    },
    { step: 'deserialize', name: 'hostlerTakeBody', priority: 'low' },
  );
  return () => taken;
}

/** Reads a body to its end. The abort signal of the SDK does not reach this far, so it is looked at here. */
async function collect(body: unknown, signal: AbortSignal): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const stream = body as AsyncIterable<Uint8Array> & { destroy(error?: Error): void };
  const stop = (): void =>
    stream.destroy(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    for await (const chunk of stream) {
      size += chunk.byteLength;
      if (size > MAX_BODY_BYTES) throw new Error(`the answer is larger than ${MAX_BODY_BYTES} bytes`);
      chunks.push(chunk);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return Buffer.concat(chunks);
}

/** Parses here when small, in one worker that starts at a large body and ends when no other comes. One that dies is replaced. */
function createParser({ log, clock }: { log: Log; clock: Clock }, workerFromBytes: number) {
  type Waiting = { resolve(page: AnyPage): void; reject(error: Error): void };
  const waiting = new Map<number, Waiting>();
  let worker: Worker | null = null;
  let lastId = 0;
  let rest = new AbortController();

  const endWorker = (): void => {
    const ending = worker;
    worker = null;
    void ending?.terminate();
  };

  const endAfterRest = async (signal: AbortSignal): Promise<void> => {
    await clock.sleep(WORKER_RESTS_MS, signal);
    if (!signal.aborted) endWorker();
  };

  const failAll = (error: Error): void => {
    worker = null;
    for (const entry of waiting.values()) entry.reject(error);
    waiting.clear();
  };

  const start = (): Worker => {
    const started = new Worker(new URL('./page-worker.ts', import.meta.url), { resourceLimits });
    started.on('message', (reply: WorkerReply) => {
      const entry = waiting.get(reply.id);
      waiting.delete(reply.id);
      if (waiting.size === 0) {
        started.unref();
        rest = new AbortController();
        void endAfterRest(rest.signal);
      }
      if ('page' in reply) entry?.resolve(reply.page);
      else entry?.reject(new Error(reply.error));
    });
    started.on('error', (error) => {
      log.warn('the parser thread failed; it starts again with the next large answer', {
        error: messageOf(error),
      });
      failAll(error instanceof Error ? error : new Error(messageOf(error)));
    });
    started.on('exit', () => {
      if (worker === started) failAll(new Error('the parser thread ended'));
    });
    return started;
  };

  return {
    parse: async (reader: ReaderName, body: Buffer): Promise<AnyPage> => {
      if (body.byteLength < workerFromBytes) return readers[reader](body.toString('utf8'));
      rest.abort();
      worker ??= start();
      lastId += 1;
      const id = lastId;
      const page = new Promise<AnyPage>((resolve, reject) => waiting.set(id, { resolve, reject }));
      // Keeps the process while an answer is due, and only then.
      worker.ref();
      // Handed over, not copied: a large buffer never shares its memory with others.
      const isWhole = body.byteLength === body.buffer.byteLength && body.buffer instanceof ArrayBuffer;
      worker.postMessage({ id, reader, body } satisfies WorkerTask, isWhole ? [body.buffer] : []);
      return await page;
    },
    close: (): void => {
      rest.abort();
      endWorker();
      failAll(new Error('closed'));
    },
  };
}
