// What the runner tells of itself on its own metrics address: only counts, no identities.

export interface RunnerFigures {
  /** Jobs the runner counts as its own now, by runner label (short token). Throws when it does not answer. */
  jobs(url: string, signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
}
