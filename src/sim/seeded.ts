// Seeded randomness: the same seed makes the same world, so that a failing run can be played again.
// Not for secrets. Trap: one more draw anywhere shifts all later ones; draw only where the world needs it.

export type Seeded = {
  /** 0 ≤ x < 1. */
  float(): number;
  /** `length` lower-case hex digits. */
  hex(length: number): string;
};

/** A 32-bit generator of the xorshift family with a multiplied output; plenty for a world of thousands of machines. */
export function createSeeded(seed: number): Seeded {
  // Zero is the one state that such a generator never leaves.
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.imul(state, 0x2545f491) >>> 0;
  };
  // Seeds that differ by one begin alike; a few rounds part them.
  for (let round = 0; round < 8; round += 1) next();
  return {
    float: () => next() / 2 ** 32,
    hex(length) {
      let text = '';
      while (text.length < length) text += next().toString(16).padStart(8, '0');
      return text.slice(0, length);
    },
  };
}

/** A number that depends on the text alone: ids and prices of things that were there before the world began. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}

/** `length` hex digits that depend on the text alone. */
export function hexOf(text: string, length: number): string {
  let hex = '';
  for (let round = 0; hex.length < length; round += 1) {
    hex += createSeeded(hashOf(`${round}/${text}`)).hex(8);
  }
  return hex.slice(0, length);
}
