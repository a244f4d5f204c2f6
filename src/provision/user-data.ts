// User data of a launch: the user's own file and ours, as parts of one MIME message, which is what cloud-init merges.
// Must not hold a secret beyond the bootstrap host key: whoever may describe the instance or ask its metadata reads it.
// Traps: cloud-init replaces keys of earlier cloud-config parts unless told to merge; EC2 takes 16 KB before base64;
// two instances of one launch call share the bootstrap key, so provisioning replaces it at first contact.
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { HostlerError } from '../domain/error.ts';
import { bootHook, startScript } from './steps/boot.ts';
import type { HostLife } from './steps/dead-man.ts';

/** EC2's limit for user data before base64 (EC2 API reference, RunInstances UserData). */
export const MAX_USER_DATA_BYTES = 16 * 1024;

/** Bound for what a user's gzip file may unpack to: far above what fits compressed into 16 KB of scripts. */
const MAX_UNPACKED_BYTES = 1024 * 1024;

export type UserDataInput = {
  /** The user's own file: raw bytes, base64 (`LaunchSpec.userData`); null = none. */
  own: string | null;
  /** Where the user's file came from, for messages. */
  ownName?: string;
  /** Bootstrap host key, trusted until first contact (Keys.hostKey). */
  hostKey: { privateKey: string; publicKey: string };
  /** Public line for the AMI's default user; null when `amazonec2-keypair-name` makes EC2 bring it. */
  authorizedKey: string | null;
  /** After how long a host that nobody renews ends itself. */
  life: HostLife;
};

type Part = { type: string; name: string; body: Buffer; extra?: readonly string[] };

/** First words of a file → how cloud-init names that kind of part. */
const KINDS: readonly (readonly [RegExp, string, string])[] = [
  [/^#!/, 'text/x-shellscript', 'own.sh'],
  [/^#cloud-config-archive\b/, 'text/cloud-config-archive', 'own-archive.yaml'],
  [/^#cloud-config\b/, 'text/cloud-config', 'own.yaml'],
  [/^#cloud-boothook\b/, 'text/cloud-boothook', 'own-hook.sh'],
  [/^#include-once\b/, 'text/x-include-once-url', 'own-include.txt'],
  [/^#include\b/, 'text/x-include-url', 'own-include.txt'],
  [/^#part-handler\b/, 'text/part-handler', 'own-handler.py'],
  [/^## *template: *jinja\b/, 'text/jinja2', 'own-template.txt'],
];

const MIME_START = /^(content-type:[ \t]*multipart\/|mime-version:)/i;

function invalid(message: string): HostlerError {
  return new HostlerError('config-invalid', message, { where: 'amazonec2-userdata' });
}

function unpacked(own: Buffer, name: string): Buffer {
  if (own[0] !== 0x1f || own[1] !== 0x8b) return own;
  try {
    return gunzipSync(own, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch {
    throw invalid(`user data ${name} looks like gzip but cannot be unpacked to at most 1 MiB`);
  }
}

/** The text of one MIME part. 7-bit text goes as it is, so that the result stays readable; all else as base64. */
function partText(part: Part): Buffer {
  const text = part.body.toString('latin1');
  const plain = /^[\t\n\x20-\x7e]*$/.test(text) && !/^.{991,}$/m.test(text);
  const head = [
    `Content-Type: ${part.type}; charset="utf-8"`,
    'MIME-Version: 1.0',
    `Content-Transfer-Encoding: ${plain ? '7bit' : 'base64'}`,
    `Content-Disposition: attachment; filename="${part.name}"`,
    ...(part.extra ?? []),
    '',
    '',
  ].join('\n');
  const body = plain ? text : (part.body.toString('base64').match(/.{1,76}/g) ?? []).join('\n');
  return Buffer.from(head + body, 'latin1');
}

/** The user's file as a part; a file that is MIME already is nested whole, which cloud-init unfolds. */
function ownPart(own: Buffer, name: string): Buffer {
  const text = own.toString('latin1').replace(/^\xef\xbb\xbf/, '');
  if (MIME_START.test(text)) return Buffer.from(text, 'latin1');
  const kind = KINDS.find(([start]) => start.test(text));
  if (kind === undefined) {
    throw invalid(
      `user data ${name} is of no kind that can be merged: it must begin with #!, #cloud-config, another cloud-init header, or be MIME or gzip of these`,
    );
  }
  return partText({ type: kind[1], name: kind[2], body: Buffer.from(text, 'latin1') });
}

function indent(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

/** Ours wins: these host keys are what the manager pins. */
function hostKeyPart(hostKey: UserDataInput['hostKey']): Part {
  const body = [
    '#cloud-config',
    'ssh_keys:',
    '  ed25519_private: |',
    indent(hostKey.privateKey),
    `  ed25519_public: ${hostKey.publicKey} hostler-bootstrap`,
    '',
  ].join('\n');
  return {
    type: 'text/cloud-config',
    name: 'hostler-host-key.yaml',
    body: Buffer.from(body),
    extra: ['X-Merge-Type: dict(replace)+list()+str()'],
  };
}

/** Added to the user's own list of keys, if there is one. */
function userKeyPart(authorizedKey: string): Part {
  const body = ['#cloud-config', 'ssh_authorized_keys:', `  - ${authorizedKey} hostler`, ''].join('\n');
  return {
    type: 'text/cloud-config',
    name: 'hostler-user-key.yaml',
    body: Buffer.from(body),
    extra: ['X-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()'],
  };
}

function script(type: string, name: string, text: string): Part {
  return { type, name, body: Buffer.from(text) };
}

function compose(parts: readonly Buffer[]): Buffer {
  const all = Buffer.concat(parts);
  // From the content, so that equal input gives equal bytes: a launch can be sent again unchanged.
  const boundary = `==hostler-${createHash('sha256').update(all).digest('hex').slice(0, 24)}==`;
  const pieces = [
    Buffer.from(`Content-Type: multipart/mixed; boundary="${boundary}"\nMIME-Version: 1.0\n\n`),
    ...parts.flatMap((part) => [Buffer.from(`--${boundary}\n`), part, Buffer.from('\n')]),
    Buffer.from(`--${boundary}--\n`),
  ];
  return Buffer.concat(pieces);
}

/**
 * User data as RunInstances takes it: base64 of the MIME message, gzipped when it would not fit otherwise. The user's
 * part comes first, so that ours see what it installed, and merge rules keep both lists of keys.
 * Throws `config-invalid` when the user's file is of no known kind or all together is above EC2's 16 KB even packed.
 */
export function composeUserData(input: UserDataInput): string {
  const name = input.ownName ?? 'file';
  const own = input.own === null ? null : unpacked(Buffer.from(input.own, 'base64'), name);
  const message = compose([
    ...(own === null || own.length === 0 ? [] : [ownPart(own, name)]),
    partText(hostKeyPart(input.hostKey)),
    ...(input.authorizedKey === null ? [] : [partText(userKeyPart(input.authorizedKey))]),
    partText(script('text/cloud-boothook', 'hostler-boot.sh', bootHook(input.life))),
    partText(script('text/x-shellscript', 'zz-hostler-start.sh', startScript())),
  ]);
  if (message.length <= MAX_USER_DATA_BYTES) return message.toString('base64');
  const packed = gzipSync(message, { level: 9 });
  if (packed.length <= MAX_USER_DATA_BYTES) return packed.toString('base64');
  throw invalid(
    `user data ${name} is too large: with hostler's own part ${message.length} bytes, ${packed.length} packed; EC2 takes ${MAX_USER_DATA_BYTES}. Let it fetch the rest (#include, or curl in a script)`,
  );
}
