// The nearest known spelling of a misspelt word, for the hint behind an error.

/** More than two slips are another word; short words allow one, or every three letters would look alike. */
function allowed(word: string): number {
  return word.length <= 4 ? 1 : Math.max(2, Math.floor(word.length / 5));
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const best = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + cost,
        swap ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
      row.push(best);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}

/** Case, dashes and underscores apart: the slips people make most. */
function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ ]/g, '');
}

/** The candidate nearest to `word`, or null when none is near. Ties go to the first. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const asked = plain(word).slice(0, 100);
  let best: string | null = null;
  let least = allowed(asked) + 1;
  for (const candidate of candidates) {
    const slips = distance(asked, plain(candidate));
    if (slips < least) [best, least] = [candidate, slips];
  }
  return best;
}

/** ` (did you mean NAME?)`, or nothing. */
export function hint(word: string, candidates: readonly string[]): string {
  const found = nearest(word, candidates);
  return found === null ? '' : `; did you mean ${found}?`;
}
