// X.509 for hosts: an authority of our own and the leaves it signs, all ECDSA P-256, in PEM.
// What clients check was tried with openssl -x509_strict, Go and Node: SAN addresses, key identifiers, extended key usage.
// Trap: the x509 library needs reflect-metadata loaded before it.
import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { CertifiedKey } from '../../ports/keys.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Hosts' clocks may be behind ours right after boot. */
const BACKDATE_MS = 60 * 60 * 1000;

/** 20 years: no machine outlives it; a planned change of the authority is a matter of moving `keys/` away. */
const AUTHORITY_LIFE_MS = 20 * 365 * 24 * 60 * 60 * 1000;

/** A CN longer than 64 characters is not valid (RFC 5280, ub-common-name). */
const MAX_COMMON_NAME = 64;

/** The authority in use: its certificate and the key that signs. */
export type Authority = {
  pem: string;
  certificate: x509.X509Certificate;
  signingKey: webcrypto.CryptoKey;
  /** What leaves say of it; the same for all. */
  issuer: ReturnType<x509.Name['toJSON']>;
  keyIdentifier: x509.AuthorityKeyIdentifierExtension;
};

export type LeafOrder = {
  commonName: string;
  use: 'server' | 'client';
  addresses: readonly string[];
  names: readonly string[];
  now: number;
  notAfter: number;
};

/** 16 bytes, the first bit 0: a positive integer of fixed length. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function newKeyPair(): Promise<{ pair: webcrypto.CryptoKeyPair; pem: string }> {
  const pair = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey));
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    type: 'pkcs8',
    format: 'pem',
  });
  return { pair, pem: pem.toString() };
}

/** A new authority as one PEM text, certificate first, then its key. `now` in epoch ms. */
export async function makeAuthority(now: number): Promise<string> {
  const { pair, pem } = await newKeyPair();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: ['hostler'] }, { OU: [randomBytes(4).toString('hex')] }],
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + AUTHORITY_LIFE_MS),
    signingAlgorithm: ALGORITHM,
    keys: pair,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(pair.publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n${pem}`;
}

/** Reads what `makeAuthority` wrote. Throws a plain error when the text is not that. */
export async function readAuthority(text: string): Promise<Authority> {
  const certificateText = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(text)?.[0];
  const keyText = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----/.exec(text)?.[0];
  if (certificateText === undefined || keyText === undefined)
    throw new Error('it does not hold a certificate and its key');
  const der = createPrivateKey(keyText).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  const certificate = new x509.X509Certificate(certificateText);
  return {
    pem: `${certificateText}\n`,
    certificate,
    signingKey,
    issuer: certificate.subjectName.toJSON(),
    keyIdentifier: await x509.AuthorityKeyIdentifierExtension.create(certificate.publicKey),
  };
}

/** A certificate signed by the authority, valid from one hour back until `notAfter`, with its new key (PKCS8). */
export async function issueLeaf(authority: Authority, order: LeafOrder): Promise<CertifiedKey> {
  const { pair, pem } = await newKeyPair();
  const alternatives = [
    ...order.addresses
      .filter((address) => isIP(address) !== 0)
      .map((value) => ({ type: 'ip' as const, value })),
    ...order.names.map((value) => ({ type: 'dns' as const, value })),
  ];
  const usage = order.use === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ O: ['hostler'] }, { CN: [order.commonName.slice(0, MAX_COMMON_NAME)] }],
    issuer: authority.issuer,
    notBefore: new Date(order.now - BACKDATE_MS),
    notAfter: new Date(order.notAfter),
    signingAlgorithm: ALGORITHM,
    signingKey: authority.signingKey,
    publicKey: pair.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
      await x509.SubjectKeyIdentifierExtension.create(pair.publicKey),
      authority.keyIdentifier,
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: pem };
}
