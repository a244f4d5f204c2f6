// The spot market's prices, USD an hour by type and zone: a model's figure (instance-types.ts) until one is set. They
// change only when set, so that a run repeats.
import { type InstanceType, spotPriceOf } from './instance-types.ts';

export type SpotPrices = {
  /** What an hour costs now. */
  of(type: InstanceType, zone: string): number;
  /** `usd` null: the model's figure again. */
  set(place: { type: string; zone: string }, usd: number | null): void;
  /** Calls `look` after a change. */
  onChange(look: () => void): void;
};

export function createSpotPrices(): SpotPrices {
  const set = new Map<string, number>();
  const waiting: (() => void)[] = [];
  return {
    of: (type, zone) => set.get(`${type.name}:${zone}`) ?? spotPriceOf(type, zone),
    set({ type, zone }, usd) {
      if (usd === null) set.delete(`${type}:${zone}`);
      else set.set(`${type}:${zone}`, usd);
      for (const look of waiting) look();
    },
    onChange(look) {
      waiting.push(look);
    },
  };
}
