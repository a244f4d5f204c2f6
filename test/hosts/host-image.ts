// The host image, built once and kept outside the repository; built again when its recipe changes or it has aged.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createDockerClient } from '../../src/emulator/docker-hosts/docker-client.ts';

const recipe = join(import.meta.dirname, 'build-host-image');
/** Packages move on; a month-old image still stands for the hosts of today. */
const FRESH_MS = 30 * 24 * 3_600_000;

/** Where images and the tests' dockerd live: on a real disk, which overlay file systems need. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  const folder = join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hostler');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Path of the image's tar; builds it when there is none that is fresh. `say` gets one line when that takes a while. */
export async function hostImage(folder: string, say: (line: string) => void): Promise<string> {
  const kind = createHash('sha256').update(readFileSync(recipe)).digest('hex').slice(0, 12);
  const file = join(folder, `host-image-${kind}.tar`);
  const age = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (age !== undefined && Date.now() - age < FRESH_MS) return file;
  say('building the host image, one to two minutes, once a month');
  const build = spawn(recipe, [file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  build.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-2_000);
  });
  const [code] = (await once(build, 'close')) as [number | null];
  if (code !== 0)
    throw new Error(`the host image was not built: ${words.trim().split('\n').slice(-5).join(' | ')}`);
  for (const name of readdirSync(folder))
    if (name.startsWith('host-image-') && name.endsWith('.tar') && join(folder, name) !== file)
      rmSync(join(folder, name), { force: true });
  return file;
}

/** Gives the image to a Docker daemon under this name. */
export async function loadImage(socket: string, file: string, name: string): Promise<void> {
  const path = `/images/create?fromSrc=-&repo=${name}&tag=latest`;
  const { status, body } = await createDockerClient(socket).call({
    method: 'POST',
    path,
    tar: createReadStream(file),
  });
  if (status !== 200 || body.includes('"error"'))
    throw new Error(`docker did not take ${file}: ${body.toString().slice(-300)}`);
}
