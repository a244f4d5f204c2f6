// What is known of webhooks: which addresses take them, why others do not, what came lately.
// The doors open and report; `hostler queue` tells. Must hold no secret.
import { type EpochMs, SECOND_MS } from '../domain/units.ts';

type Known = {
  /** Where it listens, as a URL; null while it does not. */
  url: string | null;
  /** Why it does not. */
  trouble: string | null;
  takenAt: EpochMs | null;
  refused: number;
  /** Why the last one was refused. */
  why: string;
};

export type WebhookBook = {
  opened(listen: string, url: string): void;
  failed(listen: string, why: string): void;
  closed(listen: string): void;
  taken(listen: string, at: EpochMs): void;
  refused(listen: string, why: string): void;
  /** In words; null for an address that nobody asked for. */
  describe(listen: string | null, now: EpochMs): string | null;
};

/** A book in which nothing is open. */
export function createWebhookBook(): WebhookBook {
  const book = new Map<string, Known>();
  const of = (listen: string): Known => {
    const known = book.get(listen) ?? { url: null, trouble: null, takenAt: null, refused: 0, why: '' };
    book.set(listen, known);
    return known;
  };
  return {
    opened: (listen, url) => void Object.assign(of(listen), { url, trouble: null }),
    failed: (listen, why) => void Object.assign(of(listen), { url: null, trouble: why }),
    closed: (listen) => void book.delete(listen),
    taken: (listen, at) => void Object.assign(of(listen), { takenAt: at }),
    refused(listen, why) {
      const known = of(listen);
      known.refused += 1;
      known.why = why;
    },
    describe(listen, now) {
      if (listen === null) return null;
      const known = book.get(listen);
      if (known === undefined || (known.url === null && known.trouble === null))
        return `not taken at ${listen} yet`;
      if (known.url === null) return `not taken: ${known.trouble ?? ''}`;
      const { url, takenAt, refused, why } = known;
      const last =
        takenAt === null
          ? 'none came yet'
          : `the last came ${Math.max(0, Math.round((now - takenAt) / SECOND_MS))} s ago`;
      const bad = refused === 0 ? '' : `; ${refused} refused, the last because ${why}`;
      return `taken at ${url}, ${last}${bad}: a job is seen within 2 s of it`;
    },
  };
}
