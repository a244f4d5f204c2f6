// Reads docker-machine's store as the runner does: sub-folders of `machines/` with names of this section.
// It never looks inside a folder and never writes. A store that is not there yet is an empty one.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineNames } from './machine-name.ts';

/** Names of the section's machines in that store. */
export async function listMachines(store: string, names: MachineNames): Promise<string[]> {
  try {
    const entries = await readdir(join(store, 'machines'), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && names.fits(entry.name)).map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
