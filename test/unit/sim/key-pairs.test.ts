import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ask, codeOf, createFixture, one, query } from './sim-fixture.ts';

const part = (text: string | Buffer): Buffer => {
  const body = Buffer.from(text as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
};
const line = (algorithm: string, ...parts: (string | Buffer)[]): string =>
  `${algorithm} ${Buffer.concat([algorithm, ...parts].map(part)).toString('base64')}`;
const rsaLine = (bits: number): { text: string; der: Buffer } => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const modulus = Buffer.concat([Buffer.from([0]), Buffer.from(n, 'base64url')]);
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return { text: line('ssh-rsa', Buffer.from(e, 'base64url'), modulus), der };
};

const ed25519 = line('ssh-ed25519', Buffer.alloc(32, 7));
const names = (...some: string[]) => ({ ...query(), names: some });

describe('key pairs', () => {
  test('are found by name and id once they are imported, and not before', () => {
    const { keyPairs } = createFixture().region;
    const find = (name: string) => keyPairs.describe(names(name)).things;
    expect(codeOf(() => find('runner'))).toBe('InvalidKeyPair.NotFound');
    const pair = keyPairs.add({ name: 'runner', publicKey: ed25519, tags: [{ key: 'a', value: 'b' }] });
    expect(find('runner')).toEqual([pair]);
    expect(keyPairs.describe({ ...names(), ids: [pair.id] }).things).toEqual([pair]);
    const filters = [{ name: 'key-name', values: ['run*'] }];
    expect(keyPairs.describe({ ...names(), filters }).things).toEqual([pair]);
    expect(pair).toMatchObject({ type: 'ed25519', publicKey: `${ed25519} runner` });
  });

  test('have one name each', () => {
    const { keyPairs } = createFixture().region;
    const add = () => keyPairs.add({ name: 'runner', publicKey: ed25519, tags: [] });
    add();
    expect(codeOf(add)).toBe('InvalidKeyPair.Duplicate');
    keyPairs.remove({ name: 'runner', id: null });
    expect(codeOf(add)).toBe('done');
  });

  test('deleting a name that is not there is no error; an id that is not there is one', () => {
    const { keyPairs } = createFixture().region;
    const remove = (name: string | null, id: string | null) => codeOf(() => keyPairs.remove({ name, id }));
    expect(remove('nobody', null)).toBe('done');
    expect(remove(null, 'key-0123456789abcdef0')).toBe('InvalidKeyPair.NotFound');
    expect(remove(null, null)).toBe('MissingParameter');
  });

  test('an imported RSA key has the MD5 of its DER form as fingerprint', () => {
    const { keyPairs } = createFixture().region;
    const { text, der } = rsaLine(2048);
    const pair = keyPairs.add({ name: 'runner', publicKey: `${text} me@here\n`, tags: [] });
    expect(pair.type).toBe('rsa');
    expect(pair.fingerprint).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
    expect(pair.fingerprint.replaceAll(':', '')).toBe(createHash('md5').update(der).digest('hex'));
  });

  test.each<[string, string]>([
    ['nothing', ''],
    ['a private key', '-----BEGIN RSA PRIVATE KEY-----'],
    ['another algorithm', line('ecdsa-sha2-nistp256', 'nistp256', Buffer.alloc(65))],
    ['a blob that says otherwise', `ssh-rsa ${ed25519.split(' ')[1]}`],
    ['a key cut short', ed25519.slice(0, 40)],
    ['an RSA key of an odd size', rsaLine(1536).text],
    ['base64 without end', `ssh-rsa ${'A'.repeat(5_000)}`],
  ])('%s is no key that EC2 takes', (_what, publicKey) => {
    const { keyPairs } = createFixture().region;
    expect(codeOf(() => keyPairs.add({ name: 'runner', publicKey, tags: [] }))).toBe('InvalidKey.Format');
  });

  test('a launch brings the key of its pair; in a lenient world the name alone is enough', () => {
    const { region } = createFixture();
    region.keyPairs.add({ name: 'runner', publicKey: ed25519, tags: [] });
    const key = (keyName: string) => one(region.runInstances(ask({ keyName }))).publicKey;
    expect(key('runner')).toBe(`${ed25519} runner`);
    expect(key('nobody')).toBeNull();
  });

  test('in a strict world a launch with an unknown pair is refused', () => {
    const { region } = createFixture({ strict: true });
    const imageId = region.images.parameter(
      '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64',
    );
    const call = () => region.runInstances(ask({ imageId, keyName: 'runner' }));
    expect(codeOf(call)).toBe('InvalidKeyPair.NotFound');
    region.keyPairs.add({ name: 'runner', publicKey: ed25519, tags: [] });
    expect(codeOf(call)).toBe('done');
  });
});

describe('tags', () => {
  test('are taken for a new instance before it is listed', () => {
    const { region } = createFixture();
    const instance = one(region.runInstances(ask()));
    region.createTags([instance.id, instance.volume.id], [{ key: 'Name', value: 'mine' }]);
    expect(instance.tags.get('Name')).toBe('mine');
    expect(instance.volume.tags.get('Name')).toBe('mine');
  });

  test('go by key, by key and value, or all at once', () => {
    const { region } = createFixture();
    const { id, tags } = one(region.runInstances(ask()));
    const set = () =>
      region.createTags(
        [id],
        ['a', 'b', 'c'].map((key) => ({ key, value: '1' })),
      );
    set();
    region.deleteTags(
      [id],
      [
        { key: 'a', value: null },
        { key: 'b', value: '2' },
        { key: 'c', value: '1' },
      ],
    );
    expect([...tags.keys()]).toEqual(['b']);
    set();
    region.deleteTags([id], []);
    expect(tags.size).toBe(0);
  });

  test('one id that is none and no resource is tagged', () => {
    const { region } = createFixture();
    const { id, tags } = one(region.runInstances(ask()));
    const tag = [{ key: 'a', value: 'b' }];
    const call = (other: string) => codeOf(() => region.createTags([id, other], tag));
    expect(call('i-xyz')).toBe('InvalidID');
    expect(call('sir-12345678')).toBe('InvalidID');
    expect(call('subnetwork')).toBe('InvalidID');
    expect(call('i-0123456789abcdef0')).toBe('InvalidInstanceID.NotFound');
    expect(codeOf(() => region.createTags([id], []))).toBe('MissingParameter');
    expect(tags.size).toBe(0);
  });
});
