// What a start finds in its state folder and a person should know: a database that was set aside or is gone, keys that are
// not those that the machines were made with. Told once in history and log, and kept in `status` until the next start.
import type { Store } from '../ports/store.ts';
import type { Journal } from './journal.ts';

/** Fact of the store: the manager that its records belong to. */
const MANAGER = 'manager';

export type Found = {
  aside: { file: string; why: string } | null;
  isNewStore: boolean;
  areNewKeys: boolean;
};

/** Tells what was found and remembers whose records these are. Gives the lines for `status`. */
export function tellFindings(
  deps: { store: Store; journal: Journal },
  found: Found,
  manager: string,
): string[] {
  const { store, journal } = deps;
  const notes: string[] = [];
  const { aside, isNewStore, areNewKeys } = found;
  if (aside !== null) {
    const text = `the database was damaged (${aside.why}); it lies at ${aside.file} now, and machines are taken back by their tags`;
    journal({ code: 'state-lost', level: 'error', text, detail: { aside: aside.file } });
    notes.push(text);
  } else if (isNewStore && !areNewKeys) {
    const text = `the database is new, the keys are not: machines of manager ${manager} are taken back by their tags`;
    journal({ code: 'state-lost', level: 'warn', text });
    notes.push(text);
  }
  const before = store.fact(MANAGER);
  if (before !== null && before !== manager) {
    const text = `the keys are not those of manager ${before}, who made the machines that stand: their jobs go on, nobody else's machines are taken back with them, and they end when they cannot be renewed any more`;
    journal({ code: 'keys-lost', level: 'error', text, detail: { before, manager } });
    notes.push(text);
  }
  if (before !== manager) store.putFact(MANAGER, manager);
  return notes;
}

/** Machines from before authorities were noted were made with the present one, as long as the keys are the same. */
export function noteAuthorities(store: Store, manager: string, authority: string): void {
  const before = store.fact(MANAGER);
  if (before !== null && before !== manager) return;
  // Together: thousands of single writes would hold up the start for seconds.
  store.transaction(() => {
    for (const { id } of store.machines()) {
      const tls = store.machineTls(id);
      if (tls !== null && (tls.ca ?? null) === null) store.putMachineTls(id, { ...tls, ca: authority });
    }
  }, 'crash');
}
