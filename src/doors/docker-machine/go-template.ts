// The small part of Go's text/template that docker-machine's users write: text, `{{.Path.To.Field}}`, `{{json .X}}`,
// `{{prettyjson .X}}`, `{{.X | json}}`, `{{"text"}}`, blanks and trim marks. Anything else is refused in words.
// It must not grow control flow. Trap: Go prints a missing map key as `<no value>`, but refuses an unknown field.
import { HostlerError } from '../../domain/error.ts';

export type TemplateOptions = {
  /** Names that exist besides the given: an unknown first name is an error, and case does not matter (`{{.NAME}}`). */
  fields?: readonly string[];
};

type Part = { text: string } | { path: readonly string[]; filter: 'json' | 'prettyjson' | null };

/** A template ready to be filled. Throws HostlerError `usage`. */
export function compileTemplate(text: string, options: TemplateOptions = {}): (data: unknown) => string {
  const parts: Part[] = [];
  let rest = text;
  let trimNext = false;
  const literal = (piece: string, trimEnd: boolean) => {
    let shown = trimNext ? piece.trimStart() : piece;
    if (trimEnd) shown = shown.trimEnd();
    if (shown !== '') parts.push({ text: shown });
  };
  for (let open = rest.indexOf('{{'); open >= 0; open = rest.indexOf('{{')) {
    const close = rest.indexOf('}}', open);
    if (close < 0) throw refused('unclosed action');
    const action = rest.slice(open + 2, close);
    literal(rest.slice(0, open), /^-\s/.test(action));
    trimNext = /\s-$/.test(action);
    parts.push(parseAction(action.replace(/^-\s/, '').replace(/\s-$/, '').trim(), options));
    rest = rest.slice(close + 2);
  }
  literal(rest, false);
  return (data) => parts.map((part) => ('text' in part ? part.text : fill(part, data))).join('');
}

function refused(why: string): HostlerError {
  return new HostlerError('usage', `template parsing error: ${why}`);
}

function parseAction(action: string, options: TemplateOptions): Part {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(action);
  if (quoted) return { text: JSON.parse(`"${quoted[1] ?? ''}"`) as string };
  const match =
    /^(?:(?<before>json|prettyjson)\s+)?(?<path>\.[\w.-]*)(?:\s*\|\s*(?<after>json|prettyjson))?$/.exec(
      action,
    );
  const groups = match?.groups;
  if (!groups) throw refused(`{{${action}}} is not understood here: paths, json and prettyjson are`);
  const path = (groups['path'] ?? '.').split('.').filter((key) => key !== '');
  const filter = (groups['before'] ?? groups['after'] ?? null) as 'json' | 'prettyjson' | null;
  return { path: options.fields ? knownField(path, options.fields) : path, filter };
}

function knownField(path: readonly string[], fields: readonly string[]): readonly string[] {
  const [first, ...more] = path;
  if (first === undefined) return path;
  const field = fields.find((name) => name === first) ?? fields.find((name) => sameName(name, first));
  if (field === undefined) throw refused(`there is no field ${first}; fields are ${fields.join(', ')}`);
  return [field, ...more];
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function fill(
  part: { path: readonly string[]; filter: 'json' | 'prettyjson' | null },
  data: unknown,
): string {
  let value: unknown = data;
  for (const key of part.path)
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined;
  if (part.filter === 'json') return JSON.stringify(sorted(value) ?? null);
  if (part.filter === 'prettyjson') return JSON.stringify(sorted(value) ?? null, null, 4);
  return goText(value);
}

/** Go's encoder writes map keys in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** A value as Go's %v prints it. */
function goText(value: unknown): string {
  if (value === undefined || value === null) return '<no value>';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (typeof value === 'object') {
    const pairs = Object.entries(sorted(value) as object);
    return `map[${pairs.map(([key, inner]) => `${key}:${goText(inner)}`).join(' ')}]`;
  }
  return JSON.stringify(value);
}
