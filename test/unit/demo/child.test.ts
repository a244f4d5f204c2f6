// Children of the demo and the guard behind them, with real processes.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startChild, tailOf } from '../../../src/demo/child.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-child-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (script: string, reads = false) =>
  startChild({ name: 'child', args: ['-e', script], env: {}, log: join(folder, 'child.log'), reads });

const isAlive = (pid: number): boolean => {
  try {
    // A zombie that nobody has collected yet is as dead as can be.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

async function until(holds: () => boolean): Promise<void> {
  while (!holds())
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
}

describe('a child', () => {
  test('tells its first line when it is ready', async () => {
    const child = start('console.log("ready"); setInterval(() => {}, 1000)', true);
    expect(await child.firstLine).toBe('ready');
    await child.stop(5_000);
    expect(child.isAlive()).toBe(false);
  });

  test('that ends before it is ready says how, and its log has its last words', async () => {
    const child = start('console.error("no\\nway"); process.exit(3)', true);
    await expect(child.firstLine).rejects.toThrow('child ended with code 3 before it was ready');
    expect(tailOf(join(folder, 'child.log'))).toBe('no | way');
  });

  test('that ignores SIGTERM is killed', async () => {
    const child = start(
      'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)',
      true,
    );
    await child.firstLine;
    await child.stop(50);
    expect(await child.ended).toBe('ended by SIGKILL');
  });
});

describe('the guard', () => {
  test('ends the children and removes the folder of a demo that was killed', async () => {
    const module = new URL('../../../src/demo/child.ts', import.meta.url).href;
    const script = `
      import { startChild, startGuard } from ${JSON.stringify(module)};
      const guard = startGuard(process.argv[1]);
      const log = process.argv[1] + '/log';
      const child = startChild({ name: 'c', args: ['-e', 'setInterval(() => {}, 1000)'], env: {}, log });
      guard.watch(child.pid);
      console.log(child.pid);`;
    const demo = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((resolve) => {
      demo.stdout.on('data', (text: Buffer) => resolve(Number(text.toString())));
    });
    expect(isAlive(pid)).toBe(true);
    demo.kill('SIGKILL');
    await until(() => !isAlive(pid) && !existsSync(folder));
  });
});
