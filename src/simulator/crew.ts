// A big run on several threads: seeds are handed out one by one, crash points in equal parts. Sums up what came of them.
import { Worker } from 'node:worker_threads';
import type { CrashOptions, CrashReport } from './crash-everywhere.ts';
import type { FaultName } from './faults/fault-names.ts';
import type { SeedReport } from './run-seed.ts';
import type { WorkerOrder, WorkerReport } from './worker.ts';

const WORKER = new URL('./worker.ts', import.meta.url);

/** A report with what nobody handled in its run. */
export type Reported<T> = T & { unhandled: readonly string[] };

/** One worker with what it says, until it ends. Rejects when it breaks. */
function employ(order: WorkerOrder, heard: (report: WorkerReport, worker: Worker) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, { workerData: order });
    worker.on('message', (report: WorkerReport) => heard(report, worker));
    worker.on('error', reject);
    worker.on('exit', () => resolve());
  });
}

/** Runs these seeds on so many threads; `told` hears each report as it comes. */
export async function runSeeds(
  order: { seeds: readonly number[]; faults: readonly FaultName[]; hours: number | null; threads: number },
  told: (report: Reported<SeedReport>) => void,
): Promise<void> {
  const left = [...order.seeds];
  const { faults, hours } = order;
  const crew = Array.from({ length: Math.min(order.threads, left.length) }, () =>
    employ({ kind: 'seeds', faults, hours }, (said, worker) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      if (said.kind === 'ready') worker.postMessage(left.shift() ?? null);
      else if (said.kind === 'seed') told({ ...said.report, unhandled: said.unhandled });
    }),
  );
  await Promise.all(crew);
}

/** Crashes one story everywhere, each thread its part of the points. */
export async function crashOnThreads(options: CrashOptions, threads: number): Promise<Reported<CrashReport>> {
  const reports: Reported<CrashReport>[] = [];
  await Promise.all(
    Array.from({ length: threads }, (_, index) =>
      employ({ kind: 'crashes', options: { ...options, part: { index, of: threads } } }, (said) => {
        if (said.kind === 'crashes') reports.push({ ...said.report, unhandled: said.unhandled });
      }),
    ),
  );
  const kinds: Record<string, number> = {};
  for (const report of reports)
    for (const [kind, count] of Object.entries(report.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count;
  return {
    points: reports.reduce((sum, { points }) => sum + points, 0),
    all: Math.max(0, ...reports.map(({ all }) => all)),
    breaches: reports.flatMap(({ breaches }) => breaches),
    kinds,
    unhandled: reports.flatMap(({ unhandled }) => unhandled),
  };
}
