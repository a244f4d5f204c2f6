// Loaded into the measured daemon (`node --import`): writes its memory and the longest stall of its main thread to the
// file that HOSTLER_PROBE names, twice a second. Must not keep the process alive.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const NANOSECONDS = 1e6;
const RESOLUTION_MS = 5;
const file = process.env['HOSTLER_PROBE'];

if (isMainThread && file !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  setInterval(() => {
    const stall = Math.max(0, delays.max / NANOSECONDS - RESOLUTION_MS);
    delays.reset();
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
    const line = {
      at: Date.now(),
      rss,
      stall,
      cpu: (user + system) / 1000,
      heapUsed,
      heapTotal,
      external,
      arrayBuffers,
    };
    writeFileSync(file, `${JSON.stringify(line)}\n`, { flag: 'a' });
  }, 500).unref();
}
