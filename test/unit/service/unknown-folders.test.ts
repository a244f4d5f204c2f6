// Who asks for the folders that no lease knows shares one look at them.
import { expect, test } from 'vitest';
import type { RunnerStore } from '../../../src/ports/runner-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { createUnknownFolders } from '../../../src/service/unknown-folders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

test('a burst of questions reads every folder once', async () => {
  const clock = createHandClock(0);
  let reads = 0;
  const runnerStore: Pick<RunnerStore, 'names' | 'mark'> = {
    names: () => Promise.resolve(['runner-a-1', 'runner-a-2', 'runner-known']),
    mark: (_store, name) => {
      reads += 1;
      return Promise.resolve({ url: `tcp://${name}:2376`, machine: 'm-1' });
    },
  };
  const store: Pick<Store, 'lease'> = { lease: (name) => (name === 'runner-known' ? ({} as never) : null) };
  const folders = createUnknownFolders({
    clock,
    runnerStore: runnerStore as RunnerStore,
    store: store as Store,
    paths: () => ['/store'],
  });
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => folders.byUrl('tcp://runner-a-2:2376')),
  );
  expect(answers.every(([first]) => first?.name === 'runner-a-2')).toBe(true);
  expect(await folders.byUrl('tcp://runner-known:2376')).toEqual([]);
  expect(reads).toBe(2);
});
