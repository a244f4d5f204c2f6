// `${VAR}` in texts, and `file:/path` in place of a secret.
// Trap: the runner replaces unknown variables by nothing; in our own tables that would hide a slip, so there it is an error.
import { isAbsolute, resolve } from 'node:path';
import type { Environment } from './reading.ts';

const braced = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Replaces every `${VAR}` of a text, or of the texts inside a list or table; names variables that are not set. */
export function expandBraced(value: unknown, env: Environment): { value: unknown; unset: string[] } {
  const unset: string[] = [];
  const walk = (each: unknown): unknown => {
    if (typeof each === 'string') {
      return each.replaceAll(braced, (_, name: string) => {
        const found = env[name];
        if (found === undefined) unset.push(name);
        return found ?? '';
      });
    }
    if (Array.isArray(each)) return each.map(walk);
    if (typeof each === 'object' && each !== null && !(each instanceof Date)) {
      return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, walk(inner)]));
    }
    return each;
  };
  return { value: walk(value), unset };
}

/** As the runner reads token and url: `$VAR` and `${VAR}`, unknown ones become empty. */
export function expandLikeRunner(text: string, env: Environment): { value: string; unset: string[] } {
  const unset: string[] = [];
  const value = text.replaceAll(
    /\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g,
    (_, inner?: string, bare?: string) => {
      const name = inner ?? bare ?? '';
      if (env[name] === undefined) unset.push(name);
      return env[name] ?? '';
    },
  );
  return { value, unset };
}

/** A path as given: absolute, or below `folder`. */
export function absolute(path: string, folder: string): string {
  return isAbsolute(path) ? path : resolve(folder, path);
}
