// The model of a working week: how many pipelines come at which hour, and the batch of the night. Figures are a model in
// the shape of office hours (UTC), not a measurement; they are documented so that results can be judged.

/** Share of the busiest hour, by hour of a working day: a rise from seven, a dip at noon, an end at seven. */
const workday: readonly number[] = [
  0.02, 0.02, 0.02, 0.02, 0.02, 0.03, 0.06, 0.18, 0.45, 0.85, 1, 0.95, 0.5, 0.75, 1, 0.95, 0.85, 0.6, 0.3,
  0.15, 0.08, 0.05, 0.03, 0.02,
];
/** Saturday and Sunday: somebody always works. */
const weekend = { day: 0.04, night: 0.01 };

const HOUR_MS = 3_600_000;

/** Share of the busiest hour at that moment, interpolated between the hours. */
function share(at: number): number {
  const day = new Date(at).getUTCDay();
  const hours = (at % (24 * HOUR_MS)) / HOUR_MS;
  const hour = Math.floor(hours);
  if (day === 0 || day === 6) return hour >= 9 && hour < 20 ? weekend.day : weekend.night;
  const from = workday[hour] ?? 0;
  const to = workday[(hour + 1) % 24] ?? 0;
  return from + (to - from) * (hours - hour);
}

export const weekAt = {
  share,
  /** Jobs in the busiest hour unless said otherwise. */
  peakPerHour: 240,
  /** Mean of a geometric distribution. */
  jobsPerPipeline: 5,
  /** Jobs of one pipeline come within this time. */
  pipelineSpreadMs: 4_000,
  /** Every night at two, also at weekends. */
  nightlyAtMs: 2 * HOUR_MS,
  /** Jobs of the batch, as a share of the busiest hour's. */
  nightlyShare: 0.5,
  nightlySpreadMs: 60_000,
  /** Their median, in medians of the day. */
  nightlyLonger: 3,
} as const;
