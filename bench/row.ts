// One line of the benchmark table, and the few numbers that all benchmarks take from their samples.
// Budgets are those of docs/bench.md. Where it can be, a budget is a ratio of two things measured in one run, because the
// machine may be small and noisy.

export type Row = {
  name: string;
  /** null: it never came to an end, or this machine cannot measure it; `ok` is false then. */
  figure: number | null;
  unit: string;
  /** With its sense: `<= 5`, `>= 1000`, or `-` for a figure that only informs. */
  budget: string;
  ok: boolean;
};

const rounded = (figure: number): number | null =>
  Number.isFinite(figure) ? Number(figure.toPrecision(3)) : null;

/** A row that must not exceed its budget. */
export function atMost(name: string, figure: number, unit: string, budget: number): Row {
  return { name, figure: rounded(figure), unit, budget: `<= ${budget}`, ok: figure <= budget };
}

/** A row that must reach its budget. */
export function atLeast(name: string, figure: number, unit: string, budget: number): Row {
  return { name, figure: rounded(figure), unit, budget: `>= ${budget}`, ok: figure >= budget };
}

/** A figure without a budget. */
export function informs(name: string, figure: number, unit: string): Row {
  return { name, figure: rounded(figure), unit, budget: '-', ok: true };
}

/** A figure that this machine cannot give; `name` ends with why. */
export function unmeasured(name: string, why: string, unit: string, budget: string): Row {
  return { name: `${name}: not measured, ${why}`, figure: null, unit, budget, ok: false };
}

/** Whether the row says that it could not be measured here: neither ok nor over. */
export function isUnmeasured({ name }: Row): boolean {
  return name.includes(': not measured, ');
}

/** The sample below which `share` of the others lie; NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** The middle sample. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}
