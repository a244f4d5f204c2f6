// A configuration from the text of a runner's file, read by hostler's own reader: what a run simulates is what a user writes.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../adapters/config/load.ts';
import type { Config } from '../../domain/config.ts';

/** Reads the text as `/…/config.toml` in a zone of its own. Throws what the reader throws. */
export async function configOf(text: string, zone = 'UTC'): Promise<Config> {
  const folder = await mkdtemp(join(tmpdir(), 'hostler-sim-'));
  try {
    const path = join(folder, 'config.toml');
    await writeFile(path, text);
    return await loadConfig({ path, env: {}, home: '/home/gitlab-runner', zone });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
