// Names for plain numbers, so that a signature says what it takes. All times in hostler are in milliseconds.

/** A point in time: milliseconds since 1970-01-01 UTC, from the clock port. */
export type EpochMs = number;

/** A length of time in milliseconds. */
export type DurationMs = number;

export const SECOND_MS: DurationMs = 1_000;
export const MINUTE_MS: DurationMs = 60_000;
export const HOUR_MS: DurationMs = 3_600_000;
