// What the store in memory does when its process or its disk ends: the differences that crashes and power losses make.
import { describe, expect, test } from 'vitest';
import { createMemoryDisk } from '../../../src/simulator/daemon/memory-disk.ts';
import { openMemoryStore } from '../../../src/simulator/daemon/memory-store.ts';
import { createProcessLife } from '../../../src/simulator/daemon/process-life.ts';
import { machine as aMachine } from '../../support/builders.ts';

const ids = (store: ReturnType<typeof openMemoryStore>) => store.machines().map(({ id }) => id);

describe('a crash of the process', () => {
  test('loses nothing that was written, and the events that were not', () => {
    const disk = createMemoryDisk();
    const store = openMemoryStore(disk);
    store.putMachine(aMachine({ id: 'm-1' }));
    store.addEvent({ at: 1, code: 'started', pool: null, machine: null, lease: null, text: 'e', detail: {} });
    disk.crash();
    const again = openMemoryStore(disk);
    expect(ids(again)).toEqual(['m-1']);
    expect(again.events({ limit: 5 })).toEqual([]);
  });

  test('before a write leaves nothing of its transaction, after it all', () => {
    for (const [side, expected] of [
      ['before', []],
      ['after', ['m-1', 'm-2']],
    ] as const) {
      const disk = createMemoryDisk();
      const life = createProcessLife((point) => point.side === side);
      const store = openMemoryStore(disk, {
        check: () => life.check(),
        before: (what) => life.point(what, 'before'),
        after: (what) => life.point(what, 'after'),
      });
      const both = () => {
        store.putMachine(aMachine({ id: 'm-1' }));
        store.putMachine(aMachine({ id: 'm-2' }));
      };
      expect(() => store.transaction(both)).toThrow('has ended');
      expect(() => store.machines()).toThrow('has ended');
      disk.crash();
      expect(ids(openMemoryStore(disk))).toEqual(expected);
    }
  });
});

describe('a power loss', () => {
  test('takes the newest writes that no durable one followed, and no others', () => {
    const disk = createMemoryDisk();
    const store = openMemoryStore(disk);
    store.putMachine(aMachine({ id: 'm-1' }));
    store.transaction(() => store.putMachine(aMachine({ id: 'm-2' })));
    store.putMachine(aMachine({ id: 'm-3' }));
    store.transaction(() => store.putMachine(aMachine({ id: 'm-2', builds: 9 })), 'crash');
    expect(disk.losePower(0.5)).toBe(1);
    expect(ids(openMemoryStore(disk))).toEqual(['m-1', 'm-2', 'm-3']);
    expect(openMemoryStore(disk).machine('m-2')?.builds).toBe(0);
  });
});

describe('a full disk', () => {
  test('refuses what must be durable, keeps the rest in memory and writes it when there is room', () => {
    const disk = createMemoryDisk();
    const store = openMemoryStore(disk);
    disk.isFull = true;
    store.putMachine(aMachine({ id: 'm-1' }));
    expect(store.trouble()).toContain('no space');
    expect(() => store.transaction(() => store.putMachine(aMachine({ id: 'm-2' })))).toThrow('no space');
    expect(ids(store)).toEqual(['m-1']);
    disk.isFull = false;
    expect(store.trouble()).not.toBeNull();
    store.flush();
    expect(store.trouble()).toBeNull();
    disk.crash();
    expect(ids(openMemoryStore(disk))).toEqual(['m-1']);
  });

  test('loses with the process what it kept in memory', () => {
    const disk = createMemoryDisk();
    const store = openMemoryStore(disk);
    store.putMachine(aMachine({ id: 'm-1', builds: 1 }));
    disk.isFull = true;
    store.putMachine(aMachine({ id: 'm-1', builds: 2 }));
    store.putMachine(aMachine({ id: 'm-2' }));
    expect(disk.crash()).toBe(2);
    disk.isFull = false;
    expect(openMemoryStore(disk).machines()).toEqual([aMachine({ id: 'm-1', builds: 1 })]);
  });
});
