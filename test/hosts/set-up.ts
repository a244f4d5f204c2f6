// Once before and after all tests on real Docker hosts: is this a machine for it, the host image, a dockerd of our own.
// Where it is not, one line says why and every test is skipped.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { createDockerClient } from '../../src/emulator/docker-hosts/docker-client.ts';
import { DEFAULT_HOST_IMAGE } from '../../src/emulator/docker-hosts/start-docker-hosts.ts';
import { cacheFolder, hostImage, loadImage } from './host-image.ts';
import { leftInDocker } from './left-in-docker.ts';
import { startOwnDockerd } from './own-dockerd.ts';

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- merged with vitest's own
  export interface ProvidedContext {
    /** Socket of the tests' dockerd, which has the host image; null where there can be none. */
    dockerSocket: string | null;
  }
}

const say = (line: string): void => {
  process.stderr.write(`test:hosts: ${line}\n`);
};

/** Why this machine cannot boot Docker hosts, or null when it can. */
function obstacle(): string | null {
  if (process.platform !== 'linux') return 'needs Debian';
  const release = readFileSync('/etc/os-release', 'utf8');
  if (!/^ID=debian$/m.test(release)) return 'needs Debian';
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['dockerd', 'debootstrap', 'ssh-keyscan'].filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  );
  return missing.length === 0
    ? null
    : `needs ${missing.join(', ')} (apt-get install docker.io debootstrap openssh-client)`;
}

export default async function setUp({ provide }: TestProject): Promise<() => Promise<void>> {
  const why = obstacle();
  if (why !== null) {
    say(`skipped: ${why}`);
    provide('dockerSocket', null);
    return async () => {};
  }
  const folder = cacheFolder(process.env);
  const image = await hostImage(folder, say);
  const dockerd = await startOwnDockerd(folder);
  try {
    await loadImage(dockerd.socket, image, DEFAULT_HOST_IMAGE);
  } catch (error) {
    await dockerd.stop();
    throw error;
  }
  provide('dockerSocket', dockerd.socket);
  return async () => {
    const inside = await leftInDocker(createDockerClient(dockerd.socket));
    const left = [...inside, ...(await dockerd.stop())];
    if (left.length > 0) throw new Error(`the tests left something behind: ${left.join('; ')}`);
  };
}
