// The log port on pino: JSON lines, or readable ones on a terminal. Time comes from the clock port.
// Fields pass redact.ts first, so no caller can write a secret by a field's name.
// Trap: writing is synchronous on purpose; the last lines before a crash are the ones that matter.
import pino from 'pino';
import pretty from 'pino-pretty';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { redactFields, redactText } from './redact.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export type LogOptions = {
  level: LogLevel;
  /** Readable lines instead of JSON: for a terminal. */
  pretty: boolean;
  clock: Clock;
  /** Where lines go; stdout when left out. */
  destination?: { write(line: string): void };
};

function wrap(logger: pino.Logger): Log {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      if (logger.isLevelEnabled(level)) logger[level](redactFields(fields), redactText(message));
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(logger.child(redactFields(fields))),
  };
}

/** A log whose lines hold `time` (ISO 8601), `level` (word), the fields and `msg`. */
export function createLog(options: LogOptions): Log {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: null,
    timestamp: () => `,"time":"${new Date(options.clock.now()).toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  };
  const plain = options.destination ?? pino.destination({ fd: 1, sync: true });
  if (!options.pretty) return wrap(pino(settings, plain));
  const readable = pretty.prettyFactory({
    colorize: options.destination === undefined,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  });
  const lines = {
    write: (line: string) => {
      plain.write(readable(line) ?? line);
    },
  };
  return wrap(pino(settings, lines));
}
