// One thread of a big run: it takes seeds, or its part of the crash points, one after the other and reports each.
// Trap: a rejection that nobody handles would end the real daemon; here it is a breach of the seed under way.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../domain/error.ts';
import { type CrashOptions, type CrashReport, crashEverywhere } from './crash-everywhere.ts';
import { Crashed } from './daemon/process-life.ts';
import type { FaultName } from './faults/fault-names.ts';
import { runSeed, type SeedReport } from './run-seed.ts';

export type WorkerOrder =
  | { kind: 'seeds'; faults: readonly FaultName[]; hours: number | null }
  | { kind: 'crashes'; options: CrashOptions };

export type WorkerReport =
  | { kind: 'ready' }
  | { kind: 'seed'; report: SeedReport; unhandled: readonly string[] }
  | { kind: 'crashes'; report: CrashReport; unhandled: readonly string[] };

const port = parentPort;
const order = workerData as WorkerOrder;
const unhandled: string[] = [];

process.on('unhandledRejection', (error) => {
  if (!(error instanceof Crashed)) unhandled.push(messageOf(error));
});
// Failed connections to booting hosts are made by the thousand; nobody reads their stacks.
Error.stackTraceLimit = 0;

const say = (report: WorkerReport) => port?.postMessage(report);

async function serve(seed: number): Promise<void> {
  if (order.kind !== 'seeds') return;
  const hours = order.hours === null ? {} : { hours: order.hours };
  const report = await runSeed({ seed, faults: order.faults, ...hours });
  say({ kind: 'seed', report, unhandled: unhandled.splice(0) });
  say({ kind: 'ready' });
}

if (order.kind === 'crashes') {
  const report = await crashEverywhere(order.options);
  say({ kind: 'crashes', report, unhandled: unhandled.splice(0) });
} else {
  port?.on('message', (seed: number | null) => {
    if (seed === null) port.close();
    else void serve(seed);
  });
  say({ kind: 'ready' });
}
