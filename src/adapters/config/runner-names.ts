// Names that follow from the runner's: the start of its machine names, and the pool's id.
// Machine names are `runner-<short token>-<MachineName with %s filled in>`, all lower case up to the second dash.
// Trap: releases shorten the token differently (8 characters with its prefix, 9 without it): every way is matched.

/** What newer releases cut off before they shorten a token. */
const tokenPrefix = /^(?:glrt-(?:t[123]_)?|t[123]_|glrtr-|glcbt-|GR[0-9a-f]{7})/i;

/** Old releases keep 8 characters of a token, newer ones 9. */
const lengths = [8, 9] as const;

function dnsSafe(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^-a-z0-9]/g, '')
    .replace(/^[^a-z0-9]+/, '');
}

/** Every short form in which a runner's token may stand in its machine names; empty without a token. */
export function shortTokens(token: string): string[] {
  const stripped = token.replace(tokenPrefix, '');
  const forms = [stripped, token].flatMap((each) =>
    lengths.flatMap((length) => {
      const short = each.slice(0, length);
      return [dnsSafe(short), short.toLowerCase()];
    }),
  );
  return [...new Set(forms)].filter((form) => form !== '');
}

/** How machine names of a section begin. `machineName` is MachineName as written, with its %s. */
export function namePrefixes(token: string, machineName: string): string[] {
  const [head = ''] = machineName.split('%s');
  return shortTokens(token).map((short) => `runner-${short}-${head}`);
}

/** Lower case, letters, digits and single dashes, at most 63 characters; `fallback` when nothing is left. */
export function slug(text: string, fallback: string): string {
  const made = text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return made === '' ? fallback : made;
}

/** `wanted`, or `wanted-2` and so on when it is taken; adds the answer to `taken`. */
export function unique(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let count = 2; taken.has(name); count += 1) name = `${wanted.slice(0, 59)}-${count}`;
  taken.add(name);
  return name;
}
