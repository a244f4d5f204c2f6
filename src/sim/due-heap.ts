// What a timeline still has to do, soonest first: a binary heap over (instant, order of asking). Days of a simulated
// world hold thousands of waiting events, and each of them is looked up, added and called off many times.
// Trap: what is called off stays in the heap until it comes up or until half of the heap is dead; only `work` is dropped
// at once, so that nothing it holds is kept alive.

/** One thing to do; `work` null: called off. */
export type Due = { at: number; order: number; work: (() => void) | null };

export type DueHeap = {
  add(due: Due): void;
  callOff(due: Due): void;
  /** The soonest, which stays; null when there is none. */
  first(): Due | null;
  /** Takes the soonest away. */
  shift(): Due | null;
  /** How many are still to be done. */
  size(): number;
};

const before = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Dead entries below this number are left alone: clearing them would cost more than they do. */
const DEAD_WORTH_CLEARING = 64;

/** An empty heap. */
export function createDueHeap(): DueHeap {
  let heap: Due[] = [];
  let dead = 0;

  const siftUp = (from: number, due: Due): void => {
    let index = from;
    while (index > 0) {
      const up = (index - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !before(due, parent)) break;
      heap[index] = parent;
      index = up;
    }
    heap[index] = due;
  };

  const siftDown = (from: number, due: Due): void => {
    let index = from;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      if (left === undefined) break;
      const useRight = right !== undefined && before(right, left);
      const child = useRight ? right : left;
      if (!before(child, due)) break;
      heap[index] = child;
      index = 2 * index + (useRight ? 2 : 1);
    }
    heap[index] = due;
  };

  const removeTop = (): Due | null => {
    const [top] = heap;
    const last = heap.pop();
    if (top === undefined || last === undefined) return null;
    if (heap.length > 0) siftDown(0, last);
    return top;
  };

  /** Takes dead entries off the top. */
  const clearTop = (): Due | null => {
    for (;;) {
      const [top] = heap;
      if (top === undefined) return null;
      if (top.work !== null) return top;
      removeTop();
      dead -= 1;
    }
  };

  const clearAll = (): void => {
    heap = heap.filter((due) => due.work !== null);
    dead = 0;
    for (let index = (heap.length >> 1) - 1; index >= 0; index -= 1) {
      const due = heap[index];
      if (due !== undefined) siftDown(index, due);
    }
  };

  return {
    add: (due) => siftUp(heap.length, due),
    callOff(due) {
      if (due.work === null) return;
      due.work = null;
      dead += 1;
      if (dead > DEAD_WORTH_CLEARING && dead * 2 > heap.length) clearAll();
    },
    first: clearTop,
    shift: () => (clearTop() === null ? null : removeTop()),
    size: () => heap.length - dead,
  };
}
