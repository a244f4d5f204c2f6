// Things that may be wrong for a while: counted in good minutes, those in which the daemon could have set them right.

export type Patience = {
  /** Counts one more minute for all of these; answers with those that were wrong for longer than `minutes` good ones. */
  look(wrong: { kind: string; keys: readonly string[]; minutes: number }, isGood: boolean): string[];
};

/** Nothing is wrong yet. */
export function createPatience(): Patience {
  const wrongFor = new Map<string, number>();
  return {
    look({ kind, keys, minutes }, isGood) {
      const now = new Set(keys.map((key) => `${kind} ${key}`));
      for (const key of wrongFor.keys())
        if (key.startsWith(`${kind} `) && !now.has(key)) wrongFor.delete(key);
      for (const key of now) wrongFor.set(key, (wrongFor.get(key) ?? 0) + Number(isGood));
      return keys.filter((key) => (wrongFor.get(`${kind} ${key}`) ?? 0) > minutes);
    },
  };
}
