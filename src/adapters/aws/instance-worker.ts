// Entry of the parser thread: bodies in, pages of instances out. Imports nothing but the reader, so that it starts in
// some ten milliseconds and stays small.
import { parentPort } from 'node:worker_threads';
import type { WorkerReply } from './instance-answers.ts';
import { readInstancePage } from './read-instances.ts';

parentPort?.on('message', ({ id, body }: { id: number; body: Uint8Array }) => {
  parentPort?.postMessage(answer(id, body), []);
});

function answer(id: number, body: Uint8Array): WorkerReply {
  try {
    return { id, page: readInstancePage(Buffer.from(body).toString('utf8')) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}
