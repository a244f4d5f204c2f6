// The table of `simulate` and `advise`: one row a policy and setting. It only prints figures.
import type { PolicyFigures } from '../../simulator/report/figures.ts';
import type { Settings } from '../../simulator/report/settings.ts';
import type { Paint } from './paint.ts';
import { drawTable } from './text-table.ts';

export type Row = { policy: string; settings: Settings; figures: PolicyFigures; isChosen: boolean };

/** `IdleCount=10 limit=250`; empty when nothing is set. */
export function describeSettings(settings: Settings): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

/** Keys that differ between the rows; the others would only widen the table. */
function changing(rows: readonly Row[]): Set<string> {
  const names = new Set(rows.flatMap(({ settings }) => Object.keys(settings)));
  return new Set([...names].filter((key) => new Set(rows.map(({ settings }) => settings[key])).size > 1));
}

const share = (of: number | undefined): string => (of === undefined ? '' : `${(of * 100).toFixed(1)} %`);

/** Lines of the table. */
export function createTable(rows: readonly Row[], paint: Paint): string[] {
  const keys = changing(rows);
  const looksAhead = rows.some(({ figures }) => figures.lookahead_hits !== undefined);
  const seconds = (value: number) => value.toFixed(1);
  return drawTable(
    rows,
    [
      { title: 'POLICY', of: ({ policy }) => policy },
      ...(keys.size === 0
        ? []
        : [
            {
              title: 'SETTING',
              of: ({ settings, isChosen }: Row) =>
                `${describeSettings(Object.fromEntries(Object.entries(settings).filter(([key]) => keys.has(key))))}${isChosen ? ' *' : ''}`,
            },
          ]),
      { title: 'WAIT P50', of: ({ figures }) => `${seconds(figures.wait_s.p50)} s` },
      { title: 'P95', of: ({ figures }) => `${seconds(figures.wait_s.p95)} s` },
      { title: 'P99', of: ({ figures }) => `${seconds(figures.wait_s.p99)} s` },
      { title: 'MAX', of: ({ figures }) => `${seconds(figures.wait_s.max)} s` },
      { title: 'BUSY H', of: ({ figures }) => Number(figures.machine_hours.busy.toFixed(1)) },
      { title: 'IDLE H', of: ({ figures }) => Number(figures.machine_hours.idle.toFixed(1)) },
      { title: 'COST $', of: ({ figures }) => Number(figures.cost_usd.toFixed(2)) },
      { title: 'EC2 CALLS', of: ({ figures }) => figures.ec2_calls },
      { title: 'MACHINES', of: ({ figures }) => figures.machines },
      { title: 'JOBS', of: ({ figures }) => figures.jobs },
      { title: 'NO HOST', of: ({ figures }) => figures.jobs_unserved },
      { title: 'TAKEN BACK', of: ({ figures }) => figures.interruptions },
      ...(looksAhead
        ? [{ title: 'FORETOLD CAME', of: ({ figures }: Row) => share(figures.lookahead_hits) }]
        : []),
    ],
    paint,
  );
}
