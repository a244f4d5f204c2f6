// `npm run sim:mutants`: puts each listed bug into a copy of the code and asks its checker. Prints a line a mutant and a sum;
// `--json` prints the sum alone. Exit code 1 when one was not caught, or when a checker fails without any bug.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createClock } from '../../adapters/system/clock.ts';
import { messageOf } from '../../domain/error.ts';
import { SECOND_MS } from '../../domain/units.ts';
import { type Mutant, mutants } from './mutants.ts';
import { copyProject, failingCheckers, tryMutant, type Verdict } from './try-mutant.ts';

const root = join(import.meta.dirname, '../../..');
const clock = createClock();

type Tried = { rule: string; part: Mutant['part']; file: string; verdict: Verdict; wall_s: number };

const since = (begun: number): number => Number(((clock.monotonic() - begun) / SECOND_MS).toFixed(1));

/** Each thread has a copy of its own and takes the next mutant. */
async function tryAll(
  wanted: readonly Mutant[],
  threads: number,
  told: (tried: Tried) => void,
): Promise<Tried[]> {
  const left = [...wanted];
  const done: Tried[] = [];
  const work = async () => {
    const copy = await copyProject(root);
    try {
      for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
        const begun = clock.monotonic();
        const { rule, part, file } = mutant;
        const verdict = await tryMutant(copy, mutant);
        const tried = { rule, part, file, verdict, wall_s: since(begun) };
        done.push(tried);
        told(tried);
      }
    } finally {
      await copy.remove();
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return done;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      threads: { type: 'string', default: '2' },
      only: { type: 'string', default: '' },
    },
  });
  const print = (text: string) => (values.json ? process.stderr : process.stdout).write(`${text}\n`);
  const begun = clock.monotonic();
  const wanted = mutants.filter(({ rule, part, file }) => `${part} ${file} ${rule}`.includes(values.only));
  const sound = await copyProject(root);
  const failing = await failingCheckers(sound, wanted);
  await sound.remove();
  if (failing.length > 0) print(`checkers that fail without any mutant: ${failing.join(', ')}`);
  const tried =
    failing.length > 0
      ? []
      : await tryAll(wanted, Math.max(1, Number(values.threads) || 1), ({ verdict, part, rule, wall_s }) =>
          print(`${verdict.padEnd(8)} ${part.padEnd(8)} ${rule} (${wall_s} s)`),
        );
  const caught = tried.filter(({ verdict }) => verdict === 'caught' || verdict === 'hung').length;
  const sum = { mutants: wanted.length, caught, failing_checkers: failing, wall_s: since(begun), tried };
  if (values.json) process.stdout.write(`${JSON.stringify(sum)}\n`);
  else print(`${caught} of ${wanted.length} mutants caught in ${sum.wall_s} s`);
  return caught === wanted.length && wanted.length > 0;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`sim:mutants: ${messageOf(error)}\n`);
  process.exitCode = 70;
}
