// The parameters of EC2's query protocol: form-urlencoded names with dots and numbers (`Filter.1.Value.2`), read with
// limits. Lists count from 1 without gaps, as the SDKs write them.
import { refuse } from '../sim/ec2-error.ts';

export type QueryParams = {
  text(name: string): string | null;
  /** Throws InvalidParameterValue for what is no number. */
  number(name: string): number | null;
  flag(name: string): boolean;
  /** null when absent. */
  flagOrNone(name: string): boolean | null;
  list(name: string): string[];
  struct(name: string): QueryParams | null;
  structs(name: string): QueryParams[];
};

/** A TerminateInstances of 1,000 ids has 1,002 parameters; more than this is no call that anyone makes. */
const PARAMETERS_AT_MOST = 20_000;

/** Reads a form body. Throws MalformedQueryString. */
export function parseQuery(body: string): QueryParams {
  const values = new Map<string, string>();
  const groups = new Set<string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (values.size >= PARAMETERS_AT_MOST || name.length > 200) {
      refuse('MalformedQueryString', 'The query string contains too many or too long parameters.');
    }
    values.set(name, value);
    for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1))
      groups.add(name.slice(0, dot));
  }
  return paramsBelow('', values, groups);
}

function paramsBelow(prefix: string, values: Map<string, string>, groups: Set<string>): QueryParams {
  const text = (name: string): string | null => values.get(prefix + name) ?? null;
  const flagOrNone = (name: string): boolean | null => {
    const value = text(name)?.toLowerCase() ?? null;
    if (value === null) return null;
    if (value !== 'true' && value !== 'false') {
      refuse(
        'InvalidParameterValue',
        `Invalid value '${value.slice(0, 40)}' for ${name}: true or false expected.`,
      );
    }
    return value === 'true';
  };
  const below = (name: string): QueryParams | null =>
    groups.has(prefix + name) ? paramsBelow(`${prefix}${name}.`, values, groups) : null;

  return {
    text,
    flagOrNone,
    flag: (name) => flagOrNone(name) ?? false,
    number(name) {
      const value = text(name);
      if (value === null) return null;
      if (!/^-?\d{1,12}$/.test(value)) {
        refuse(
          'InvalidParameterValue',
          `Invalid value '${value.slice(0, 40)}' for ${name}: a number expected.`,
        );
      }
      return Number(value);
    },
    list(name) {
      const found: string[] = [];
      for (let at = 1; ; at += 1) {
        const value = text(`${name}.${at}`);
        if (value === null) return found;
        found.push(value);
      }
    },
    struct: below,
    structs(name) {
      const found: QueryParams[] = [];
      for (let at = 1; ; at += 1) {
        const one = below(`${name}.${at}`);
        if (one === null) return found;
        found.push(one);
      }
    },
  };
}
