// How many machines of a type a zone still has, by type and zone, or by type, zone and market. What has no figure is
// plentiful. A figure can change while the world runs; what already runs beyond it goes on.
import type { Market } from './run-request.ts';

export type Capacity = {
  /** `market` null: both together. `count` null: plentiful again. */
  set(place: { type: string; zone: string; market: Market | null }, count: number | null): void;
  /** Machines that could be launched now. */
  left(type: string, zone: string, market: Market): number;
  take(type: string, zone: string, market: Market): void;
  give(type: string, zone: string, market: Market): void;
  /** Calls `look` whenever there may be more room than before. */
  onRoom(look: () => void): void;
};

export function createCapacity(): Capacity {
  const limits = new Map<string, number>();
  const used = new Map<string, number>();
  const waiting: (() => void)[] = [];
  const keys = (type: string, zone: string, market: Market): string[] => [
    `${type}:${zone}`,
    `${type}:${zone}:${market}`,
  ];
  const count = (type: string, zone: string, market: Market, by: number): void => {
    for (const key of keys(type, zone, market)) used.set(key, (used.get(key) ?? 0) + by);
  };
  const tell = (): void => {
    for (const look of waiting) look();
  };

  return {
    set({ type, zone, market }, figure) {
      const key = market === null ? `${type}:${zone}` : `${type}:${zone}:${market}`;
      if (figure === null) limits.delete(key);
      else limits.set(key, figure);
      tell();
    },
    left(type, zone, market) {
      const each = keys(type, zone, market).map(
        (key) => (limits.get(key) ?? Number.POSITIVE_INFINITY) - (used.get(key) ?? 0),
      );
      return Math.max(0, Math.min(...each));
    },
    take: (type, zone, market) => count(type, zone, market, 1),
    give(type, zone, market) {
      count(type, zone, market, -1);
      tell();
    },
    onRoom(look) {
      waiting.push(look);
    },
  };
}
