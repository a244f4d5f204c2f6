// SSM's parameter store of one region: what callers put there, by name. AWS's own parameters, which name images, are in
// images.ts. It knows values and versions; who may read a secret is the caller's business.
// Trap: without `overwrite` a put is the only atomic "make it once" that SSM offers; two callers at once must see it so.

export type Parameter = {
  name: string;
  type: 'String' | 'StringList' | 'SecureString';
  value: string;
  version: number;
  tier: 'Standard' | 'Advanced';
  modifiedAt: number;
};

/** SSM's own code with its words. */
export class ParameterError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'ParameterError';
    this.code = code;
  }
}

export type ParameterOrder = {
  name: string;
  value: string;
  /** null: as it is; needed for a new one. */
  type: string | null;
  tier: string | null;
  overwrite: boolean;
};

/** Characters of a value, by tier. */
const VALUE_AT_MOST = { Standard: 4_096, Advanced: 8_192 } as const;
/** Levels of a name such as /a/b/c. */
const LEVELS_AT_MOST = 15;
const NAME_AT_MOST = 1_011;

const invalid = (message: string): never => {
  throw new ParameterError('ValidationException', message);
};

function checkName(name: string): void {
  if (name.length > NAME_AT_MOST || !/^[A-Za-z0-9_.\-/]+$/.test(name))
    invalid('Parameter name: only a mix of letters, numbers and the following 3 symbols .-_ is allowed.');
  if (/^\/?(aws|ssm)/i.test(name))
    invalid('Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).');
  if (name.includes('/') && !name.startsWith('/'))
    invalid('Parameter name must be a fully qualified name when it has a path.');
  if (name.split('/').length - 1 > LEVELS_AT_MOST)
    throw new ParameterError(
      'HierarchyLevelLimitExceededException',
      'A hierarchy can have at most 15 levels.',
    );
}

/** Nothing put yet. */
export function createParameters(now: () => number) {
  const all = new Map<string, Parameter>();

  return {
    get: (name: string): Parameter | null => all.get(name) ?? null,

    /** Parameters below a path, by name. */
    below: (path: string): Parameter[] =>
      [...all.values()]
        .filter(({ name }) => name.startsWith(path.endsWith('/') ? path : `${path}/`))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),

    /** Stores a value; the new version. Throws ParameterError. */
    put({ name, value, type, tier, overwrite }: ParameterOrder): Parameter {
      checkName(name);
      const known = all.get(name);
      if (known !== undefined && !overwrite)
        throw new ParameterError(
          'ParameterAlreadyExists',
          'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
        );
      const kind =
        type ?? known?.type ?? invalid('A parameter type is required when you create a parameter.');
      if (kind !== 'String' && kind !== 'StringList' && kind !== 'SecureString')
        throw new ParameterError('UnsupportedParameterType', 'The parameter type is not supported.');
      const level = tier === 'Advanced' || known?.tier === 'Advanced' ? 'Advanced' : 'Standard';
      if (value === '') invalid('Value must have a length of at least 1.');
      if (value.length > VALUE_AT_MOST[level])
        invalid(
          `${level} tier parameters support a maximum parameter value of ${VALUE_AT_MOST[level]} characters.`,
        );
      const made: Parameter = {
        name,
        type: kind,
        value,
        version: (known?.version ?? 0) + 1,
        tier: level,
        modifiedAt: now(),
      };
      all.set(name, made);
      return made;
    },

    /** False when there is none. */
    remove: (name: string): boolean => all.delete(name),
  };
}
