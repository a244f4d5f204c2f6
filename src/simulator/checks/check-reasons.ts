// "Why?" is stored before anything is done: at each end of an instance of ours the store says why, and each line of the history
// has a reason of the closed set, in words.
import type { Event } from '../../domain/plan.ts';
import { type ReasonCode, reasonTexts } from '../../domain/reason.ts';
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';

/** Why an instance may end that no row of a machine speaks for. */
const ends: ReadonlySet<ReasonCode> = new Set(['orphan', 'foreign-ended', 'cleanup', 'launch-lost']);

export type ReasonCheck = {
  /** These are about to be ended. */
  ended(stage: Stage, ids: readonly string[]): void;
  /** Once a minute: the lines that were written since. */
  written(stage: Stage): void;
};

/** Nothing is read yet. */
export function createReasonCheck(book: BreachBook): ReasonCheck {
  let read = 0;
  return {
    ended({ daemon, world }, ids) {
      const { machines } = daemon.disk.tables;
      const wanted = new Set(ids.filter((id) => world.find(id)?.instance.endingAt === null));
      for (const { instance, ending } of machines.values())
        if (ending !== null && instance !== null) wanted.delete(instance);
      if (wanted.size === 0) return;
      // Who has no row, or lost it, is named in the history; what it says of a machine's life is no reason for its end.
      for (const { code, detail } of daemon.disk.events)
        if (ends.has(code)) wanted.delete(String(detail['instance']));
      for (const id of wanted) book.add('reasons', `${id} is ended, and nothing that is stored says why`);
    },
    written({ daemon }) {
      const { events } = daemon.disk;
      const last = events.at(-1)?.seq ?? 0;
      // A lost database begins to count anew.
      if (last < read) read = 0;
      for (let at = events.length - 1; at >= 0; at -= 1) {
        const { seq, code, text } = events[at] as Event;
        if (seq <= read) break;
        if (!Object.hasOwn(reasonTexts, code) || text.trim() === '')
          book.add('reasons', `line ${seq} of the history has no reason: ${code} ${text}`);
      }
      read = last;
    },
  };
}
