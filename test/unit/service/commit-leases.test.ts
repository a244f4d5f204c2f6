// Hand-overs that come together, on a real store whose database may refuse writes: one wait for the disk for all, none told
// before it is durable, one that was taken back no harm to the others.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createLog } from '../../../src/adapters/telemetry/log.ts';
import { createMetrics } from '../../../src/adapters/telemetry/metrics.ts';
import type { Config } from '../../../src/domain/config.ts';
import { createCommitQueue } from '../../../src/doors/http/commit-queue.ts';
import { createCommits } from '../../../src/service/commit-leases.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import { createJournal } from '../../../src/service/journal.ts';
import { createLeaseBook } from '../../../src/service/lease-book.ts';
import { createWaitingLine } from '../../../src/service/waiting-line.ts';
import { machine as aMachine, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

function aBatch() {
  const clock = createHandClock(NOON);
  const database = openDatabase(':memory:');
  const store = createStore(database);
  const log = createLog({ level: 'error', pretty: false, clock, destination: { write: () => undefined } });
  const metrics = createMetrics({ compat: false });
  const config = createCurrentConfig({ pools: [poolSpec()] } as unknown as Config, NOON);
  const journal = createJournal({ store, log, metrics, clock });
  const book = createLeaseBook({ store, config, clock, journal, line: createWaitingLine() });
  const commits = createCommits({ store, clock, metrics, journal, book });
  const names = ['1', '2', '3'].map((number) => {
    store.putMachine(aMachine({ id: `m-${number}` }));
    const request = { driver: 'amazonec2', options: [], store: '/store', pid: 1, runnerPid: 1 };
    return book.admit({ ...request, name: `runner-linux-machine-${number}` }).lease.name;
  });
  let durable = 0;
  const counted = {
    ...store,
    transaction: <T>(work: () => T, survives?: 'power-loss' | 'crash') => {
      if (survives !== 'crash') durable += 1;
      return store.transaction(work, survives);
    },
  };
  return {
    store,
    book,
    commits,
    names,
    states: () => names.map((name) => store.lease(name)?.state ?? null),
    told: () => store.events({ limit: 100 }).filter(({ code }) => code === 'granted').length,
    refuse: () => database.exec('pragma query_only = on'),
    allow: () => database.exec('pragma query_only = off'),
    countedCommits: createCommits({ store: counted, clock, metrics, journal, book }),
    durable: () => durable,
  };
}

let it: ReturnType<typeof aBatch>;
beforeEach(() => {
  it = aBatch();
});
afterEach(() => it.store.close());

describe('leases committed together', () => {
  test('are all the runner’s after one durable write', () => {
    expect(it.countedCommits.commitAll(it.names)).toEqual([null, null, null]);
    expect(it.durable()).toBe(1);
    expect(it.states()).toEqual(['held', 'held', 'held']);
    expect(it.told()).toBe(3);
  });

  test('do not suffer from one that was taken back meanwhile', () => {
    it.book.end(it.names[1] ?? '');
    const answers = it.commits.commitAll(it.names);
    expect(answers.map((error) => error?.code ?? null)).toEqual([null, 'lease-gone', null]);
    expect(it.states()).toEqual(['held', null, 'held']);
    expect(it.told()).toBe(2);
  });

  test('stay granted, and nothing is told of them, while the disk takes nothing', () => {
    it.refuse();
    expect(() => it.commits.commitAll(it.names)).toThrow(
      expect.objectContaining({ code: 'state-unwritable' }),
    );
    expect(it.states()).toEqual(['granted', 'granted', 'granted']);
    expect(it.told()).toBe(0);
    it.allow();
    it.store.flush();
    expect(it.commits.commitAll(it.names)).toEqual([null, null, null]);
  });
});

describe('commits that come in over several connections', () => {
  test('go out as one batch, and each connection hears of its own', async () => {
    const batches: (readonly string[])[] = [];
    const { commit } = createCommitQueue({
      commitLeases: (names) => {
        batches.push(names);
        return it.commits.commitAll(names);
      },
    });
    it.book.end(it.names[0] ?? '');
    const answers = await Promise.allSettled(it.names.map((name) => commit(name)));
    expect(batches).toEqual([it.names]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    await commit(it.names[2] ?? '');
    expect(batches).toHaveLength(2);
  });

  test('wait for those whose requests are still coming in, and for no others', async () => {
    const batches: (readonly string[])[] = [];
    const { commit, heard } = createCommitQueue({
      commitLeases: (names) => {
        batches.push(names);
        return it.commits.commitAll(names);
      },
    });
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const [first = '', second = '', third = ''] = it.names;
    const answers = [commit(first)];
    for (let requests = 0; requests < 4; requests += 1) {
      await turn();
      heard();
    }
    answers.push(commit(second));
    await Promise.all(answers);
    await commit(third);
    expect(batches).toEqual([[first, second], [third]]);
  });

  test('do not wait for ever where requests never end', async () => {
    const { commit, heard } = createCommitQueue({ commitLeases: (names) => it.commits.commitAll(names) });
    let isOver = false;
    const noise = (): void => {
      heard();
      if (!isOver) setImmediate(noise);
    };
    noise();
    await commit(it.names[0] ?? '');
    isOver = true;
    expect(it.states()[0]).toBe('held');
  });

  test('all hear that the disk takes nothing', async () => {
    it.refuse();
    const { commit } = createCommitQueue({ commitLeases: (names) => it.commits.commitAll(names) });
    const answers = await Promise.allSettled(it.names.map((name) => commit(name)));
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'state-unwritable' } });
  });
});
