// Reads a verb's words by Go's flag rules, as docker-machine does: one dash or two, `=value` or the next word, flags
// before or after the names, `--` ends them. Throws Misuse with docker-machine's own wording.
// Trap: the first word of a value may begin with a dash (`-f -x`): Go takes it as the value, so does this.
import type { FlagKind, Verb } from './verbs.ts';

/** A command line that docker-machine would refuse: help goes to stdout, the message to stderr, exit 1. */
export class Misuse extends Error {}

export type Arguments = {
  names: readonly string[];
  /** Set switches, by long name. */
  switches: ReadonlySet<string>;
  /** Last value of a text or whole-number flag, by long name. */
  texts: ReadonlyMap<string, string>;
  lists: ReadonlyMap<string, readonly string[]>;
  /** `-h` or `--help` was there. */
  help: boolean;
};

/** Seconds of a `--timeout` flag; docker-machine's default is 10. */
export function timeoutMs(given: Arguments): number {
  return Number(given.texts.get('timeout') ?? 10) * 1000;
}

export function parseVerb(verb: Verb, words: readonly string[]): Arguments {
  const flags = new Map(verb.flags.flatMap((flag) => flag.names.map((name) => [name, flag] as const)));
  const found = {
    names: [] as string[],
    switches: new Set<string>(),
    texts: new Map<string, string>(),
    lists: new Map<string, string[]>(),
    help: false,
  };
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      found.names.push(...rest.splice(0));
    } else if (!/^-./.test(word)) {
      found.names.push(word);
    } else if (/^--?(?:h|help)$/.test(word)) {
      found.help = true;
    } else {
      const [, name = '', inline] = /^--?([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
      const flag = flags.get(name);
      if (flag === undefined) throw new Misuse(`flag provided but not defined: -${name}`);
      const value = inline ?? (flag.kind === 'switch' ? 'true' : rest.shift());
      if (value === undefined) throw new Misuse(`flag needs an argument: -${name}`);
      keep(found, { kind: flag.kind, name: flag.names[0] ?? name, given: name, value });
    }
  }
  return found;
}

function keep(
  found: { switches: Set<string>; texts: Map<string, string>; lists: Map<string, string[]> },
  flag: { kind: FlagKind; name: string; given: string; value: string },
): void {
  const quoted = JSON.stringify(flag.value);
  switch (flag.kind) {
    case 'switch':
      if (!/^(?:1|0|t|f|true|false)$/i.test(flag.value))
        throw new Misuse(`invalid boolean value ${quoted} for -${flag.given}: true or false is needed`);
      if (/^[1t]/i.test(flag.value)) found.switches.add(flag.name);
      else found.switches.delete(flag.name);
      break;
    case 'list':
      found.lists.set(flag.name, [...(found.lists.get(flag.name) ?? []), flag.value]);
      break;
    case 'whole':
      if (!/^\d{1,9}$/.test(flag.value))
        throw new Misuse(`invalid value ${quoted} for flag -${flag.given}: a whole number is needed`);
      found.texts.set(flag.name, flag.value);
      break;
    case 'text':
      found.texts.set(flag.name, flag.value);
      break;
  }
}
