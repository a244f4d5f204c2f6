// Randomness behind the random port, from the system's entropy. Not for secrets: those come from the keys port.
import { getRandomValues } from 'node:crypto';
import type { Random } from '../../ports/random.ts';

/** RFC 4648 in lower case: 32 letters, so that five bits of a byte choose one without bias. */
const letters = 'abcdefghijklmnopqrstuvwxyz234567';

/** Ids of 10 letters hold 50 bits: among 100,000 machines two are equal with a chance of 1 in 200,000. */
export function createRandom(): Random {
  return {
    float: () => {
      const [high = 0, low = 0] = getRandomValues(new Uint32Array(2));
      return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
    },
    id: (length) =>
      Array.from(getRandomValues(new Uint8Array(length)), (byte) => letters[byte & 31]).join(''),
  };
}
