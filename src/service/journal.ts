// One call for all that must be known when something happens: the stored event (the history behind `explain`), the log
// line and the counter. Trap: only state changes belong here, never states; a quiet pool writes nothing.
import type { Event } from '../domain/plan.ts';
import { type ReasonCode, reasonTexts } from '../domain/reason.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';

export type Entry = {
  code: ReasonCode;
  pool?: string | null;
  machine?: string | null;
  lease?: string | null;
  /** Replaces the code's own text. */
  text?: string;
  detail?: Event['detail'];
  level?: 'debug' | 'info' | 'warn' | 'error';
};

export type Journal = (entry: Entry) => void;

/** The journal of one daemon. */
export function createJournal(deps: { store: Store; log: Log; metrics: Metrics; clock: Clock }): Journal {
  return ({
    code,
    pool = null,
    machine = null,
    lease = null,
    text = reasonTexts[code],
    detail = {},
    level = 'info',
  }) => {
    deps.store.addEvent({ at: deps.clock.now(), code, pool, machine, lease, text, detail });
    deps.metrics.event(code);
    const named = Object.entries({ pool, machine, lease }).filter(([, value]) => value !== null);
    deps.log[level](text, { code, ...Object.fromEntries(named), ...detail });
  };
}
