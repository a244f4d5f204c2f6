// Moments to come, the soonest first: what the quick estimate steps along.
// Trap: numbers alone, so that a search can ask it a thousand times.

/** A heap of moments, the soonest first. */
export function createMoments() {
  const heap: number[] = [];
  const at = (index: number) => heap[index] ?? Number.POSITIVE_INFINITY;
  function swap(a: number, b: number): void {
    const kept = at(a);
    heap[a] = at(b);
    heap[b] = kept;
  }
  return {
    first: () => at(0),
    size: () => heap.length,
    add(moment: number): void {
      let index = heap.push(moment) - 1;
      for (let up = (index - 1) >> 1; index > 0 && at(up) > at(index); up = (index - 1) >> 1) {
        swap(up, index);
        index = up;
      }
    },
    take(): number {
      const [first = Number.POSITIVE_INFINITY] = heap;
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return first;
      heap[0] = last;
      for (let index = 0; ; ) {
        const left = 2 * index + 1;
        const least = at(left + 1) < at(left) ? left + 1 : left;
        if (at(least) >= at(index)) return first;
        swap(least, index);
        index = least;
      }
    },
  };
}
