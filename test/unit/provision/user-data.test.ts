// User data: what is composed for each kind of user's file, as EC2 and cloud-init take it.
import { spawnSync } from 'node:child_process';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { newSshKey } from '../../../src/adapters/keys/ssh-keys.ts';
import { bootIdentity, userDataParts } from '../../../src/emulator/host/user-data-parts.ts';
import { composeUserData, MAX_USER_DATA_BYTES } from '../../../src/provision/user-data.ts';
import { hostLife } from './host-fixture.ts';

const hostKey = newSshKey();
const authorizedKey = newSshKey().publicKey;
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');

function compose(own: string | Buffer | null, key: string | null = authorizedKey): Buffer {
  const input = { own: own === null ? null : base64(own), hostKey, authorizedKey: key, life: hostLife };
  const raw = Buffer.from(composeUserData(input), 'base64');
  return raw[0] === 0x1f ? gunzipSync(raw) : raw;
}

const types = (message: Buffer) => userDataParts(message.toString()).map(({ type }) => type);
const ours = ['text/cloud-config', 'text/cloud-config', 'text/cloud-boothook', 'text/x-shellscript'];

const userMime = [
  'Content-Type: multipart/mixed; boundary="USER"',
  'MIME-Version: 1.0',
  '',
  '--USER',
  'Content-Type: text/x-shellscript; charset="us-ascii"',
  '',
  '#!/bin/sh',
  'echo one',
  '--USER',
  'Content-Type: text/cloud-config',
  '',
  '#cloud-config',
  'package_update: false',
  '--USER--',
  '',
].join('\n');

describe('merging', () => {
  test.each([
    ['nothing', null, []],
    ['an empty file', '', []],
    ['a script', '#!/bin/bash\necho hello\n', ['text/x-shellscript']],
    ['cloud-config', '#cloud-config\nruncmd: [ls]\n', ['text/cloud-config']],
    ['a boothook', '#cloud-boothook\n#!/bin/sh\n', ['text/cloud-boothook']],
    ['an include', '#include\nhttps://example.com/x\n', ['text/x-include-url']],
    ['an include once', '#include-once\nhttps://example.com/x\n', ['text/x-include-once-url']],
    ['a template', '## template: jinja\n#cloud-config\n', ['text/jinja2']],
    ['an archive', '#cloud-config-archive\n- x\n', ['text/cloud-config-archive']],
    ['MIME already', userMime, ['text/x-shellscript', 'text/cloud-config']],
    ['gzip of a script', gzipSync('#!/bin/sh\necho packed\n'), ['text/x-shellscript']],
    ['gzip of MIME', gzipSync(userMime), ['text/x-shellscript', 'text/cloud-config']],
    ['a script with a byte order mark', '\ufeff#!/bin/sh\n', ['text/x-shellscript']],
  ])('of %s puts it first and ours after it', (_name, own, expected) => {
    expect(types(compose(own))).toEqual([...expected, ...ours]);
  });

  test('keeps the bytes of the file, also of long lines and other alphabets', () => {
    const script = `#!/bin/sh\necho "grüße, ${'x'.repeat(1200)}"\r\n`;
    expect(userDataParts(compose(script).toString())[0]?.body).toBe(script);
    expect(userDataParts(compose('#!/bin/sh\necho hello').toString())[0]?.body).toBe('#!/bin/sh\necho hello');
  });

  test.each([
    ['JSON for another boot system', '{"ignition":{"version":"3.0.0"}}'],
    ['TOML', '[settings]\nmotd = "x"\n'],
    ['plain words', 'echo hello'],
    ['broken gzip', Buffer.from([0x1f, 0x8b, 1, 2, 3])],
  ])('refuses %s in words', (_name, own) => {
    expect(() => compose(own)).toThrow(expect.objectContaining({ code: 'config-invalid' }) as Error);
  });
});

describe('our parts', () => {
  test('bring host key and user key', () => {
    const identity = bootIdentity(
      compose('#cloud-config\nssh_authorized_keys:\n  - ssh-rsa AAAA me\n').toString(),
    );
    expect(identity.hostKey).toBe(hostKey.privateKey);
    expect(identity.authorizedKeys).toEqual(['AAAA', authorizedKey.split(' ')[1]]);
  });

  test('leave the user key to EC2 when a key pair is named', () => {
    expect(bootIdentity(compose(null, null).toString()).authorizedKeys).toEqual([]);
    expect(types(compose(null, null))).toEqual(ours.slice(1));
  });

  test('replace a host key of the user, and are added to his list of keys', () => {
    const text = compose(null).toString();
    const merges = [...text.matchAll(/^X-Merge-Type: (.*)$/gm)].map((match) => match[1]);
    expect(merges).toEqual([
      'dict(replace)+list()+str()',
      'list(append)+dict(no_replace,recurse_list)+str()',
    ]);
  });

  test('hold no secret beyond the bootstrap host key', () => {
    expect(
      compose(null)
        .toString()
        .match(/PRIVATE KEY/g),
    ).toHaveLength(2);
  });

  test('are scripts that sh can read', () => {
    const scripts = userDataParts(compose(null).toString()).slice(2);
    for (const { body } of scripts)
      expect(spawnSync('sh', ['-n'], { input: body, encoding: 'utf8' })).toMatchObject({
        status: 0,
        stderr: '',
      });
  });
});

describe('size', () => {
  test('equal input gives equal bytes, and what is small stays readable', () => {
    expect(compose('#!/bin/sh\n')).toEqual(compose('#!/bin/sh\n'));
    expect(compose('#!/bin/sh\necho hello\n').toString()).toContain('\necho hello\n');
  });

  test('what would not fit is packed', () => {
    const own = `#!/bin/sh\n${'echo the same line again\n'.repeat(2_000)}`;
    const raw = Buffer.from(
      composeUserData({ own: base64(own), hostKey, authorizedKey, life: hostLife }),
      'base64',
    );
    expect(raw.length).toBeLessThanOrEqual(MAX_USER_DATA_BYTES);
    expect(userDataParts(gunzipSync(raw).toString())[0]?.body).toBe(own);
  });

  test('what does not fit even so is refused with both sizes', () => {
    const noise = Array.from({ length: 20_000 }, (_, index) => ((index * 7919) % 104_729).toString(36)).join(
      '',
    );
    expect(() => compose(`#!/bin/sh\n# ${noise}\n`)).toThrow(
      /too large.*\d+ bytes, \d+ packed; EC2 takes 16384/,
    );
  });
});

const python = spawnSync('python3', ['--version'], { stdio: 'ignore' }).status === 0;
test.skipIf(!python)('an independent MIME reader sees the same parts', () => {
  const script = `import sys, email, json
message = email.message_from_bytes(sys.stdin.buffer.read())
parts = [p for p in message.walk() if not p.is_multipart()]
print(json.dumps([[p.get_content_type(), p.get_payload(decode=True).decode()] for p in parts]))`;
  const message = compose(userMime);
  const seen = spawnSync('python3', ['-c', script], { input: message, encoding: 'utf8' });
  const parts = JSON.parse(seen.stdout) as [string, string][];
  expect(parts.map(([type]) => type)).toEqual(types(message));
  expect(parts[0]?.[1]).toBe('#!/bin/sh\necho one');
  expect(parts[2]?.[1]).toContain('ed25519_private: |\n    -----BEGIN OPENSSH PRIVATE KEY-----');
});
