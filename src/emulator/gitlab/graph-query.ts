// Reads the part of GraphQL that readers of jobs use (one operation, fields with arguments, variables) and counts its
// complexity as GitLab does. No fragments, no directives.
// Trap: it reads what callers send; depth and length are bounded, and what it does not know is refused in words.

export type GraphValue = string | number | boolean | null | readonly GraphValue[];

export type GraphField = {
  name: string;
  alias: string;
  args: Readonly<Record<string, GraphValue>>;
  fields: readonly GraphField[];
};

export type GraphVariables = Readonly<Record<string, unknown>>;

/** GitLab's bounds: characters of one query, and levels of it. */
const MOST_QUERY = 10_000;
const MOST_DEPTH = 20;
/** GitLab's page of nodes where nothing is said. */
export const PAGE = 100;

const TOKENS = /"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\$[A-Za-z_]\w*|-?\d+|[{}()[\]:,!=]|\s+|./gs;

type Reader = { tokens: string[]; at: number; variables: GraphVariables };

function peek({ tokens, at }: Reader): string {
  return tokens[at] ?? '';
}

function next(reader: Reader): string {
  const token = peek(reader);
  reader.at += 1;
  return token;
}

function expect(reader: Reader, wanted: string): void {
  const token = next(reader);
  if (token !== wanted) throw new SyntaxError(`Expected ${wanted}, actual: ${token || 'end of document'}`);
}

function readName(reader: Reader): string {
  const name = next(reader);
  if (/^[A-Za-z_]/.test(name)) return name;
  throw new SyntaxError(`Expected a name, actual: ${name || 'end of document'}`);
}

function readValue(reader: Reader): GraphValue {
  const token = next(reader);
  if (token.startsWith('"')) return JSON.parse(token) as string;
  if (/^-?\d/.test(token)) return Number(token);
  if (token.startsWith('$')) {
    const value = reader.variables[token.slice(1)];
    return typeof value === 'string' || typeof value === 'number' ? value : null;
  }
  if (token === '[') {
    const values: GraphValue[] = [];
    while (peek(reader) !== ']') {
      values.push(readValue(reader));
      if (peek(reader) === ',') next(reader);
    }
    next(reader);
    return values;
  }
  if (token === 'true' || token === 'false') return token === 'true';
  if (token === 'null') return null;
  if (/^[A-Za-z_]/.test(token)) return token;
  throw new SyntaxError(`Expected a value, actual: ${token || 'end of document'}`);
}

function readArgs(reader: Reader): Record<string, GraphValue> {
  const args: Record<string, GraphValue> = {};
  if (peek(reader) !== '(') return args;
  next(reader);
  while (peek(reader) !== ')') {
    const name = readName(reader);
    expect(reader, ':');
    args[name] = readValue(reader);
    if (peek(reader) === ',') next(reader);
  }
  next(reader);
  return args;
}

function readFields(reader: Reader, depth: number): GraphField[] {
  if (depth > MOST_DEPTH) throw new SyntaxError(`Query has depth of more than ${MOST_DEPTH}`);
  expect(reader, '{');
  const fields: GraphField[] = [];
  while (peek(reader) !== '}') {
    const first = readName(reader);
    const isAlias = peek(reader) === ':';
    if (isAlias) next(reader);
    const name = isAlias ? readName(reader) : first;
    const args = readArgs(reader);
    const below = peek(reader) === '{' ? readFields(reader, depth + 1) : [];
    fields.push({ name, alias: first, args, fields: below });
  }
  next(reader);
  return fields;
}

function skipHead(reader: Reader): void {
  if (peek(reader) === '{') return;
  if (readName(reader) !== 'query') throw new SyntaxError('only queries are answered here');
  while (peek(reader) !== '{') {
    if (peek(reader) === '') throw new SyntaxError('Unexpected end of document');
    next(reader);
  }
}

/** The fields that a query asks for. Throws SyntaxError in GitLab's manner. */
export function readQuery(query: string, variables: GraphVariables = {}): GraphField[] {
  if (query.length > MOST_QUERY) throw new SyntaxError('Query too large');
  const tokens = (query.match(TOKENS) ?? []).filter((token) => token.trim() !== '');
  const reader = { tokens, at: 0, variables };
  skipHead(reader);
  const fields = readFields(reader, 1);
  if (peek(reader) !== '') throw new SyntaxError('one operation at a time');
  return fields;
}

function isConnection({ fields }: GraphField): boolean {
  return fields.some(({ name }) => name === 'nodes' || name === 'edges');
}

/** Each field is 1; a connection adds a hundredth of what is below it for each node that is asked for. */
export function complexityOf(fields: readonly GraphField[]): number {
  return fields.reduce((sum, field) => {
    const below = complexityOf(field.fields);
    const first = typeof field.args['first'] === 'number' ? Math.min(field.args['first'], PAGE) : PAGE;
    const extra = isConnection(field) ? Math.floor((below * first) / 100) : 0;
    return sum + 1 + below + extra;
  }, 0);
}
