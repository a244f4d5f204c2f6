// Keys in SSM against the emulated SSM over real HTTP: made once, carried over from files and back, never mixed, one
// daemon at a time; what SSM refuses is said in words and what may pass is tried again.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHolder } from '../../../../src/adapters/aws/ssm-holder.ts';
import { createSsmParameters, type SsmParameters } from '../../../../src/adapters/aws/ssm-parameters.ts';
import { createSsmVault } from '../../../../src/adapters/aws/ssm-vault.ts';
import { createFileVault, putKeyFile } from '../../../../src/adapters/keys/file-vault.ts';
import {
  AUTHORITY_FILE,
  createKeys,
  IDENTITY_FILE,
  USER_KEY_FILE,
} from '../../../../src/adapters/keys/keys.ts';
import { createProcesses } from '../../../../src/adapters/system/processes.ts';
import { type CloudSite, Secret } from '../../../../src/domain/config.ts';
import { type Emulator, startEmulator } from '../../../../src/emulator/start-emulator.ts';
import type { Log } from '../../../../src/ports/log.ts';
import { createHandClock, type HandClock } from '../../../support/hand-clock.ts';

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
const names = [AUTHORITY_FILE, USER_KEY_FILE, IDENTITY_FILE];

let folder = '';
let emulator: Emulator;
let clock: HandClock;
let opened: SsmParameters[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-vaults-'));
  emulator = await startEmulator({ bootMs: 10 });
  clock = createHandClock(Date.now());
});
afterEach(async () => {
  for (const parameters of opened) parameters.close();
  opened = [];
  await emulator.close();
  rmSync(folder, { recursive: true, force: true });
});

function parametersAt(path = '/hostler/ci', region = 'eu-central-1'): SsmParameters {
  const site: CloudSite = {
    key: region,
    region,
    endpoint: emulator.endpoint,
    credentials: {
      kind: 'static',
      accessKeyId: 'AKIAEXAMPLE',
      secretAccessKey: new Secret('example'),
      sessionToken: null,
    },
    assumeRoleArn: null,
  };
  const stop = new AbortController().signal;
  const made = createSsmParameters(site, path, { clock, log: silent, env: {}, stop });
  opened.push(made);
  return made;
}

const stored = (name: string, path = '/hostler/ci') =>
  emulator.world.region('eu-central-1').parameters.get(`${path}/${name}`);
const ssmKeys = (earlier = [createFileVault(folder)], path = '/hostler/ci') =>
  createKeys(createSsmVault(parametersAt(path), clock), { clock, earlier });

/** Everything that is kept. */
async function all(keys: ReturnType<typeof createKeys>) {
  return {
    identity: await keys.identity(),
    authority: await keys.authority(),
    user: (await keys.userKey()).publicKey,
  };
}

/** Lets time pass for the pauses between tries until the work is done. */
async function hurry<T>(work: Promise<T>): Promise<T> {
  const hands = setInterval(() => void clock.advance(100), 10);
  try {
    return await work;
  } finally {
    clearInterval(hands);
  }
}

describe('keys in SSM', () => {
  test('are SecureStrings that fit the standard tier, made once and the same after a restart', async () => {
    const first = await all(ssmKeys());
    expect(await all(ssmKeys())).toEqual(first);
    for (const name of names) {
      expect(stored(name)).toMatchObject({ type: 'SecureString', version: 1, tier: 'Standard' });
      expect(stored(name)?.value.length).toBeLessThan(4_096);
    }
    expect(stored(AUTHORITY_FILE)?.value).toContain('PRIVATE KEY');
  });

  test('of parallel first starts are one set', async () => {
    const starts = await Promise.all(Array.from({ length: 6 }, () => all(ssmKeys([]))));
    expect(new Set(starts.map((keys) => JSON.stringify(keys))).size).toBe(1);
  });

  test('of two paths are two managers', async () => {
    const [one, two] = [await all(ssmKeys([])), await all(ssmKeys([], '/hostler/other'))];
    expect(one.identity).not.toBe(two.identity);
    expect(one.authority).not.toBe(two.authority);
  });

  test('are refused when one is damaged, and kept', async () => {
    emulator.world.region('eu-central-1').parameters.put({
      name: `/hostler/ci/${AUTHORITY_FILE}`,
      value: 'half',
      type: 'SecureString',
      tier: null,
      overwrite: false,
    });
    await expect(ssmKeys().authority()).rejects.toMatchObject({
      code: 'state-unusable',
      message: expect.stringContaining('ssm:/hostler/ci in eu-central-1/authority.pem is damaged') as string,
    });
    expect(stored(AUTHORITY_FILE)?.value).toBe('half');
  });

  test('that are too long for a parameter stay in their files, in words', async () => {
    writeFileSync(join(folder, AUTHORITY_FILE), 'x'.repeat(4_097));
    await expect(ssmKeys().authority()).rejects.toMatchObject({
      code: 'state-unusable',
      message: expect.stringContaining('4097 characters') as string,
    });
    expect(stored(AUTHORITY_FILE)).toBeNull();
  });
});

describe('a change of place', () => {
  test('carries files over to SSM, unchanged, and leaves the files', async () => {
    const before = await all(createKeys(folder, { clock }));
    expect(await all(ssmKeys())).toEqual(before);
    for (const name of names) expect(stored(name)?.value).toBe(readFileSync(join(folder, name), 'utf8'));
  });

  test('carries SSM over to files, 0600', async () => {
    const before = await all(ssmKeys([]));
    const target = join(folder, 'keys');
    const earlier = [createSsmVault(parametersAt(), clock)];
    expect(await all(createKeys(target, { clock, earlier }))).toEqual(before);
    expect(await all(createKeys(target, { clock }))).toEqual(before);
    for (const name of names) expect(statSync(join(target, name)).mode & 0o777).toBe(0o600);
  });

  test('that was interrupted is finished by the next start', async () => {
    const before = await all(createKeys(folder, { clock }));
    await createSsmVault(parametersAt(), clock).make(
      IDENTITY_FILE,
      readFileSync(join(folder, IDENTITY_FILE), 'utf8'),
    );
    expect(await all(ssmKeys())).toEqual(before);
  });

  test('to a place that holds the keys of another manager is refused before anything is mixed', async () => {
    await ssmKeys([]).identity();
    await all(createKeys(folder, { clock }));
    await expect(ssmKeys().authority()).rejects.toMatchObject({
      code: 'state-unusable',
      message: expect.stringContaining(`${folder} holds the keys of another manager`) as string,
    });
    expect(stored(AUTHORITY_FILE)).toBeNull();
  });
});

describe('what SSM says', () => {
  const fail = (code: string, action: string, rate = 1) => emulator.world.faults.set({ code, rate, action });

  test.each([
    ['GetParameter', 'ssm:GetParameter'],
    ['PutParameter', 'ssm:PutParameter'],
  ])('a refused %s names the permission and where it is needed', async (action, permission) => {
    fail('AccessDeniedException', action);
    await expect(ssmKeys().authority()).rejects.toMatchObject({
      code: 'cloud-refused',
      message: expect.stringMatching(
        new RegExp(`${permission}.* on arn:aws:ssm:eu-central-1:\\*:parameter/hostler/ci/\\*`),
      ) as string,
    });
  });

  test('throttling is waited out', async () => {
    fail('ThrottlingException', 'GetParameter', 0.5);
    fail('ThrottlingException', 'PutParameter', 0.5);
    expect((await hurry(all(ssmKeys([])))).identity).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('throttling without an end is given up in words', async () => {
    fail('ThrottlingException', 'GetParameter');
    await expect(hurry(ssmKeys([]).identity())).rejects.toMatchObject({
      code: 'cloud-refused',
      message: expect.stringContaining('ThrottlingException') as string,
    });
  });

  test('an answer that was lost after the key was made loses no key', async () => {
    fail('lost-answer', 'PutParameter', 0.6);
    const first = await hurry(all(ssmKeys([])));
    fail('lost-answer', 'PutParameter', 0);
    expect(await all(ssmKeys([]))).toEqual(first);
    for (const name of names) expect(stored(name)?.version).toBe(1);
  });

  test('an empty answer is no missing key', async () => {
    await all(ssmKeys([]));
    fail('empty-answer', 'GetParameter');
    await expect(hurry(ssmKeys([]).identity())).rejects.toMatchObject({ code: 'cloud-refused' });
    expect(stored(IDENTITY_FILE)?.version).toBe(1);
  });

  test('no message holds a secret', async () => {
    await all(ssmKeys([]));
    const secret = stored(USER_KEY_FILE)?.value.split('\n')[1] ?? 'none';
    fail('AccessDeniedException', 'GetParameter');
    const said = await ssmKeys([])
      .userKey()
      .catch((error: Error) => error.message);
    expect(said).not.toContain(secret);
  });
});

describe('the copy for ssh', () => {
  test('is a file of 0600 that follows the key', async () => {
    const file = join(folder, 'ssh-user-key');
    writeFileSync(file, 'an older one', { mode: 0o644 });
    await putKeyFile(file, 'the key');
    expect(readFileSync(file, 'utf8')).toBe('the key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await putKeyFile(file, 'the key');
    expect(readFileSync(file, 'utf8')).toBe('the key');
  });
});

describe('one daemon at a time', () => {
  const processes = createProcesses();
  type Self = { folder: string; run: string; host: string };
  const holderOf = (self: Self, over: { takeover?: boolean; processes?: typeof processes } = {}) =>
    createHolder({
      parameters: parametersAt(),
      clock,
      log: silent,
      processes,
      self,
      takeover: false,
      ...over,
    });
  const one = { folder: 'folder-1', run: 'run-1', host: 'manager-1' };
  const two = { folder: 'folder-2', run: 'run-2', host: 'manager-2' };
  /** Sees no process of another machine, as on two instances. */
  const elsewhere = { own: () => ({ machine: 'other boot', pid: 77, started: '1' }), mayLive: () => true };

  test('a second one leaves while the first renews, and names it', async () => {
    const first = holderOf(one, { processes: elsewhere });
    await first.take();
    const stop = new AbortController();
    const held = first.hold(stop.signal);
    await expect(hurry(holderOf(two).take())).rejects.toMatchObject({
      code: 'already-running',
      message: expect.stringContaining('pid 77 on manager-1') as string,
    });
    stop.abort();
    await hurry(held);
  });

  test('a second one goes on when the first gave the keys free', async () => {
    const first = holderOf(one, { processes: elsewhere });
    await first.take();
    const stop = new AbortController();
    const held = first.hold(stop.signal);
    stop.abort();
    await hurry(held);
    const before = clock.monotonic();
    await holderOf(two).take();
    expect(clock.monotonic()).toBe(before);
  });

  test('a second one goes on when nobody renewed the note for most of a minute', async () => {
    await holderOf(one, { processes: elsewhere }).take();
    const before = clock.monotonic();
    await hurry(holderOf(two).take());
    expect(clock.monotonic() - before).toBeGreaterThanOrEqual(50_000);
  });

  test('the same state folder goes on at once, and so does who was told to take over', async () => {
    await holderOf(one, { processes: elsewhere }).take();
    await holderOf({ ...one, run: 'run-1b' }).take();
    await holderOf(two, { takeover: true }).take();
    expect(stored('holder')?.value).toContain('run-2');
  });

  test('a process of this machine that has ended holds nothing', async () => {
    const child = spawn('sleep', ['60']);
    const mark = { ...processes.own(), pid: child.pid ?? 0 };
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
    await holderOf(one, { processes: { ...elsewhere, own: () => ({ ...mark, started }) } }).take();
    expect(processes.mayLive({ ...mark, started })).toBe(true);
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(processes.mayLive({ ...mark, started })).toBe(false);
    const before = clock.monotonic();
    await holderOf(two).take();
    expect(clock.monotonic()).toBe(before);
  });

  test('of several that start at once on fresh keys one stays', async () => {
    const many = Array.from({ length: 4 }, (_, index) =>
      holderOf({ folder: `f${index}`, run: `r${index}`, host: `h${index}` }, { processes: elsewhere }),
    );
    const stop = new AbortController();
    const ends = await hurry(
      Promise.allSettled(
        many.map(async (holder) => {
          await holder.take();
          // Who has them goes on renewing, until all others have had their answer.
          holder.hold(stop.signal).catch(() => undefined);
        }),
      ),
    );
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    stop.abort();
    await clock.advance(1_000);
  });

  test('who lost the keys to another stops and leaves the note alone', async () => {
    const first = holderOf(one, { processes: elsewhere });
    await first.take();
    const held = first.hold(new AbortController().signal);
    await holderOf(two, { takeover: true }).take();
    await expect(hurry(held)).rejects.toMatchObject({ code: 'already-running' });
    expect(stored('holder')?.value).toContain('run-2');
  });

  test('a renewal that fails costs nothing', async () => {
    const first = holderOf(one, { processes: elsewhere });
    await first.take();
    const stop = new AbortController();
    const held = first.hold(stop.signal);
    emulator.world.faults.set({ code: 'AccessDeniedException', rate: 1, action: 'GetParameter' });
    for (let round = 0; round < 5; round++) {
      await clock.advance(20_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    emulator.world.faults.set({ code: 'AccessDeniedException', rate: 0, action: 'GetParameter' });
    stop.abort();
    await hurry(held);
    expect(stored('holder')?.value).toContain('"released":true');
  });
});
