// Collects everything that is wrong or odd in one pass, so that one run of `check` shows it all.
// Must not throw: reading goes on with a default after an error, and the caller decides at the end.
// Trap: messages are shown as they are. A slip of the pen can make a secret part of any other value or key, so what
// looks like one in the text of a file is cut out of every finding.
import type { ConfigIssue } from '../../domain/config.ts';

/** Where a finding belongs. */
export type Spot = { where: string | null; key: string | null };

export type Findings = {
  /** Cuts these texts out of every finding from now on. */
  hide(secrets: readonly string[]): void;
  error(code: string, message: string, spot?: Partial<Spot>, pool?: string): void;
  warn(code: string, message: string, spot?: Partial<Spot>, pool?: string): void;
  all(): readonly ConfigIssue[];
  hasErrors(): boolean;
};

/** Bounds the answer to a file that is wrong all over. */
const MAX_FINDINGS = 500;

/** An empty collection. The same finding twice is kept once. */
export function createFindings(): Findings {
  const issues: ConfigIssue[] = [];
  const hidden = new Set<string>();
  const clean = (text: string): string =>
    [...hidden].reduce((rest, secret) => rest.replaceAll(secret, '[hidden]'), text);
  const add = (issue: ConfigIssue): void => {
    const known = issues.some(
      (each) => each.message === issue.message && each.where === issue.where && each.key === issue.key,
    );
    if (!known && issues.length < MAX_FINDINGS) issues.push(issue);
  };
  const finding =
    (severity: ConfigIssue['severity']) =>
    (code: string, message: string, spot: Partial<Spot> = {}, pool: string | null = null): void =>
      add({
        severity,
        code,
        message: clean(message.replaceAll(/\s*[\r\n]+\s*/g, ' ')),
        where: spot.where ?? null,
        key: spot.key ? clean(spot.key) : null,
        pool,
      });
  return {
    hide: (secrets) => {
      for (const secret of secrets) hidden.add(secret);
    },
    error: finding('error'),
    warn: finding('warning'),
    all: () => [
      ...issues.filter(({ severity }) => severity === 'error'),
      ...issues.filter(({ severity }) => severity === 'warning'),
    ],
    hasErrors: () => issues.some(({ severity }) => severity === 'error'),
  };
}

/** What stands behind a word for a secret, wherever it stands: at least eight characters up to a blank, quote or comma. */
const secretText = /(?:secret|session|access|token|password)[^\n=:]{0,20}[=:]\s*["']?([^\s"',\]]{8,})/gi;

/** Words that stand there and are none. */
const plainWords: readonly string[] = ['required', 'optional'];

/** Texts in a file that look like secrets. */
export function secretsIn(text: string): string[] {
  const found = [...text.matchAll(secretText)].map(([, secret]) => secret ?? '');
  return found.filter((secret) => secret !== '' && !plainWords.includes(secret));
}

/** A value as a message quotes it: short, on one line. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? String(value));
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
