// Calls about key pairs. The private half of a made pair is answered once and kept nowhere.
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import ssh2 from 'ssh2';
import { refuse } from '../sim/ec2-error.ts';
import type { KeyPair } from '../sim/key-pairs.ts';
import { type Ec2Action, type Fields, paged, required, tagsFor } from './ec2-action.ts';
import { tagSet, timeXml } from './ec2-answers.ts';
import { readDescribe } from './ec2-requests.ts';

const pairXml = (pair: KeyPair): Fields => ({
  keyPairId: pair.id,
  keyName: pair.name,
  keyFingerprint: pair.fingerprint,
  keyType: pair.type,
  createTime: timeXml(pair.createdAt),
  tagSet: tagSet(pair.tags),
});

const madeXml = ({ id, name, fingerprint, tags }: KeyPair): Fields => ({
  keyPairId: id,
  keyName: name,
  keyFingerprint: fingerprint,
  tagSet: tagSet(tags),
});

/** One number of an SSH public key: its length in four bytes, a zero before what would look negative. */
function numberPart(value: Buffer): Buffer {
  const body = (value[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), value]) : value;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** EC2 gives RSA keys as PKCS #1 and ed25519 ones in OpenSSH's own format. */
function makePair(type: string): { privateKey: string; publicKey: string } {
  if (type === 'ed25519') {
    const made = ssh2.utils.generateKeyPairSync('ed25519');
    return { privateKey: made.private, publicKey: made.public };
  }
  if (type !== 'rsa') {
    return refuse('InvalidParameterValue', `Invalid value '${type.slice(0, 40)}' for KeyType.`);
  }
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const { n = '', e = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const parts = [Buffer.from('ssh-rsa'), Buffer.from(e, 'base64url'), Buffer.from(n, 'base64url')];
  return {
    privateKey,
    publicKey: `ssh-rsa ${Buffer.concat(parts.map(numberPart)).toString('base64')}`,
  };
}

const createKeyPair: Ec2Action = (region, params) => {
  const name = required(params, 'KeyName');
  if ((params.text('KeyFormat') ?? 'pem') !== 'pem') {
    refuse('UnsupportedOperation', 'The emulator makes key pairs in the format pem only.');
  }
  const { privateKey, publicKey } = makePair(params.text('KeyType') ?? 'rsa');
  const pair = region.keyPairs.add({ name, publicKey, tags: tagsFor(params, 'key-pair') });
  return { ...madeXml(pair), keyMaterial: privateKey };
};

const importKeyPair: Ec2Action = (region, params) => {
  const name = required(params, 'KeyName');
  const publicKey = Buffer.from(required(params, 'PublicKeyMaterial'), 'base64').toString('utf8');
  return madeXml(region.keyPairs.add({ name, publicKey, tags: tagsFor(params, 'key-pair') }));
};

export const keyPairActions: Readonly<Record<string, Ec2Action>> = {
  CreateKeyPair: createKeyPair,
  ImportKeyPair: importKeyPair,
  DeleteKeyPair: (region, params) => {
    const gone = region.keyPairs.remove({ name: params.text('KeyName'), id: params.text('KeyPairId') });
    return { return: true, keyPairId: gone?.id };
  },
  DescribeKeyPairs: (region, params) => {
    const withKey = params.flag('IncludePublicKey');
    const query = { ...readDescribe(params, 'KeyPairId'), names: params.list('KeyName') };
    return paged('keySet', region.keyPairs.describe(query), (pair) => ({
      ...pairXml(pair),
      publicKey: withKey ? pair.publicKey : null,
    }));
  },
};
