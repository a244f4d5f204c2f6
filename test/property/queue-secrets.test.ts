// Whatever SSM answers to the question for a token, and whatever a branch is called: a token or one clear line, a question
// for that one branch or none. Ten thousand inputs each.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { carriedClients } from '../../src/adapters/aws/carried-clients.ts';
import { createSecretParameters } from '../../src/adapters/aws/secret-parameters.ts';
import { createGitlabDoor } from '../../src/adapters/gitlab/gitlab.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { Secret } from '../../src/domain/config.ts';
import { HostlerError } from '../../src/domain/error.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { poolSpec } from '../support/builders.ts';

/** Inputs of each. */
const RUNS = { numRuns: 10_000 };
const NEVER = new AbortController().signal;
/** Characters of a message: a line for a log. */
const MOST_LINE = 1_500;

function expectOneLine(error: unknown): void {
  expect(error).toBeInstanceOf(HostlerError);
  const { message } = error as Error;
  expect(message).not.toMatch(/[\n\r]/);
  expect(message.length).toBeLessThanOrEqual(MOST_LINE);
}

/** A second passes with each look at it, so that no bucket of calls is ever empty. */
function quickClock(): Clock {
  let at = 0;
  const tick = () => (at += 1_000);
  return { now: tick, monotonic: tick, sleep: async () => undefined, timeout: () => NEVER };
}

/** Any text, with broken pairs of code units, line breaks and what means something in a path. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.array(fc.nat(0xff_ff), { maxLength: 60 }).map((codes) => String.fromCharCode(...codes)),
  fc
    .array(
      fc.constantFrom(
        'main',
        '/',
        '..',
        '.',
        '%2f',
        '%',
        '?',
        '#',
        '\\',
        '\ud800',
        '\n',
        ' ',
        '@{',
        '\0',
        '*',
      ),
      {
        maxLength: 12,
      },
    )
    .map((parts) => parts.join('')),
);

describe('an answer of SSM', () => {
  const odd = fc.oneof(fc.jsonValue({ maxDepth: 2 }), anyText, fc.constantFrom(null, '', 0, [], {}, true));
  const parameter = fc.oneof(
    odd,
    fc.record(
      { Name: odd, Type: odd, Value: fc.oneof(odd, fc.constantFrom('glpat-fits', ' glpat-fits \n')) },
      {
        requiredKeys: [],
      },
    ),
  );
  const body = fc.oneof(
    anyText,
    odd.map((said) => JSON.stringify(said)),
    parameter.map((Parameter) => JSON.stringify({ Parameter })),
    fc
      .record({ __type: odd, message: odd, Message: odd }, { requiredKeys: [] })
      .map((said) => JSON.stringify(said)),
    fc.constantFrom(
      'x'.repeat(1_000_000),
      `{"Parameter":{"Value":"${'x'.repeat(1_000_000)}"}}`,
      '['.repeat(100_000),
    ),
  );
  const status = fc.constantFrom(200, 200, 200, 400, 403, 500, 503, 302, 204);

  test('gives one word, or one line that names the parameter and holds no value', async () => {
    let said = { status: 200, body: '' };
    const secrets = createSecretParameters({
      clock: quickClock(),
      log: {
        debug() {},
        info() {},
        warn() {},
        error() {},
        child: () => {
          throw new Error('no child is needed');
        },
      },
      env: {},
      onCall: () => undefined,
      clients: async () => carriedClients(async () => said),
    });
    const { site } = poolSpec().launch;
    await fc.assert(
      fc.asyncProperty(status, body, async (code, text) => {
        said = { status: code, body: text };
        try {
          const secret = await secrets.read({ site, name: '/hostler/token' }, NEVER);
          expect(secret.reveal()).toMatch(/^[\x21-\x7e]+$/);
          expect(code).toBeLessThan(300);
        } catch (error) {
          expectOneLine(error);
          expect((error as Error).message).toContain('ssm:/hostler/token in eu-central-1');
        }
      }),
      RUNS,
    );
    secrets.close();
  }, 240_000);
});

describe('the name of a branch', () => {
  test('becomes a question for that branch alone, and its answer yes, no, not known, or one line', async () => {
    let asked: string[] = [];
    let answer = '{}';
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end(answer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const gate = { enter: async () => undefined, leave: () => undefined };
    const gitlab = createGitlabDoor({ clock: createClock(), env: {}, version: '1.0.0' }).open(
      { url: `http://127.0.0.1:${port}`, token: new Secret('glpat-0000000000000000'), ca: null },
      gate,
    );
    const answers = fc.oneof(
      fc.boolean().map((isProtected) => JSON.stringify({ name: 'main', protected: isProtected })),
      fc.jsonValue({ maxDepth: 2 }).map((json) => JSON.stringify(json)),
      fc.jsonValue({ maxDepth: 1 }).map((json) => JSON.stringify({ protected: json })),
    );
    try {
      await fc.assert(
        fc.asyncProperty(anyText, fc.constantFrom(true, false, null), answers, async (ref, gitTag, text) => {
          asked = [];
          answer = text;
          try {
            const known = await gitlab.isProtected({ project: 1, ref, gitTag }, NEVER);
            expect([true, false, null]).toContain(known);
          } catch (error) {
            expectOneLine(error);
          }
          for (const path of asked) {
            const [, name = null] =
              /^\/api\/v4\/projects\/1\/repository\/(?:branches|tags)\/([^/?#]+)$/.exec(path) ?? [];
            expect(name === null ? path : decodeURIComponent(name)).toBe(ref);
          }
        }),
        RUNS,
      );
    } finally {
      gitlab.close();
      server.closeAllConnections();
      server.close();
    }
  }, 240_000);
});
