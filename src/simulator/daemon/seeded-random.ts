// The Random port from a seed: the same run draws the same ids.
import type { Random } from '../../ports/random.ts';
import type { Seeded } from '../../sim/seeded.ts';

const letters = 'abcdefghijklmnopqrstuvwxyz234567';

/** Randomness of one process. */
export function createSeededRandom(seeded: Seeded): Random {
  return {
    float: () => seeded.float(),
    id(length) {
      let text = '';
      while (text.length < length) text += letters[Math.floor(seeded.float() * 32)] ?? 'a';
      return text;
    },
  };
}
