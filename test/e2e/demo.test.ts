// The demo as its user starts it, made small: its JSON is an interface, and it must leave nothing behind.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { DemoSummary } from '../../src/demo/summary.ts';

const bin = fileURLToPath(new URL('../../bin/hostler', import.meta.url));

/** Runs the demo with a folder of its own for temporary files; gives what it wrote and what it left there. */
async function runDemo(args: readonly string[], signalAfter?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'hd-'));
  try {
    const child = spawn(bin, ['demo', ...args], { env: { ...process.env, TMPDIR: folder } });
    let out = '';
    let all = '';
    let asked = false;
    child.stdout.on('data', (part: Buffer) => {
      out += part.toString();
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (part: Buffer) => {
        all += part.toString();
        if (signalAfter === undefined || asked || !all.includes(signalAfter)) return;
        asked = child.kill('SIGINT');
      });
    const code = await new Promise<number | null>((resolve) => {
      child.on('close', resolve);
    });
    return { code, out, all, left: readdirSync(folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const small = ['--jobs', '4', '--idle', '1', '--boot', '1', '--job-seconds', '0.2', '--idle-time', '1'];

describe('hostler demo', () => {
  test('runs every job, leaks nothing and ends with one line of JSON', async () => {
    const { code, out, all, left } = await runDemo(['--exit', '--json', ...small]);
    expect(code, all).toBe(0);
    const summary = JSON.parse(out.trim().split('\n').at(-1) ?? '') as DemoSummary;
    expect(summary).toMatchObject({ jobs_total: 4, jobs_done: 4, boot_s: 1, leaked: 0 });
    expect(summary.first_handover_s).toHaveLength(1);
    expect(summary.last_handover_s).toBeTypeOf('number');
    expect(summary.machines_launched).toBeGreaterThanOrEqual(2);
    expect(summary.machines_reused).toBeTypeOf('number');
    expect(summary.ec2_calls).toBeGreaterThan(0);
    expect(summary.jobs.map(({ state }) => state)).toEqual(Array(4).fill('done'));
    expect(left).toEqual([]);
  });

  test('stays up to be looked at until Ctrl-C, then removes everything', async () => {
    const { code, out, left } = await runDemo(small, 'Ctrl-C ends it');
    expect(code).toBe(0);
    expect(out).toContain('bin/hostler status');
    expect(out).toMatch(/left\s+nothing/);
    expect(left).toEqual([]);
  });

  test('interrupted while machines boot, it ends in order', async () => {
    const { code, left } = await runDemo(['--boot', '60'], 'idle machines boot');
    expect(code).toBe(130);
    expect(left).toEqual([]);
  });

  test('refuses numbers that make no sense', async () => {
    const { code, all } = await runDemo(['--jobs', '0']);
    expect(code).toBe(64);
    expect(all).toContain('whole number from 1 to 200');
  });
});
