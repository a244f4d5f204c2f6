// Entry of the parser thread: bodies in, pages out. Imports nothing but the readers, so that it starts in some ten
// milliseconds and stays small.
import { parentPort } from 'node:worker_threads';
import type { WorkerReply, WorkerTask } from './fleet-answers.ts';
import { readers } from './page-readers.ts';

parentPort?.on('message', (task: WorkerTask) => {
  parentPort?.postMessage(answer(task), []);
});

function answer({ id, reader, body }: WorkerTask): WorkerReply {
  try {
    return {
      id,
      page: readers[reader](Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')),
    };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}
