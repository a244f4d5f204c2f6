// Checks for what only a bug can break. They throw plain errors: nothing may catch them and go on.

/** Throws when a rule of the code itself is broken. */
export function invariant(condition: unknown, rule: string): asserts condition {
  if (!condition) throw new Error(`broken rule: ${rule}`);
}

/** Closes a switch over a union: the compiler complains when a member is missing. */
export function unreachable(value: never): never {
  throw new Error(`not reachable: ${JSON.stringify(value)}`);
}
