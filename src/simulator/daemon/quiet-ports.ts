// Log and metrics of a simulated process: nobody reads them but the run, which looks at errors and counts what it needs.
import type { Log, LogFields } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';

/** What a process said above debug. */
export type Said = (level: 'info' | 'warn' | 'error', message: string, fields: LogFields) => void;

/** A log that goes to `said`. */
export function createSimLog(said: Said): Log {
  const log: Log = {
    debug: () => undefined,
    info: (message, fields = {}) => said('info', message, fields),
    warn: (message, fields = {}) => said('warn', message, fields),
    error: (message, fields = {}) => said('error', message, fields),
    child: () => log,
  };
  return log;
}

/** Metrics that nobody scrapes; `on` replaces some. */
export function createSimMetrics(on: Partial<Metrics> = {}): Metrics {
  const nothing = () => undefined;
  return new Proxy(on, {
    get: (given, name) => (given as Record<string | symbol, unknown>)[name] ?? nothing,
  }) as Metrics;
}
