// Answers that cannot be written: a full disk behind stdout, or a reader that is gone. Silence with exit code 0 would pass
// for an answer. What is done all the same (a removal, a create) does not fail for its words.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { door, openScene, type Scene, shells } from './door-harness.ts';

let scene: Scene;
beforeEach(() => {
  scene = openScene();
  scene.standing('box-1');
});
afterEach(() => scene.remove());

const answering = [
  ['url', 'box-1'],
  ['ip', 'box-1'],
  ['status', 'box-1'],
  ['config', 'box-1'],
  ['inspect', 'box-1', '-f', '{{.HostOptions.AuthOptions.StorePath}}'],
  ['inspect', 'box-1', '-f', '{{.Driver.IPAddress}}'],
  ['ls', '-q'],
];

type Ended = { code: number | null; err: string };

/** Waits for a line before it becomes what follows: the reader must be gone by then. */
const held = ['/bin/sh', '-c', 'read -r _; exec "$@"', 'held'];

/** A call of the runner whose stdout is `to`. */
function call(
  words: readonly string[],
  to: number | 'gone',
  shell: readonly string[] = ['/bin/sh'],
): Promise<Ended> {
  const [command = '', ...rest] = [...(to === 'gone' ? held : []), ...shell];
  const child = spawn(command, [...rest, door, '--bugsnag-api-token=no-report', ...words], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: scene.folder,
      MACHINE_STORAGE_PATH: scene.store,
      HOSTLER_SOCKET: scene.socket,
      HOSTLER_NODE: process.execPath,
    },
    stdio: ['pipe', to === 'gone' ? 'pipe' : to, 'pipe'],
  });
  child.stdout?.once('close', () => child.stdin?.end('go\n')).destroy();
  if (to !== 'gone') child.stdin?.end();
  let err = '';
  child.stderr?.on('data', (piece) => (err += String(piece)));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, err })));
}

async function toFullDisk(words: readonly string[], shell?: readonly string[]): Promise<Ended> {
  const full = openSync('/dev/full', 'w');
  const ended = await call(words, full, shell);
  closeSync(full);
  return ended;
}

describe.each(shells)('under %s %s', (...shell) => {
  test.each(answering)('%s %s with a full disk behind stdout fails in one line', async (...words) => {
    const { code, err } = await toFullDisk(words, shell);
    expect(code).toBe(1);
    expect(err).toBe(`docker-machine ${words[0]}: the answer cannot be written to stdout\n`);
  });
});

test.each(answering)('%s %s that nobody reads any more fails in one line', async (...words) => {
  const { code, err } = await call(words, 'gone');
  expect(code).toBe(1);
  expect(err).toBe(`docker-machine ${words[0]}: the answer cannot be written to stdout\n`);
});

test('a removal is done, whoever hears of it', async () => {
  scene.standing('box-2');
  expect(await toFullDisk(['rm', '-y', 'box-1'])).toMatchObject({ code: 0 });
  // The second of a name goes the longer way.
  scene.standing('box-1');
  expect(await toFullDisk(['rm', '-y', 'box-1'])).toMatchObject({ code: 0 });
  expect(await call(['rm', '-f', 'box-2'], 'gone')).toMatchObject({ code: 0 });
  for (const name of ['box-1', 'box-1~2', 'box-2'])
    expect(existsSync(join(scene.store, 'machines', '.hostler', 'released', name)), name).toBe(true);
});

// gitlab-runner closes its end of both pipes the moment the process has ended, so a word that is said last is read only if
// the process outlives it for a while. A busy machine may read late: one good look in ten is proof.
test('outlives its last words, so that the runner can read why a create failed', async () => {
  const outlived: number[] = [];
  for (let turn = 0; turn < 10 && !outlived.some((ms) => ms >= 40); turn++) {
    const words = ['--bugsnag-api-token=no-report', 'create', '--driver', 'amazonec2', 'box-1'];
    const { child, done } = scene.start(words);
    let heardAt = 0;
    child.stderr?.once('data', () => {
      heardAt = performance.now();
    });
    child.once('exit', () => outlived.push(performance.now() - heardAt));
    expect((await done).err).toContain('already exists');
  }
  expect(Math.max(...outlived)).toBeGreaterThanOrEqual(40);
});
