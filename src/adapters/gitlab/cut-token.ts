// Cuts the token out of whatever GitLab says: its answers become messages, names of jobs, events and tables.
// Traps: JSON may write any character as \uXXXX, so an answer that says the token back need not hold it as it is; letter
// case is no hindrance either, since hosts come back in small letters.
import { LEAST_TOKEN } from '../../domain/queue.ts';

export type Cutter = (text: string) => string;

const CUT = '[secret]';

/** A character in a pattern, with what JSON may put before it. */
function asIs(character: string): string {
  if (/\w/.test(character)) return character;
  const before = /["\\/]/.test(character) ? String.raw`\\?` : '';
  return `${before}\\${character}`;
}

/** One character as it is, or as JSON may write it. */
function escapable(character: string): string {
  const forms = new Set([character.toLowerCase(), character.toUpperCase()]);
  const codes = [...forms].map((form) => form.charCodeAt(0).toString(16).padStart(4, '0'));
  return `(?:${[asIs(character), ...codes.map((code) => String.raw`\\u${code}`)].join('|')})`;
}

/** A cutter of one token. What is shorter than any token stands in other words by chance and is left. */
export function createCutter(token: string): Cutter {
  if (token.length < LEAST_TOKEN) return (text) => text;
  const plain = new RegExp(token.replaceAll(/\W/g, String.raw`\$&`), 'gi');
  const escaped = new RegExp(Array.from(token, escapable).join(''), 'gi');
  return (text) => text.replaceAll(text.includes('\\') ? escaped : plain, CUT);
}
