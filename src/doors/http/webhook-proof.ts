// Whether a webhook comes from GitLab: by its secret token, or by its signature over id, time and body (GitLab 19).
// Compared in constant time; says in a few words what is wrong and never what would have been right.
// Traps: only a signature proves id and time, so a plain token is refused replays by id on its word alone; ids are kept
// only of calls that were proven, or anybody could fill the memory.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../domain/config.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';

/** A signed call may be that old, or that far ahead: clocks differ, GitLab waits up to 10 s for an answer. */
export const MOST_SKEW_MS: DurationMs = 5 * MINUTE_MS;
/** Ids that are remembered: GitLab sends at most 13,000 hooks a minute for one group; about 8 MB. */
export const MOST_IDS = 70_000;
/** GitLab's ids are UUIDs of 36 characters. */
const MOST_ID_LENGTH = 200;
/** Signatures of one call: one for each token while they are rotated. */
const MOST_SIGNATURES = 8;

export type HookHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export type HookProof =
  | { ok: true }
  /** 401: not proven. 409: taken before. */
  | { ok: false; status: 401 | 409; why: string };

export type HookGuard = {
  /** False when nothing in the headers can prove anything: the body need not be read. */
  mayProve(headers: HookHeaders): boolean;
  prove(call: { headers: HookHeaders; body: Buffer; now: EpochMs }): HookProof;
};

function header(headers: HookHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Every secret is compared, whatever the ones before gave. */
function isToken(sent: string, secrets: readonly string[]): boolean {
  const theirs = digest(sent);
  return secrets.map((secret) => timingSafeEqual(theirs, digest(secret))).includes(true);
}

/** What stands after `whsec_`, as GitLab shows signing tokens. */
function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice('whsec_'.length), 'base64');
}

function isSigned(signatures: string, signed: Buffer, secrets: readonly string[]): boolean {
  const theirs = signatures
    .split(' ')
    .slice(0, MOST_SIGNATURES)
    .filter((part) => part.startsWith('v1,'))
    .map((part) => digest(part.slice('v1,'.length)));
  const ours = secrets.map((secret) =>
    digest(createHmac('sha256', keyOf(secret)).update(signed).digest('base64')),
  );
  return ours.flatMap((one) => theirs.map((other) => timingSafeEqual(one, other))).includes(true);
}

const no = (why: string, status: 401 | 409 = 401): HookProof => ({ ok: false, status, why });

/** True for a time that is a whole number of seconds near enough to now. */
function isNear(timestamp: string, now: EpochMs): boolean {
  return /^\d{9,11}$/.test(timestamp) && Math.abs(Number(timestamp) * SECOND_MS - now) <= MOST_SKEW_MS;
}

/** Remembers ids for as long as their calls could be sent again. */
function createIds(): (id: string, now: EpochMs) => boolean {
  const seen = new Map<string, EpochMs>();
  return (id, now) => {
    for (const [old, at] of seen) {
      if (seen.size < MOST_IDS && now - at <= 2 * MOST_SKEW_MS) break;
      seen.delete(old);
    }
    const key = digest(id).toString('base64url').slice(0, 24);
    const at = seen.get(key);
    if (at !== undefined && now - at <= 2 * MOST_SKEW_MS) return false;
    seen.delete(key);
    seen.set(key, now);
    return true;
  };
}

/** A guard for one address; secrets that begin with `whsec_` are signing tokens. */
export function createHookGuard(secrets: () => readonly Secret[]): HookGuard {
  const isNew = createIds();

  function proveSigned(
    signature: string,
    { headers, body, now }: { headers: HookHeaders; body: Buffer; now: EpochMs },
    tokens: readonly string[],
  ): HookProof {
    const id = header(headers, 'webhook-id');
    const timestamp = header(headers, 'webhook-timestamp');
    if (id === null || id.length > MOST_ID_LENGTH || timestamp === null)
      return no('its id or its time is missing');
    const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
    if (!isSigned(signature, signed, tokens)) return no('its signature does not fit');
    if (!isNear(timestamp, now)) return no('it is too old, or a clock is wrong');
    return isNew(id, now) ? { ok: true } : no('it was taken before', 409);
  }

  return {
    mayProve: (headers) =>
      header(headers, 'webhook-signature') !== null || header(headers, 'x-gitlab-token') !== null,
    prove(call) {
      const { headers, now } = call;
      const known = secrets().map((secret) => secret.reveal());
      const signing = known.filter((secret) => secret.startsWith('whsec_'));
      const signature = header(headers, 'webhook-signature');
      // Whoever can sign is held to it: a secret that once stood in a header proves nothing against a signing token.
      if (signature !== null && signing.length > 0) {
        const proof = proveSigned(signature, call, signing);
        if (proof.ok || proof.status === 409) return proof;
        if (header(headers, 'x-gitlab-token') === null) return proof;
      }
      const plain = known.filter((secret) => !secret.startsWith('whsec_'));
      const token = header(headers, 'x-gitlab-token');
      if (token === null) return no('it has neither the token nor a signature that is known here');
      if (!isToken(token, plain)) return no('its token does not fit');
      const id = header(headers, 'webhook-id') ?? header(headers, 'idempotency-key');
      if (id === null) return { ok: true };
      if (id.length > MOST_ID_LENGTH) return no('its id is too long');
      return isNew(id, now) ? { ok: true } : no('it was taken before', 409);
    },
  };
}
