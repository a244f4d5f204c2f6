// The webhook door on real HTTP: who is let in, what is refused, and that a body says no more than which project changed.
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Config, Secret } from '../../../../src/domain/config.ts';
import type { QueueSecret } from '../../../../src/domain/queue.ts';
import { MINUTE_MS } from '../../../../src/domain/units.ts';
import { MAX_HOOK_BYTES } from '../../../../src/doors/http/webhook-app.ts';
import {
  createWebhookDoors,
  type WebhookDoorDeps,
  type WebhookDoors,
} from '../../../../src/doors/http/webhook-doors.ts';
import { createHookGuard, MOST_SKEW_MS } from '../../../../src/doors/http/webhook-proof.ts';
import { createWebhookBook, type WebhookBook } from '../../../../src/service/webhook-book.ts';
import { createWebhookSecrets } from '../../../../src/service/webhook-secrets.ts';
import { NOON, poolSpec } from '../../../support/builders.ts';
import { createHandClock, type HandClock } from '../../../support/hand-clock.ts';
import { queueSettings } from '../../../support/watched-queue.ts';

const TOKEN = 'plain-secret-of-the-hook';
const KEY = Buffer.from('0123456789abcdef0123456789abcdef');
const SIGNING = `whsec_${KEY.toString('base64')}`;

const pending = (over: object = {}) =>
  JSON.stringify({ object_kind: 'build', build_status: 'pending', build_id: 9, project_id: 7, ...over });

function signed(body: string, { id = 'm-1', at = NOON, key = KEY } = {}): Record<string, string> {
  const timestamp = String(Math.floor(at / 1_000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

let clock: HandClock;
let book: WebhookBook;
let doors: WebhookDoors;
let changed: number[];
let errors: string[];
let url: string;

const quiet = () => undefined;
const log = {
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: (text: string) => void errors.push(text),
  child: () => log,
};

/** What SSM answers by parameter; an Error is thrown. */
let inSsm: Record<string, string | Error>;
let ssmReads: number;
const parameters = {
  async read({ name }: { name: string }) {
    ssmReads += 1;
    const value = inSsm[name] ?? new Error(`the secret ssm:${name} cannot be read`);
    if (value instanceof Error) throw value;
    return new Secret(value);
  },
};

const secretOf = (text: string): QueueSecret =>
  text.startsWith('ssm:')
    ? { kind: 'ssm', name: text.slice('ssm:'.length), site: poolSpec().launch.site }
    : { kind: 'value', value: new Secret(text) };

const doorsOf = (over: Partial<WebhookDoorDeps> = {}): WebhookDoors => {
  const secrets = createWebhookSecrets({ secrets: parameters, clock });
  const told = (project: number) => void changed.push(project);
  return createWebhookDoors({ book, secrets, clock, log, changed: told, ...over });
};

const configOf = (listen: string | null, ...secrets: string[]): Config => {
  const pools = secrets.map((secret, index) =>
    poolSpec({
      id: `p${index}`,
      queue: queueSettings({ webhook: listen === null ? null : { listen, secret: secretOf(secret) } }),
    }),
  );
  return { pools } as unknown as Config;
};

beforeEach(async () => {
  clock = createHandClock(NOON);
  book = createWebhookBook();
  changed = [];
  errors = [];
  inSsm = {};
  ssmReads = 0;
  doors = doorsOf();
  await doors.follow(configOf('127.0.0.1:0', TOKEN, SIGNING));
  url = openUrl();
});
afterEach(() => doors.close());

const openUrl = () => /http:\S+?(?=,)/.exec(book.describe('127.0.0.1:0', NOON) ?? '')?.[0] ?? '';

async function send(body: string | Buffer, headers: Record<string, string>, method = 'POST') {
  const answer = await fetch(url, { method, headers, ...(method === 'POST' && { body }) });
  return { status: answer.status, text: await answer.text() };
}

describe('a webhook', () => {
  test('with the secret token marks its project', async () => {
    expect(await send(pending(), { 'x-gitlab-token': TOKEN })).toEqual({
      status: 200,
      text: 'hostler: taken\n',
    });
    expect(changed).toEqual([7]);
  });

  test('with a signature marks its project, also among others while tokens are changed', async () => {
    expect((await send(pending(), signed(pending()))).status).toBe(200);
    const next = signed(pending(), { id: 'm-2' });
    const both = { ...next, 'webhook-signature': `v1,AAAA ${next['webhook-signature'] ?? ''} v2,x` };
    expect((await send(pending(), both)).status).toBe(200);
    expect(changed).toEqual([7, 7]);
  });

  test.each([
    ['no proof at all', pending(), {}],
    ['a wrong token', pending(), { 'x-gitlab-token': `${TOKEN}x` }],
    ['the signing token in the header of plain tokens', pending(), { 'x-gitlab-token': SIGNING }],
    ['a signature of another key', pending(), signed(pending(), { key: Buffer.from('other') })],
    ['a signature of another body', pending({ project_id: 8 }), signed(pending())],
    ['a signature of another id', pending(), { ...signed(pending()), 'webhook-id': 'm-9' }],
    ['a signature without its time', pending(), { ...signed(pending()), 'webhook-timestamp': '' }],
    ['a time that is none', pending(), { ...signed(pending()), 'webhook-timestamp': '1e9' }],
    ['an old time', pending(), signed(pending(), { at: NOON - MOST_SKEW_MS - 2_000 })],
    ['a time ahead', pending(), signed(pending(), { at: NOON + MOST_SKEW_MS + 2_000 })],
    [
      'a version of signatures that is not known',
      pending(),
      { ...signed(pending()), 'webhook-signature': 'v2,x' },
    ],
  ] as [string, string, Record<string, string>][])(
    'with %s is refused with 401 and no word of what was wrong',
    async (_name, body, headers) => {
      const { status, text } = await send(body, headers);
      expect(status).toBe(401);
      expect(text).toMatch(/^hostler: the webhook (is not proven|has neither a token nor a signature)\n$/);
      expect(text).not.toContain(TOKEN);
      expect(changed).toEqual([]);
    },
  );

  test('is taken once: the same id again is refused, as is one of a plain token', async () => {
    const headers = signed(pending());
    await send(pending(), headers);
    expect((await send(pending(), headers)).status).toBe(409);
    const plain = { 'x-gitlab-token': TOKEN, 'idempotency-key': 'k-1' };
    expect((await send(pending(), plain)).status).toBe(200);
    expect((await send(pending(), plain)).status).toBe(409);
    expect(changed).toEqual([7, 7]);
  });

  test('cannot be used up by one who cannot prove: its id counts only when it is proven', async () => {
    await send(pending(), { ...signed(pending()), 'webhook-signature': 'v1,AAAA' });
    expect((await send(pending(), signed(pending()))).status).toBe(200);
  });

  test('above 1 MiB is refused with 413, whoever sends it', async () => {
    const large = Buffer.alloc(MAX_HOOK_BYTES + 1, 32);
    expect((await send(large, { 'x-gitlab-token': TOKEN })).status).toBe(413);
  });

  test.each([
    ['', 400],
    ['{', 400],
    ['[]', 400],
    ['"text"', 400],
    ['{"object_kind":"build","build_status":"pending"}', 400],
    ['{"object_kind":"build","build_status":"pending","project_id":"7"}', 400],
    ['{"object_kind":"build","build_status":"pending","project_id":-1}', 400],
    ['{"object_kind":7}', 400],
    ['{"object_kind":"push"}', 200],
    ['{"object_kind":"build","build_status":"running","project_id":7}', 200],
  ])('with the body %s is answered with %i and marks nothing', async (body, status) => {
    expect((await send(body, { 'x-gitlab-token': TOKEN })).status).toBe(status);
    expect(changed).toEqual([]);
  });

  test('that tells of a cancelled job marks its project, too', async () => {
    await send(pending({ build_status: 'canceled' }), { 'x-gitlab-token': TOKEN });
    expect(changed).toEqual([7]);
  });

  test('is a POST: anything else gets 405', async () => {
    expect((await send('', {}, 'GET')).status).toBe(405);
  });
});

describe('the address', () => {
  test('is described with what came and why the last call was refused', async () => {
    await send(pending(), { 'x-gitlab-token': TOKEN });
    await send(pending(), { 'x-gitlab-token': 'wrong' });
    expect(book.describe('127.0.0.1:0', NOON + 3_000)).toMatch(
      /^taken at http:\/\/127\.0\.0\.1:\d+, the last came 3 s ago; 1 refused, the last because its token does not fit: a job is seen within 2 s of it$/,
    );
    expect(book.describe(null, NOON)).toBeNull();
  });

  test('takes a new secret at a reload without closing, and the old one no longer', async () => {
    await doors.follow(configOf('127.0.0.1:0', 'another-secret'));
    expect((await send(pending(), { 'x-gitlab-token': TOKEN })).status).toBe(401);
    expect((await send(pending(), { 'x-gitlab-token': 'another-secret' })).status).toBe(200);
  });

  test('is closed when no pool names it any more', async () => {
    await doors.follow(configOf(null, TOKEN));
    await expect(send(pending(), { 'x-gitlab-token': TOKEN })).rejects.toThrow();
  });

  test('that is taken is said in words, and nothing else fails by it', async () => {
    const taken = new URL(url).host;
    const other = createWebhookBook();
    const second = doorsOf({ book: other });
    await second.follow(configOf(taken, TOKEN));
    expect(other.describe(taken, NOON)).toContain(`not taken: webhook_listen ${taken} is taken by another`);
    expect(errors).toHaveLength(1);
    await second.close();
  });
});

describe('a secret in SSM', () => {
  const FIRST = 'first-secret-in-ssm';
  const NEXT = 'next-secret-in-ssm';
  const NAME = 'ssm:/hostler/hook';
  const hook = (token: string) => send(pending(), { 'x-gitlab-token': token });
  /** The real port opens beside the virtual clock. */
  const opened = async () => {
    await vi.waitFor(() => expect(openUrl()).not.toBe(''));
    url = openUrl();
  };

  beforeEach(async () => {
    await doors.close();
    book = createWebhookBook();
    doors = doorsOf();
  });

  test('opens the address when it was read, and is read again within a minute of a call that it does not fit', async () => {
    inSsm = { '/hostler/hook': FIRST };
    await doors.follow(configOf('127.0.0.1:0', NAME));
    await opened();
    expect((await hook(FIRST)).status).toBe(200);
    inSsm = { '/hostler/hook': NEXT };
    expect((await hook(NEXT)).status).toBe(401);
    await clock.advance(MINUTE_MS);
    expect((await hook(NEXT)).status).toBe(200);
    expect((await hook(FIRST)).status).toBe(401);
    expect(errors).toEqual([]);
  });

  test('is read each ten minutes, and once a minute however many calls fit none', async () => {
    inSsm = { '/hostler/hook': FIRST };
    await doors.follow(configOf('127.0.0.1:0', NAME));
    await opened();
    await clock.advance(30 * MINUTE_MS);
    expect(ssmReads).toBe(4);
    for (let call = 0; call < 50; call++) await hook('made-up-by-somebody');
    await clock.advance(5 * MINUTE_MS);
    expect(ssmReads).toBe(5);
  });

  test('that cannot be read shuts its address only, says so once, and opens it when it can', async () => {
    await doors.follow(configOf('127.0.0.1:0', NAME));
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    expect(book.describe('127.0.0.1:0', NOON)).toBe('not taken: the secret ssm:/hostler/hook cannot be read');
    await clock.advance(5 * MINUTE_MS);
    expect(errors).toHaveLength(1);
    inSsm = { '/hostler/hook': FIRST };
    await clock.advance(MINUTE_MS);
    await opened();
    expect((await hook(FIRST)).status).toBe(200);
  });

  test('that is known goes on while SSM is away, whoever sends what', async () => {
    inSsm = { '/hostler/hook': FIRST };
    await doors.follow(configOf('127.0.0.1:0', NAME));
    await opened();
    inSsm = {};
    await hook('made-up-by-somebody');
    await clock.advance(30 * MINUTE_MS);
    expect((await hook(FIRST)).status).toBe(200);
    expect(errors).toHaveLength(1);
  });

  test('is too short to be one: its address stays shut', async () => {
    inSsm = { '/hostler/hook': 'short' };
    await doors.follow(configOf('127.0.0.1:0', NAME));
    await vi.waitFor(() =>
      expect(book.describe('127.0.0.1:0', NOON)).toBe(
        "not taken: a webhook's secret has at least 12 characters",
      ),
    );
  });

  test('beside one of the file: the address is open at once for the one, later for both', async () => {
    inSsm = { '/hostler/hook': FIRST };
    await doors.follow(configOf('127.0.0.1:0', TOKEN, NAME));
    await opened();
    expect((await hook(TOKEN)).status).toBe(200);
    await vi.waitFor(async () => expect((await hook(FIRST)).status).toBe(200));
  });
});

test('ids of a flood of good calls cost bounded memory, and the newest are the ones that are kept', () => {
  const guard = createHookGuard(() => [new Secret(TOKEN)]);
  const prove = (id: string) =>
    guard.prove({
      headers: { 'x-gitlab-token': TOKEN, 'webhook-id': id },
      body: Buffer.alloc(0),
      now: NOON,
    }).ok;
  for (let id = 0; id < 71_000; id++) prove(`id-${id}`);
  expect(prove('id-70999')).toBe(false);
  expect(prove('id-0')).toBe(true);
});
