// Reads a Dockerfile as far as the tests of this folder ask: instructions, stages, what is copied from the build context.
// It knows no heredocs and no line-continuation character but the backslash: neither Dockerfile here uses them.
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';

export type Instruction = { name: string; rest: string };
export type Stage = { image: string; name: string | null; instructions: Instruction[] };
export type Copy = { source: string; target: string };

/** The stages of a Dockerfile in their order; ARG lines before the first are dropped. */
export function readStages(file: string): Stage[] {
  const lines = readFileSync(file, 'utf8')
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const stages: Stage[] = [];
  for (const line of lines) {
    const [name = '', ...words] = line.split(/\s+/);
    const rest = words.join(' ');
    if (name === 'FROM') {
      const [image = '', , alias = null] = words;
      stages.push({ image, name: alias, instructions: [] });
    } else {
      stages.at(-1)?.instructions.push({ name, rest });
    }
  }
  return stages;
}

/** What a stage copies from the build context, with absolute targets: WORKDIR counts, a target ending in `/` is a folder. */
export function contextCopies(stage: Stage): Copy[] {
  let folder = '/';
  return stage.instructions.flatMap(({ name, rest }) => {
    if (name === 'WORKDIR') folder = rest;
    if (name !== 'COPY' || rest.startsWith('--from=')) return [];
    const words = rest.split(' ');
    const target = words.pop() ?? '';
    const place = posix.join(folder, target);
    return words.map((source) => ({
      source,
      target: target.endsWith('/') ? posix.join(place, posix.basename(source)) : place,
    }));
  });
}

/** The last value of an instruction in a stage. */
export function lastOf(stage: Stage, instruction: string): string | null {
  return stage.instructions.findLast(({ name }) => name === instruction)?.rest ?? null;
}

/** The variables that a stage sets. */
export function environmentOf(stage: Stage): Record<string, string> {
  const pairs = stage.instructions
    .filter(({ name }) => name === 'ENV')
    .flatMap(({ rest }) => rest.split(' '))
    .map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return Object.fromEntries(pairs);
}
