// Takes secrets out of log fields before they are written: by key name, by type and by the look of the text.
// Trap: it is the second net. The first is that nobody hands a secret to the log; Secret values hide themselves.
import { HostlerError, messageOf } from '../../domain/error.ts';

const HIDDEN = '[secret]';

/** Levels of nesting that are followed; deeper values are cut, so that a log line stays a line. */
const MAX_DEPTH = 6;

/** Entries of one list or object that are written. */
const MAX_ENTRIES = 200;

/** Characters of one text: a console's tail belongs to an event, not to the log. */
const MAX_TEXT = 4_000;

const secretKey =
  /token|secret|passw(or)?d|private.?key|access.?key|credential|authorization|cookie|user.?data|^(key|pem)$/i;

/** Key material and the tokens of GitLab and AWS as they look in running text. */
const secretTexts: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g, HIDDEN],
  [/\b(glrt|glrtr|glpat|glcbt|gldt)-[\w.-]{8,}/g, HIDDEN],
  [/\b(AKIA|ASIA)[A-Z0-9]{16}\b/g, HIDDEN],
  [/((?:secret-key|access-key|session-token|token)=)[^\s,;"']+/gi, `$1${HIDDEN}`],
];

/** The text without anything that looks like a secret. */
export function redactText(text: string): string {
  let clean = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  for (const [look, instead] of secretTexts) clean = clean.replaceAll(look, instead);
  return clean;
}

function redactError(error: Error): unknown {
  const code = error instanceof HostlerError ? error.code : (error as NodeJS.ErrnoException).code;
  const message = redactText(messageOf(error));
  return typeof code === 'string' ? { code, message } : { message };
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (value === null || typeof value !== 'object') return typeof value === 'bigint' ? String(value) : value;
  if (value instanceof Error) return redactError(value);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return redactValue((toJSON as () => unknown).call(value), depth + 1);
  if (depth >= MAX_DEPTH) return '[deep]';
  if (value instanceof Map || value instanceof Set) return redactValue([...value], depth + 1);
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((entry) => redactValue(entry, depth + 1));
  return redactFields(value as Record<string, unknown>, depth + 1);
}

/** A copy of log fields that is safe to write. Errors become code and message; cycles end at the depth limit. */
export function redactFields(fields: Readonly<Record<string, unknown>>, depth = 0): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields).slice(0, MAX_ENTRIES)) {
    const isHidden =
      secretKey.test(key) && value !== null && typeof value !== 'number' && typeof value !== 'boolean';
    clean[key] = isHidden ? HIDDEN : redactValue(value, depth);
  }
  return clean;
}
