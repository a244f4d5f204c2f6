// The workloads of a report: the world's own, with one usual length of its own for bursts.
// Trap: a job of a burst that is short lets machines serve two of them, and the run then tells of job lengths, not of how soon
// hosts come.
import { type Arrival, makeWorkload as makeOf, type WorkloadFrame } from '../../sim/workload.ts';

export { readTrace } from '../../sim/workload-trace.ts';

/** Each job of a burst, unless it says otherwise: longer than any policy needs to bring all hosts. */
const BURST_JOBS = ',15m,sigma=0';

/** As `sim/workload.ts`, a burst without lengths having jobs of 15 minutes. Throws a RangeError with one line. */
export function makeWorkload(text: string, frame: WorkloadFrame): readonly Arrival[] {
  const parts = text.split('+').map((part) => {
    const [head = '', ...options] = part.trim().split(',');
    const isBare = head.startsWith('burst') && options.every((option) => option.trim().startsWith('tags='));
    return isBare ? `${part.trim()}${BURST_JOBS}` : part;
  });
  return makeOf(parts.join('+'), frame);
}
