// Filters and pages of the Describe calls. Values of one filter are alternatives, filters add up; `*` and `?` are
// wildcards; case counts.
// Trap: a page's token names the last thing shown, not a number of things, so that what is born or goes between two
// pages is neither shown twice nor hides another.
import { refuse } from './ec2-error.ts';

export type Filter = { name: string; values: readonly string[] };

export type Page = { maxResults: number | null; nextToken: string | null };

/** What every Describe call may carry. */
export type Query = { ids: readonly string[]; filters: readonly Filter[]; page: Page };

/** What a filter name reads from a thing. */
export type Fields<T> = Readonly<Record<string, (thing: T) => readonly (string | null)[]>>;

type Tagged = { tags: ReadonlyMap<string, string> };

/** Values of a filter that name one thing each. */
export function plainValues(filters: readonly Filter[], name: string): string[] {
  return filters
    .filter((filter) => filter.name === name)
    .flatMap((filter) => filter.values.filter((value) => !/[*?\\]/.test(value)));
}

/** EC2's bound on filter values in one request. */
const VALUES_AT_MOST = 200;

function matcher(values: readonly string[]): (value: string) => boolean {
  const exact = new Set(values.filter((value) => !/[*?\\]/.test(value)));
  const wild = values
    .filter((value) => !exact.has(value))
    .map((value) => {
      const source = value.replaceAll(
        /\\([*?\\])|[*?]|[^A-Za-z0-9]/g,
        (found, escaped: string | undefined) => {
          if (escaped !== undefined) return `\\${escaped}`;
          if (found === '*') return '[^]*';
          return found === '?' ? '[^]' : `\\${found}`;
        },
      );
      return new RegExp(`^${source}$`);
    });
  return (value) => exact.has(value) || wild.some((pattern) => pattern.test(value));
}

function reader<T extends Tagged>(name: string, fields: Fields<T>): (thing: T) => readonly (string | null)[] {
  if (name === 'tag-key') return (thing) => [...thing.tags.keys()];
  if (name === 'tag-value') return (thing) => [...thing.tags.values()];
  if (name.startsWith('tag:')) {
    const key = name.slice('tag:'.length);
    return (thing) => [thing.tags.get(key) ?? null];
  }
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return field ?? refuse('InvalidParameterValue', `The filter '${name}' is invalid`);
}

/** The things that pass all filters, in their order. */
export function matching<T extends Tagged>(
  things: Iterable<T>,
  filters: readonly Filter[],
  fields: Fields<T>,
): T[] {
  const values = filters.reduce((sum, filter) => sum + filter.values.length, 0);
  if (values > VALUES_AT_MOST) {
    refuse(
      'FilterLimitExceeded',
      `The maximum number of filter values specified on a single call is ${VALUES_AT_MOST}`,
    );
  }
  const tests = filters.map((filter) => ({
    read: reader(filter.name, fields),
    fits: matcher(filter.values),
  }));
  const found: T[] = [];
  for (const thing of things) {
    const all = tests.every(({ read, fits }) => read(thing).some((value) => value !== null && fits(value)));
    if (all) found.push(thing);
  }
  return found;
}

/** One page of `things`, which ascend in `order`. Without maxResults all of them, up to EC2's 1000 only if paged. */
export function pageOf<T extends { order: number }>(
  things: readonly T[],
  page: Page,
): { things: readonly T[]; nextToken: string | null } {
  const { maxResults, nextToken } = page;
  if (maxResults !== null && !(Number.isInteger(maxResults) && maxResults >= 5 && maxResults <= 1000)) {
    const bound = maxResults < 5 ? 'greater than 5' : 'smaller than 1000';
    refuse(
      'InvalidParameterValue',
      `Value ( ${maxResults} ) for parameter maxResults is invalid. Expecting a value ${bound}.`,
    );
  }
  const after = nextToken === null ? -1 : decode(nextToken);
  const rest = things.filter((thing) => thing.order > after);
  if (maxResults === null || rest.length <= maxResults) return { things: rest, nextToken: null };
  const shown = rest.slice(0, maxResults);
  return { things: shown, nextToken: encode(shown.at(-1)?.order ?? after) };
}

const encode = (order: number): string => Buffer.from(`after ${order}`).toString('base64url');

function decode(token: string): number {
  const order = /^after (\d{1,15})$/.exec(Buffer.from(token, 'base64url').toString('latin1'))?.[1];
  return order === undefined
    ? refuse('InvalidNextToken', 'The specified NextToken is not valid.')
    : Number(order);
}

/** Ids that a call names must be well-formed: `i-` and 8 or 17 hex digits. */
export function checkIds(prefix: string, ids: readonly string[], code: string): void {
  const shape = new RegExp(`^${prefix}-([0-9a-f]{8}|[0-9a-f]{17})$`);
  const bad = ids.find((id) => !shape.test(id));
  if (bad !== undefined) refuse(code, `Invalid id: "${bad.slice(0, 80)}" (expecting "${prefix}-...")`);
}
