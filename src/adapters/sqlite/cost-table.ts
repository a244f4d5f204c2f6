// The ledger of costs in the database: appended, cut at its old end, read by time. Must not be held in memory whole.
import type { DatabaseSync } from 'node:sqlite';
import type { CostEntry } from '../../domain/cost.ts';
import type { Store } from '../../ports/store.ts';
import type { Record } from './table-image.ts';

/** Entries kept at some 400 bytes each: a hundred machines for more than two weeks, at one an hour and one a job. */
const COSTS_KEPT = 200_000;
/** Old ones are cut every so many new ones. */
const CUT_EVERY = 1_000;

/** The ledger in an open database. */
export function createCostTable(database: DatabaseSync, record: Record): Pick<Store, 'addCost' | 'costs'> {
  const insert = database.prepare('insert into costs (until, body) values (?, ?)');
  const cut = database.prepare('delete from costs where seq <= (select max(seq) from costs) - ?');
  const find = database.prepare('select body from costs where until > ? order by seq');
  let written = 0;
  return {
    addCost(entry) {
      const number = ++written;
      const write = () => {
        insert.run(entry.until, JSON.stringify(entry));
        if (number % CUT_EVERY === 0) cut.run(COSTS_KEPT);
      };
      record(`costs ${number}`, write, () => undefined);
    },
    costs: (since) => find.all(since).map((row) => JSON.parse(String(row['body'])) as CostEntry),
  };
}
