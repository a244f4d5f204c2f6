// One daemon at a time for keys in SSM: with them goes the manager's identity, and two daemons of one identity would each
// take what the other launched. The holder notes itself beside the keys and renews the note; whoever finds a note that
// is still renewed leaves. A daemon whose note somebody took over must stop.
// Trap: clocks of two machines differ, so a note is judged by whether it changes while it is watched, never by its time.
import { z } from 'zod';
import { HostlerError, messageOf } from '../../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Processes } from '../../ports/process-mark.ts';
import type { SsmParameters } from './ssm-parameters.ts';

/** Name of the note below the keys' path. */
export const HOLDER = 'holder';

/** Three puts a minute: SSM's standard throughput is 40 calls a second, an orphan is looked at twice a minute apart. */
export const RENEW_EVERY_MS: DurationMs = 20 * SECOND_MS;
/** A note that did not change for this long is nobody's: two renewals may have failed. Below a supervisor's 90 s for a start. */
export const WATCHED_MS: DurationMs = 50 * SECOND_MS;
/** Looks while a note is watched. */
const LOOK_EVERY_MS: DurationMs = 5 * SECOND_MS;

const noteSchema = z.object({
  /** The state folder: a daemon's own note of before is no obstacle. */
  folder: z.string().max(100),
  /** This start of it. */
  run: z.string().max(100),
  host: z.string().max(300),
  process: z.object({ machine: z.string().nullable(), pid: z.int(), started: z.string().nullable() }),
  /** Counts the renewals. */
  beat: z.int(),
  released: z.boolean(),
});
type Note = z.infer<typeof noteSchema>;

type Deps = {
  parameters: SsmParameters;
  clock: Clock;
  log: Log;
  processes: Processes;
  /** Identity of the state folder, and of this start. */
  self: { folder: string; run: string; host: string };
  /** The operator said that the other is gone. */
  takeover: boolean;
};

export type Holder = {
  /** Takes the keys for this daemon. Throws `already-running` when another one still renews its note. */
  take(): Promise<void>;
  /** Renews until the signal aborts, then gives the keys free. Rejects with `already-running` when another took them over. */
  hold(signal: AbortSignal): Promise<void>;
};

function parseNote(text: string | null): Note | null {
  if (text === null) return null;
  try {
    return noteSchema.parse(JSON.parse(text));
  } catch {
    // Not ours to read: it is watched like any other note, and overwritten when nobody renews it.
    return null;
  }
}

/** The holder's note of one daemon. */
export function createHolder({ parameters, clock, log, processes, self, takeover }: Deps): Holder {
  const { place } = parameters;
  let beat = 0;

  const text = (released: boolean) =>
    JSON.stringify({ ...self, process: processes.own(), beat: ++beat, released } satisfies Note);

  function inUse(note: Note | null): HostlerError {
    const who =
      note === null ? 'another hostler' : `another hostler (pid ${note.process.pid} on ${note.host})`;
    return new HostlerError(
      'already-running',
      `${who} uses the keys in ${place}; one daemon at a time may: stop it, or give this one another place in keys`,
      { where: place },
    );
  }

  function isFree(note: Note | null): boolean {
    if (note === null) return false;
    return note.released || note.folder === self.folder || !processes.mayLive(note.process);
  }

  /** Watches a note that may be somebody's. Throws when it is renewed meanwhile. */
  async function watch(first: string): Promise<void> {
    log.warn('the keys are noted as in use; looking whether somebody still renews that', {
      keys: place,
      host: parseNote(first)?.host ?? 'unknown',
      seconds: WATCHED_MS / SECOND_MS,
    });
    for (let watched = 0; watched < WATCHED_MS; watched += LOOK_EVERY_MS) {
      await clock.sleep(LOOK_EVERY_MS);
      const now = await parameters.get(HOLDER);
      if (now !== null && now !== first && !isFree(parseNote(now))) throw inUse(parseNote(now));
    }
  }

  async function take(): Promise<void> {
    const found = await parameters.get(HOLDER);
    if (found === null) {
      // Of several that find none one makes it; the others find that one's.
      if (!(await parameters.create(HOLDER, text(false), 'String'))) await take();
      return;
    }
    if (!takeover && !isFree(parseNote(found))) await watch(found);
    await parameters.overwrite(HOLDER, text(false));
  }

  /** Somebody else's note is that one's to release. */
  async function release(): Promise<void> {
    if (parseNote(await parameters.get(HOLDER))?.run === self.run)
      await parameters.overwrite(HOLDER, text(true));
  }

  return {
    take,

    async hold(signal) {
      while (!signal.aborted) {
        await clock.sleep(RENEW_EVERY_MS, signal);
        if (signal.aborted) break;
        try {
          const note = parseNote(await parameters.get(HOLDER));
          if (note !== null && note.run !== self.run) throw inUse(note);
          await parameters.overwrite(HOLDER, text(false));
        } catch (error) {
          if (error instanceof HostlerError && error.code === 'already-running') throw error;
          log.warn('the note that these keys are in use was not renewed', {
            keys: place,
            error: messageOf(error),
          });
        }
      }
      await release().catch(() => undefined);
    },
  };
}
