// `docker-machine create --driver none`: a record of a Docker host that nobody manages, written into the store alone.
// Container images are built with such a machine, offline, so it must not look for the daemon.
// Trap: no hostler mark goes in: the folder is answered from its config.json, as another docker-machine's would be.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainHostConfig } from '../../contract/machine-files.ts';
import { halfMade, MACHINES } from '../../contract/store-layout.ts';
import { machineFolder } from './store-folder.ts';
import { makeFolder } from './store-rights.cjs';

export type PlainOrder = { store: string; name: string; url: string | null; options: readonly string[] };

/** Writes the folder and returns the exit code. */
export function createPlain({ store, name, url, options }: PlainOrder): number {
  if (!url) {
    process.stderr.write(
      'Error setting machine configuration from flags provided: --url option is required when no driver is selected\n',
    );
    return 1;
  }
  const machines = join(store, MACHINES);
  const unfinished = join(machines, halfMade(name));
  rmSync(unfinished, { recursive: true, force: true });
  const mode = makeFolder(machines, unfinished);
  const config = plainHostConfig({ store, name, url, options });
  writeFileSync(join(unfinished, 'config.json'), `${JSON.stringify(config, null, 4)}\n`, { mode });
  renameSync(unfinished, machineFolder(store, name));
  process.stdout.write(`${name} is noted as a Docker host at ${url} that nobody manages\n`);
  return 0;
}
