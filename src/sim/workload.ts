// What jobs come when: bursts, a steady stream, a working week, or rows of a recorded queue. A workload is a list of
// arrivals, made before the world begins, so that two policies meet the same jobs.
// Trap: all randomness comes from the seed; the same text and seed give the same list.

/** One job to come. */
export type Arrival = {
  /** Milliseconds after the workload's begin. */
  atMs: number;
  durationMs: number;
  tags: readonly string[];
};
