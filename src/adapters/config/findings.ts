// Collects everything that is wrong or odd in one pass, so that one run of `check` shows it all.
// Must not throw: reading goes on with a default after an error, and the caller decides at the end.
// Trap: messages are shown as they are, so no value of a secret key may get into one.
import type { ConfigIssue } from '../../domain/config.ts';

/** Where a finding belongs. */
export type Spot = { where: string | null; key: string | null };

export type Findings = {
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
        message: message.replaceAll(/\s*[\r\n]+\s*/g, ' '),
        where: spot.where ?? null,
        key: spot.key ?? null,
        pool,
      });
  return {
    error: finding('error'),
    warn: finding('warning'),
    all: () => [
      ...issues.filter(({ severity }) => severity === 'error'),
      ...issues.filter(({ severity }) => severity === 'warning'),
    ],
    hasErrors: () => issues.some(({ severity }) => severity === 'error'),
  };
}

/** A value as a message quotes it: short, on one line. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? String(value));
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
