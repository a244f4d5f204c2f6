// `--plot FILE`: a drawing goes into a file of its own, as a page or as a picture.
import { writeFile } from 'node:fs/promises';
import { HostlerError, messageOf } from '../../domain/error.ts';

/** Throws `usage` for a name that says neither, before anything long has begun. */
export function checkPlot(path: string | undefined): void {
  if (path !== undefined && !/\.(html|svg)$/.test(path))
    throw new HostlerError('usage', `--plot ${path}: a file that ends in .html or .svg`);
}

/** Throws `usage` where it cannot be written. */
export async function writePlot(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new HostlerError('usage', `--plot ${path}: ${messageOf(error)}`);
  }
}
