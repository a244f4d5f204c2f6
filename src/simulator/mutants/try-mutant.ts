// Tries one mutant in a copy of the project: puts the bug in, runs its checker, takes the bug out again.
// Trap: a checker that fails without the bug would catch everything; `checkersPass` must have been asked before.
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DurationMs, MINUTE_MS } from '../../domain/units.ts';
import type { Mutant } from './mutants.ts';

/** `hung`: its checker did not end, which shows too. */
export type Verdict = 'caught' | 'hung' | 'missed' | 'text not found' | 'text not unique';

/** What a copy needs for its tests; node_modules is a link. */
const PARTS = [
  'src',
  'test',
  'bin',
  'scripts',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  'deploy',
  'docs',
];
/** A checker takes seconds; a bug may make it wait for ever. */
const CHECKER_LIMIT_MS: DurationMs = 3 * MINUTE_MS;
/** Of the story's crash points, evenly spread. */
const CRASH_POINTS = '40';

export type Copy = { folder: string; remove(): Promise<void> };

/** A copy of the project at `root` in a folder of its own. */
export async function copyProject(root: string): Promise<Copy> {
  const folder = await mkdtemp(join(tmpdir(), 'hostler-mutants-'));
  for (const part of PARTS) await cp(join(root, part), join(folder, part), { recursive: true });
  await mkdir(join(folder, '.vitest'), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Ends with the exit code, or null when its time was over. */
function run(folder: string, args: readonly string[]): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: folder,
      stdio: 'ignore',
      env: { ...process.env, CI: '1' },
      timeout: CHECKER_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code));
  });
}

function commandOf(checker: readonly string[]): string[] {
  if (checker.includes('crash'))
    return ['src/simulator/main.ts', '--crash', 'everywhere', '--sample', CRASH_POINTS, '--threads', '1'];
  const vitest = join('node_modules', 'vitest', 'vitest.mjs');
  return [vitest, 'run', '--project', 'unit', '--bail', '1', '--maxWorkers', '1', ...checker];
}

/** Those checkers that fail in the copy as it is: none is what a trial needs. */
export async function failingCheckers(copy: Copy, mutants: readonly Mutant[]): Promise<string[]> {
  const files = [...new Set(mutants.flatMap(({ checker }) => checker))].filter((name) => name !== 'crash');
  const failing: string[] = [];
  if (files.length > 0 && (await run(copy.folder, commandOf(files))) !== 0) failing.push(...files);
  const crashes = mutants.some(({ checker }) => checker.includes('crash'));
  if (crashes && (await run(copy.folder, commandOf(['crash']))) !== 0) failing.push('crash');
  return failing;
}

/** Puts it in, checks, takes it out. */
export async function tryMutant(copy: Copy, mutant: Mutant): Promise<Verdict> {
  const path = join(copy.folder, mutant.file);
  const text = await readFile(path, 'utf8').catch(() => '');
  const count = text.split(mutant.find).length - 1;
  if (count !== 1) return count === 0 ? 'text not found' : 'text not unique';
  await writeFile(
    path,
    text.replace(mutant.find, () => mutant.replace),
  );
  try {
    const code = await run(copy.folder, commandOf(mutant.checker));
    if (code === null) return 'hung';
    return code === 0 ? 'missed' : 'caught';
  } finally {
    await writeFile(path, text);
  }
}
