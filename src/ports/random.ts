// Randomness as a port. Not for secrets: keys come from the keys port.
export interface Random {
  /** 0 ≤ x < 1. */
  float(): number;
  /** `length` characters of lower-case base 32. */
  id(length: number): string;
}
