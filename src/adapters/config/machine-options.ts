// MachineOptions as the runner hands them to `docker-machine create`, one `--name=value` each, read by docker-machine's
// rules: repeated texts overwrite, lists add up, switches stand for true, absent ones fall back to the environment.
// Trap: values of secret options must not get into a message or into the values that `hostler config` shows.
import type { ConfigValue } from '../../domain/config.ts';
import { type Spot, shown } from './findings.ts';
import { hint } from './nearest.ts';
import { type OptionRule, optionNames, optionTable } from './option-table.ts';
import type { Environment, Reading } from './reading.ts';

export type WrittenOption = { text: string; spot: Spot };

type Given = { values: string[]; spots: Spot[]; origin: ConfigValue['origin'] };

/** The options of one section. An absent one reads as null, an empty list, or the default given. */
export type MachineOptions = {
  /** The last value given; of an option that may be repeated, the first. */
  text(name: string): string | null;
  list(name: string): readonly string[];
  isOn(name: string, fallback: boolean): boolean;
  whole(name: string, fallback: number, range: { low: number; high: number }): number;
  isGiven(name: string): boolean;
  spot(name: string): Spot;
  origin(name: string): ConfigValue['origin'];
};

/** What Go's ParseBool takes. */
const truths: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true]),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false]),
]);

type Scope = { reading: Reading; pool: string; section: Spot };

function splitOption(scope: Scope, option: WrittenOption): { name: string; value: string } | null {
  const { findings } = scope.reading;
  const cut = option.text.indexOf('=');
  const written = cut < 0 ? option.text : option.text.slice(0, cut);
  const name = written.replace(/^-+/, '').trim();
  if (written !== name) {
    findings.error(
      'option-form',
      `write the option without dashes or spaces: "${name}=…"`,
      option.spot,
      scope.pool,
    );
  }
  const rule = optionTable[name];
  if (!rule) {
    // What follows the name may be a secret behind a misspelt one.
    const [start = ''] = /^[a-z0-9-]*/.exec(name) ?? [];
    const said = `unknown option ${shown(start === name ? name : `${start}…`)}, on which docker-machine's create fails${hint(name, optionNames)}`;
    findings.warn('option-unknown', said, option.spot, scope.pool);
    return null;
  }
  if (cut >= 0) return { name, value: option.text.slice(cut + 1) };
  if (rule.kind === 'switch') return { name, value: 'true' };
  findings.error('option-form', `needs a value: "${name}=…"`, option.spot, scope.pool);
  return null;
}

function note(scope: Scope, given: Map<string, Given>, option: WrittenOption): void {
  const { findings } = scope.reading;
  const parts = splitOption(scope, option);
  if (!parts) return;
  const { name, value } = parts;
  const rule: OptionRule = optionTable[name] ?? { kind: 'text' };
  if (/\$\{[^}]*\}/.test(value) && !rule.secret) {
    const said = `holds ${shown(value)}: the runner does not expand variables in MachineOptions`;
    findings.warn('option-placeholder', said, option.spot, scope.pool);
  }
  if (rule.idle) findings.warn('option-idle', `${name} has no effect: ${rule.idle}`, option.spot, scope.pool);
  const known = given.get(name);
  if (!known) given.set(name, { values: [value], spots: [option.spot], origin: 'runner-file' });
  else if (rule.kind === 'list' || rule.repeatable) {
    known.values.push(value);
    known.spots.push(option.spot);
  } else {
    findings.warn('option-repeated', `${name} is given again; the last one counts`, option.spot, scope.pool);
    given.set(name, { values: [value], spots: [option.spot], origin: 'runner-file' });
  }
}

function addFromEnvironment(env: Environment, given: Map<string, Given>): void {
  for (const [name, rule] of Object.entries(optionTable)) {
    const value = rule.variable === undefined ? undefined : env[rule.variable];
    if (value === undefined || value === '' || given.has(name)) continue;
    const values = rule.kind === 'list' ? value.split(',').map((part) => part.trim()) : [value];
    const spot = { where: `environment ${rule.variable ?? ''}`, key: rule.variable ?? null };
    given.set(name, { values, spots: values.map(() => spot), origin: 'environment' });
  }
}

/** Reads the options of one section; what is wrong or has no effect becomes a finding. */
export function readMachineOptions(scope: Scope, options: readonly WrittenOption[]): MachineOptions {
  const given = new Map<string, Given>();
  for (const option of options) note(scope, given, option);
  addFromEnvironment(scope.reading.env, given);
  const { findings } = scope.reading;
  const last = (name: string): string | null =>
    given.get(name)?.values.at(optionTable[name]?.repeatable ? 0 : -1) ?? null;
  const spot = (name: string): Spot => given.get(name)?.spots.at(-1) ?? scope.section;
  return {
    text: last,
    list: (name) => given.get(name)?.values ?? [],
    isOn: (name, fallback) => {
      const said = last(name);
      if (said === null) return fallback;
      const value = truths[said];
      if (value === undefined) {
        findings.error(
          'option-value',
          `${name} must be true or false, is ${shown(said)}`,
          spot(name),
          scope.pool,
        );
      }
      return value ?? fallback;
    },
    whole: (name, fallback, { low, high }) => {
      const said = last(name);
      if (said === null) return fallback;
      const value = /^\d{1,9}$/.test(said) ? Number(said) : Number.NaN;
      if (value >= low && value <= high) return value;
      const right = `must be a whole number from ${low} to ${high}`;
      findings.error('option-value', `${name} ${right}, is ${shown(said)}`, spot(name), scope.pool);
      return fallback;
    },
    isGiven: (name) => given.has(name),
    spot,
    origin: (name) => given.get(name)?.origin ?? 'default',
  };
}
