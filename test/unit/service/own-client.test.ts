// The certificate with which the manager looks at its hosts stays good whatever happens to the clock. Real keys in a folder.
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeys } from '../../../src/adapters/keys/keys.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { createOwnClient, type OwnClient } from '../../../src/service/own-client.ts';
import { NOON } from '../../support/builders.ts';
import { createHandClock, type HandClock } from '../../support/hand-clock.ts';

const DAY_MS = 24 * HOUR_MS;

let folder: string;
let clock: HandClock;
let client: OwnClient;
let stop: AbortController;

beforeEach(async () => {
  stop = new AbortController();
  folder = mkdtempSync(join(tmpdir(), 'hostler-own-client-'));
  clock = createHandClock(NOON);
  client = await createOwnClient({ keys: createKeys(folder, { clock }), clock });
  void client.run(stop.signal);
});
afterEach(() => {
  stop.abort();
  rmSync(folder, { recursive: true, force: true });
});

/** Whether the certificate that is shown now is good at the wall clock's time. */
function isGood(): boolean {
  const { validFromDate, validToDate } = new X509Certificate(client.current().cert);
  return validFromDate.getTime() <= clock.now() && clock.now() < validToDate.getTime();
}

test('a new one is shown each day', async () => {
  const first = client.current();
  await clock.advance(23 * HOUR_MS);
  expect(client.current()).toBe(first);
  await clock.advance(75 * MINUTE_MS);
  await expect.poll(() => client.current() === first).toBe(false);
  expect(isGood()).toBe(true);
});

test.each([-400, 400])(
  'a clock that is set by %i days leaves it good within a quarter of an hour',
  async (days) => {
    clock.jump(days * DAY_MS);
    expect(isGood()).toBe(false);
    await clock.advance(15 * MINUTE_MS);
    await expect.poll(isGood).toBe(true);
  },
);
