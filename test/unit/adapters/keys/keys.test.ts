// Keys on a real folder, checked by other programs (openssl, ssh-keygen) where they are installed.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AUTHORITY_FILE, createKeys, USER_KEY_FILE } from '../../../../src/adapters/keys/keys.ts';
import { newSshKey, readSshKey } from '../../../../src/adapters/keys/ssh-keys.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { HOUR_MS } from '../../../../src/domain/units.ts';

const clock = createClock();
const [OPENSSL, SSH_KEYGEN] = ['openssl', 'ssh-keygen'];
const installed = (program: string) => spawnSync(program, ['-V'], { stdio: 'ignore' }).error === undefined;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-keys-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const order = () => ({
  name: 'm-0123456789',
  addresses: ['10.1.2.3'],
  names: ['build.example'],
  notAfter: clock.now() + 48 * HOUR_MS,
});

describe('authority', () => {
  test('is made once, for its owner only', async () => {
    const keys = createKeys(join(folder, 'keys'), { clock });
    const first = await keys.authority();
    expect(await createKeys(join(folder, 'keys'), { clock }).authority()).toBe(first);
    expect(statSync(join(folder, 'keys')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'keys', AUTHORITY_FILE)).mode & 0o777).toBe(0o600);
    expect(first).not.toContain('PRIVATE');
  });

  test('parallel first starts of several processes agree on one and leave no drafts', async () => {
    const module = join(import.meta.dirname, '../../../../src/adapters/keys/keys.ts');
    const script = `import { createKeys } from ${JSON.stringify(module)};
      const clock = { now: () => 1.8e12 };
      const makers = [1, 2, 3].map(() => createKeys(process.argv[1], { clock }));
      const pems = await Promise.all(makers.map((keys) => keys.authority()));
      const users = await Promise.all(makers.map((keys) => keys.userKey()));
      process.stdout.write(JSON.stringify([...new Set([...pems, ...users.map((user) => user.publicKey)])]));`;
    const runs = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise<string>((resolve) => {
            const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder]);
            let text = '';
            child.stdout.on('data', (chunk: Buffer) => {
              text += chunk.toString();
            });
            child.on('close', () => {
              resolve(text);
            });
          }),
      ),
    );
    expect(new Set(runs).size).toBe(1);
    expect(JSON.parse(runs[0] ?? '')).toHaveLength(2);
    expect(readdirSync(folder).toSorted()).toEqual([AUTHORITY_FILE, USER_KEY_FILE]);
  });

  test('a damaged file is refused and kept, not replaced', async () => {
    writeFileSync(join(folder, AUTHORITY_FILE), 'half a certi');
    const keys = createKeys(folder, { clock });
    await expect(keys.authority()).rejects.toMatchObject({ code: 'state-unusable' });
    expect(readFileSync(join(folder, AUTHORITY_FILE), 'utf8')).toBe('half a certi');
  });

  test('a file that others may read is closed to them', async () => {
    await createKeys(folder, { clock }).authority();
    chmodSync(join(folder, AUTHORITY_FILE), 0o644);
    await createKeys(folder, { clock }).authority();
    expect(statSync(join(folder, AUTHORITY_FILE)).mode & 0o777).toBe(0o600);
  });

  test('a folder that cannot be made is a state error with its path', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(createKeys(join(folder, 'file', 'keys'), { clock }).userKey()).rejects.toMatchObject({
      code: 'state-unusable',
      message: expect.stringContaining(join(folder, 'file', 'keys')) as string,
    });
  });
});

describe('leaves', () => {
  test('a server certificate names its addresses, its names and the loopback', async () => {
    const { cert } = await createKeys(folder, { clock }).issueServer(order());
    expect(new X509Certificate(cert).subjectAltName).toBe(
      'IP Address:10.1.2.3, IP Address:127.0.0.1, DNS:build.example, DNS:localhost',
    );
  });

  test('is valid from an hour back until what was asked for', async () => {
    const asked = order();
    const leaf = new X509Certificate((await createKeys(folder, { clock }).issueClient(asked)).cert);
    expect(Math.abs(leaf.validFromDate.getTime() + HOUR_MS - clock.now())).toBeLessThan(60_000);
    expect(Math.abs(leaf.validToDate.getTime() - asked.notAfter)).toBeLessThan(1_000);
  });

  test('is signed by the authority, holds its own key, and is no authority itself', async () => {
    const keys = createKeys(folder, { clock });
    const authority = new X509Certificate(await keys.authority());
    const { cert, key } = await keys.issueClient(order());
    const leaf = new X509Certificate(cert);
    expect(leaf.verify(authority.publicKey)).toBe(true);
    expect([authority.ca, leaf.ca]).toEqual([true, false]);
    expect(key).toContain('BEGIN PRIVATE KEY');
    expect(leaf.subject).toContain('CN=m-0123456789');
  });

  test.skipIf(!installed(OPENSSL))('openssl accepts both kinds strictly, each for its own use', async () => {
    const keys = createKeys(folder, { clock });
    const [server, client] = [await keys.issueServer(order()), await keys.issueClient(order())];
    writeFileSync(join(folder, 'ca.pem'), await keys.authority());
    writeFileSync(join(folder, 'server.pem'), server.cert);
    writeFileSync(join(folder, 'client.pem'), client.cert);
    const verify = (purpose: string, file: string) =>
      spawnSync(OPENSSL, ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', 'ca.pem', file], {
        cwd: folder,
      }).status;
    expect(verify('sslserver', 'server.pem')).toBe(0);
    expect(verify('sslclient', 'client.pem')).toBe(0);
    expect(verify('sslclient', 'server.pem')).not.toBe(0);
    expect(verify('sslserver', 'client.pem')).not.toBe(0);
  });
});

describe('SSH keys', () => {
  test('the user key stays the same over restarts', async () => {
    const first = await createKeys(folder, { clock }).userKey();
    expect(await createKeys(folder, { clock }).userKey()).toEqual(first);
    expect(first.publicKey).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+$/);
  });

  test('each host key is new', async () => {
    const keys = createKeys(folder, { clock });
    expect((await keys.hostKey()).publicKey).not.toBe((await keys.hostKey()).publicKey);
  });

  test.skipIf(!installed(SSH_KEYGEN))('ssh-keygen reads our keys as we do', async () => {
    const pair = await createKeys(folder, { clock }).hostKey();
    writeFileSync(join(folder, 'k'), pair.privateKey, { mode: 0o600 });
    expect(execFileSync(SSH_KEYGEN, ['-y', '-f', join(folder, 'k')], { encoding: 'utf8' }).trim()).toBe(
      pair.publicKey,
    );
  });

  test.skipIf(!installed(SSH_KEYGEN))(
    'a given key of each common kind is taken, others are explained',
    async () => {
      const keys = createKeys(folder, { clock });
      const make = (name: string, ...flags: string[]) => {
        execFileSync(SSH_KEYGEN, ['-q', '-N', '', '-f', join(folder, name), ...flags]);
        return keys.readUserKey(join(folder, name));
      };
      expect((await make('ed', '-t', 'ed25519')).publicKey).toMatch(/^ssh-ed25519 /);
      expect((await make('ec', '-t', 'ecdsa', '-m', 'PEM')).publicKey).toMatch(/^ecdsa-sha2-nistp256 /);
      const rsa = await make('rsa', '-t', 'rsa', '-b', '2048', '-m', 'PEM');
      expect(readFileSync(join(folder, 'rsa.pub'), 'utf8')).toContain(rsa.publicKey);
      await expect(make('pk8', '-t', 'rsa', '-b', '2048', '-m', 'PKCS8')).rejects.toThrow('ssh-keygen -p');
      execFileSync(SSH_KEYGEN, ['-q', '-N', 'secret', '-f', join(folder, 'locked')]);
      await expect(keys.readUserKey(join(folder, 'locked'))).rejects.toThrow('passphrase');
      await expect(keys.readUserKey(join(folder, 'ed.pub'))).rejects.toThrow('public key');
      await expect(keys.readUserKey(join(folder, 'none'))).rejects.toMatchObject({ code: 'config-invalid' });
    },
  );

  test('every one of a thousand new keys can be read back', () => {
    const broken = Array.from({ length: 1_000 }, () => newSshKey()).filter(
      (pair) => readSshKey(pair.privateKey).publicKey !== pair.publicKey,
    );
    expect(broken).toEqual([]);
  });

  test('the identity stays with its keys; other keys have another', async () => {
    const own = await createKeys(folder, { clock }).identity();
    expect(own).toMatch(/^[0-9a-f-]{36}$/);
    expect(await createKeys(folder, { clock }).identity()).toBe(own);
    expect(await createKeys(join(folder, 'other'), { clock }).identity()).not.toBe(own);
  });

  test('a token has 32 hex digits and is new each time', () => {
    const keys = createKeys(folder, { clock });
    expect(keys.token()).toMatch(/^[0-9a-f]{32}$/);
    expect(keys.token()).not.toBe(keys.token());
  });
});
