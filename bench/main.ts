// `npm run bench`: measures what docs/bench.md promises and prints it beside its budgets; `--json` gives a list instead.
// All load stays on loopback. Exit code 1 when a budget is missed.
import { parseArgs } from 'node:util';
import { messageOf } from '../src/domain/error.ts';
import { burst } from './burst.ts';
import { burstDoors } from './burst-doors.ts';
import { coldCreates } from './cold-creates.ts';
import { doorCalls } from './door-calls.ts';
import { leases } from './leases.ts';
import { planner } from './planner.ts';
import { provisioning } from './provisioning.ts';
import { isUnmeasured, type Row } from './row.ts';
import { tenThousand } from './ten-thousand.ts';
import { week } from './week.ts';

const groups: Readonly<Record<string, () => readonly Row[] | Promise<readonly Row[]>>> = {
  burst,
  doors: burstDoors,
  provisioning,
  planner,
  door: doorCalls,
  cold: coldCreates,
  socket: leases,
  crowd: tenThousand,
  week,
};

function verdict(row: Row): string {
  if (row.ok) return 'ok';
  return isUnmeasured(row) ? 'NOT MEASURED' : 'OVER';
}

function table(rows: readonly Row[]): string {
  const lines = [
    ['BENCHMARK', 'FIGURE', 'UNIT', 'BUDGET', ''],
    ...rows.map((row) => [row.name, String(row.figure ?? '-'), row.unit, row.budget, verdict(row)]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });
const unknown = positionals.filter((name) => !Object.hasOwn(groups, name));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(groups).join(', ')}`);
  process.exit(64);
}
const rows: Row[] = [];
let failed = false;
for (const [name, measure] of Object.entries(groups)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.error(`measuring: ${name}`);
  try {
    rows.push(...(await measure()));
  } catch (error) {
    failed = true;
    console.error(`bench: ${name}: ${messageOf(error)}`);
  }
}
console.log(values.json === true ? JSON.stringify(rows, null, 2) : table(rows));
process.exit(!failed && rows.every((row) => row.ok || isUnmeasured(row)) ? 0 : 1);
