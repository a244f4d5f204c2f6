// Which types a zone offers at all: every known one, unless it was withdrawn there. What is not offered is refused as
// unsupported, not as missing capacity.
import { refuse } from './ec2-error.ts';
import { type Fields, matching, pageOf, type Query } from './search.ts';

export type Offerings = {
  set(place: { type: string; zone: string }, isOffered: boolean): void;
  has(type: string, zone: string): boolean;
  /** Throws Unsupported. */
  check(type: string, zone: string): void;
};

export function createOfferings(): Offerings {
  const withdrawn = new Set<string>();
  const has = (type: string, zone: string): boolean => !withdrawn.has(`${type}:${zone}`);
  return {
    has,
    set({ type, zone }, isOffered) {
      if (isOffered) withdrawn.delete(`${type}:${zone}`);
      else withdrawn.add(`${type}:${zone}`);
    },
    check(type, zone) {
      if (has(type, zone)) return;
      refuse(
        'Unsupported',
        `Your requested instance type (${type}) is not supported in your requested Availability Zone (${zone}).`,
      );
    },
  };
}

type Offered = { order: number; type: string; location: string; tags: ReadonlyMap<string, string> };

const fields: Fields<Offered> = {
  'instance-type': (one) => [one.type],
  location: (one) => [one.location],
};

/** DescribeInstanceTypeOfferings. A region offers what one of its zones does. */
export function describeOfferings(
  offerings: Offerings,
  world: { region: string; zones: readonly string[]; types: readonly string[] },
  query: Query & { by: string },
) {
  const isByZone = query.by === 'availability-zone';
  if (!isByZone && query.by !== 'region') {
    refuse('UnsupportedOperation', `The emulator knows no offerings by ${query.by.slice(0, 40)}.`);
  }
  const tags = new Map<string, string>();
  const all = world.types.flatMap((type) => {
    const zones = world.zones.filter((zone) => offerings.has(type, zone));
    const locations = isByZone ? zones : zones.length > 0 ? [world.region] : [];
    return locations.map((location) => ({ type, location }));
  });
  const things = all.map((one, order) => ({ ...one, order, tags }));
  return pageOf(matching(things, query.filters, fields), query.page);
}
