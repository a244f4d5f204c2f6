// The rounds of looks on a hand clock and a real store: which host's turn it is, with more hosts than looks.
import { beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import type { Config } from '../../../src/domain/config.ts';
import { SECOND_MS } from '../../../src/domain/units.ts';
import type { Docker } from '../../../src/ports/docker.ts';
import type { RunnerStore } from '../../../src/ports/runner-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import { createHostWatch, PING_EVERY_MS } from '../../../src/service/watch-hosts.ts';
import { machine as aMachine, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock, type HandClock } from '../../support/hand-clock.ts';

let clock: HandClock;
let store: Store;
let looked: string[];
/** Ends the looks of hosts that take their time. */
let answers: (() => void)[];
let isSlow: boolean;
const stop = new AbortController();

/** Hosts that answer at once, or when they are told to; who was asked is kept. */
const docker = {
  ping: async ({ address }: { address: string }) => {
    looked.push(address);
    if (isSlow) await new Promise<void>((resolve) => answers.push(resolve));
    return true;
  },
} as unknown as Docker;

function watch(hosts: number, failedPings = 0): void {
  for (let index = 0; index < hosts; index += 1) {
    const address = `10.0.${index >> 8}.${index & 255}`;
    store.putMachine(aMachine({ id: `m-${index}`, phase: 'ready', address, failedPings }));
  }
  const config = createCurrentConfig({ pools: [poolSpec()] } as unknown as Config, NOON);
  const hostOf = ({ address }: { address: string | null }) => ({
    address: address ?? '',
    port: 2376,
    tls: { ca: '', cert: '', key: '' },
  });
  const runnerStore = {} as RunnerStore;
  void createHostWatch({ store, config, docker, runnerStore, clock, hostOf, nudge: () => undefined }).run(
    stop.signal,
  );
}

beforeEach(() => {
  clock = createHandClock(NOON);
  store = createStore(openDatabase(':memory:'));
  looked = [];
  answers = [];
  isSlow = false;
});

test('with more hosts than looks, each is looked at before any a second time', async () => {
  watch(2_500);
  await clock.advance(24 * SECOND_MS);
  expect(new Set(looked).size).toBe(looked.length);
  await clock.advance(2 * SECOND_MS);
  expect(new Set(looked).size).toBe(2_500);
});

test('a host that had its turn is left alone until the next', async () => {
  watch(30);
  await clock.advance(PING_EVERY_MS - SECOND_MS);
  expect(looked.length).toBe(30);
  await clock.advance(2 * SECOND_MS);
  expect(looked.length).toBe(60);
});

test('at most a hundred looks begin in a second', async () => {
  watch(5_000);
  await clock.advance(10 * SECOND_MS - 1);
  expect(looked.length).toBe(1_000);
});

test('hosts that are slow to answer are not asked all at once', async () => {
  isSlow = true;
  watch(500);
  await clock.advance(5 * SECOND_MS);
  expect(looked.length).toBe(64);
  for (const answer of answers.splice(0, 4)) answer();
  await clock.advance(SECOND_MS);
  expect(looked.length).toBe(68);
});

test('hosts that were silent before take no place from others', async () => {
  isSlow = true;
  watch(200, 2);
  await clock.advance(5 * SECOND_MS);
  expect(looked.length).toBe(200);
});
