// Zone names of periods. The runner stops on a name it does not know, so a wrong one is an error with the nearest name.
// Trap: the runner's lookup is by file name: letter case counts, and offsets such as +09:00 are no names.
import { nearest } from './nearest.ts';

const known: readonly string[] = [...Intl.supportedValuesOf('timeZone'), 'UTC'];

/** The three-letter names of the zone database; other ones (JST, PST) exist in calendars of this runtime only. */
const letters = new Set('CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET'.split(' '));

/** The zone's canonical name, or null when there is none. */
function canonical(name: string): string | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

function isZone(name: string): boolean {
  return /^[A-Za-z]/.test(name) && canonical(name) !== null && (name.length !== 3 || letters.has(name));
}

/** The nearest zone by its whole name, else by the city alone. */
function nearestZone(name: string): string | null {
  const city = name.split('/').at(-1) ?? '';
  const whole = nearest(name, known);
  if (whole !== null) return whole;
  const found = nearest(
    city,
    known.map((zone) => zone.split('/').at(-1) ?? ''),
  );
  return found === null ? null : (known.find((zone) => zone.endsWith(`/${found}`)) ?? null);
}

/** The zone to reckon with; `""` and `Local` are this machine's own. */
export function readZone(name: string, local: string): { zone: string } | { wrong: string } {
  if (name === '' || name === 'Local') return { zone: local };
  const twin = known.find((zone) => zone.toLowerCase() === name.toLowerCase());
  if (isZone(name) && (twin === undefined || twin === name)) return { zone: name };
  const near = twin ?? (/^[A-Z]{3}$/.test(name) ? canonical(name) : null) ?? nearestZone(name);
  const clue = near === null ? 'use an IANA name such as Asia/Tokyo' : `did you mean ${near}?`;
  return { wrong: `unknown time zone "${name.slice(0, 60)}", on which the runner stops; ${clue}` };
}
