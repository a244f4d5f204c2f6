// What the last listing showed, so that the next one keeps what has not changed: ten thousand instances that are read anew
// each minute and live on for a minute would fill the old part of the heap twice over.
// Must not answer for EC2: it only decides which of two equal objects stays.
import type { Instance } from '../../domain/instance.ts';

export type KnownInstances = {
  /** The one that is known already when it says the same, else the fresh one. */
  same(fresh: Instance): Instance;
  /** A whole listing: what it does not hold is forgotten. */
  keep(listed: readonly Instance[]): void;
};

type Fields = Readonly<Record<string, unknown>>;

function isEqual(one: Fields, other: Fields): boolean {
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => one[key] === other[key] || (key === 'tags' && isEqualTags(one[key], other[key])))
  );
}

function isEqualTags(one: unknown, other: unknown): boolean {
  return isEqual(one as Fields, other as Fields);
}

/** Nothing known yet. */
export function createKnownInstances(): KnownInstances {
  let known = new Map<string, Instance>();
  return {
    same(fresh) {
      const before = known.get(fresh.id);
      return before !== undefined && isEqual(before, fresh) ? before : fresh;
    },
    keep(listed) {
      known = new Map(listed.map((instance) => [instance.id, instance]));
    },
  };
}

/** What is known of each site (its key) and owner. */
export function createListingBook(): (site: string, owner: string) => KnownInstances {
  const book = new Map<string, KnownInstances>();
  return (site, owner) => {
    const key = `${site} ${owner}`;
    const known = book.get(key) ?? createKnownInstances();
    book.set(key, known);
    return known;
  };
}
