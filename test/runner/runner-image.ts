// One image for a job and for the runner's helper: a static busybox and the runner's own binary, which knows the helper's
// commands too. So nothing is needed from a registry but this one layer.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileOfImage } from '../hosts/hosts-world.ts';

/** What the scripts that a runner makes call, beside what the shell knows itself. */
const TOOLS =
  'sh cat chmod cp date dirname echo env false grep hostname id ls mkdir mktemp mv rm rmdir sed sleep sort stat tail touch tr true uname wc which'.split(
    ' ',
  );

/** The helper's shell: the runner starts it by this name. */
const BUILD = '#!/bin/sh\numask 0000\nexec /bin/sh\n';

/** The image's only layer, as a tar. */
export async function runnerImage(socket: string, binary: string): Promise<Buffer> {
  const root = mkdtempSync(join(tmpdir(), 'hostler-runner-image-'));
  try {
    for (const folder of ['bin', 'usr/bin', 'etc', 'tmp', 'builds', 'cache', 'root'])
      mkdirSync(join(root, folder), { recursive: true });
    const tar = await fileOfImage(socket, '/bin/busybox');
    spawnSync('tar', ['-x', '-C', join(root, 'bin')], { input: tar });
    for (const tool of TOOLS) symlinkSync('/bin/busybox', join(root, 'bin', tool));
    symlinkSync('/bin/env', join(root, 'usr/bin/env'));
    copyFileSync(binary, join(root, 'usr/bin/gitlab-runner-helper'));
    writeFileSync(join(root, 'usr/bin/gitlab-runner-build'), BUILD);
    for (const name of ['gitlab-runner-helper', 'gitlab-runner-build'])
      chmodSync(join(root, 'usr/bin', name), 0o755);
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    chmodSync(join(root, 'tmp'), 0o1777);
    const out = join(root, 'layer.tar');
    spawnSync('tar', ['-c', '-f', out, '-C', root, '--exclude=./layer.tar', '.']);
    return readFileSync(out);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
