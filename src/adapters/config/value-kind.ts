// The kinds of values that hostler's own keys take: shape, message, and how the text of an environment variable becomes one.
// Trap: a message says what is right, never only what is wrong; the reader adds the place and the value.
import { z } from 'zod';
import type { OnDemandRule } from '../../domain/config.ts';
import type { LaunchWay, Range } from '../../domain/offering.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';

export type ValueKind<T> = {
  schema: z.ZodType<T>;
  /** An environment variable's text in the form that a file would hold. */
  fromText(text: string): unknown;
};

const asIs = (text: string): unknown => text;
const asNumber = (text: string): unknown => (/^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text);

/** Text that fits `pattern`; `what` ends the sentence "must be …". */
export function matching(pattern: RegExp, what: string): ValueKind<string> {
  const message = `must be ${what}`;
  return {
    schema: z.string(message).trim().min(1, 'must not be empty').regex(pattern, message),
    fromText: asIs,
  };
}

/** A whole number of at least `least`; TOML numbers beyond 1,000,000 are slips here. */
export function whole(least = 0): ValueKind<number> {
  const message = `must be a whole number from ${least} to 1000000`;
  return { schema: z.int(message).min(least, message).max(1_000_000, message), fromText: asNumber };
}

export function decimal(): ValueKind<number> {
  const message = 'must be a number that is not negative';
  return { schema: z.number(message).min(0, message), fromText: asNumber };
}

export function flag(): ValueKind<boolean> {
  const words: Record<string, boolean> = {
    true: true,
    '1': true,
    yes: true,
    false: false,
    '0': false,
    no: false,
  };
  return {
    schema: z.boolean('must be true or false'),
    fromText: (said) => words[said.trim().toLowerCase()] ?? said,
  };
}

/** A list of texts that fit `pattern`; `what` ends the sentence "must be a list of …". Twice the same counts once. */
export function listOf(pattern: RegExp, what: string): ValueKind<string[]> {
  const { schema, fromText } = list(what);
  const message = `must be a list of ${what}`;
  const fitting = z
    .array(z.string(message).regex(pattern, message), message)
    .min(1, 'must name one at least')
    .transform((all) => [...new Set(all)]);
  return { schema: schema.pipe(fitting), fromText };
}

const wholeOrRange = /^(\d{1,6})(-(\d{1,6})?)?$/;

/** `4`, `"4"`, `"4-8"` or `"4-"` (no upper end). */
export function range(what: string): ValueKind<Range> {
  const message = `must be ${what}: a number, a range such as "4-8", or "4-" for no upper end`;
  return {
    schema: z
      .union([z.int(message).min(1, message), z.string(message)], message)
      .transform((raw, context) => {
        const [, least, dash, most] = wholeOrRange.exec(String(raw).replaceAll(' ', '')) ?? [];
        const low = Number(least ?? 0);
        const high = dash === undefined ? low : Number(most ?? Infinity);
        if (low < 1 || high < low) context.addIssue({ code: 'custom', message });
        return { least: low, most: Number.isFinite(high) ? high : null };
      }),
    fromText: asIs,
  };
}

/** `"never"`, `"when-short"`, a share such as `"30%"`, or a number of machines. */
export function onDemandRule(): ValueKind<OnDemandRule> {
  const message =
    'must be "never", "when-short", a share such as "30%", or the number of machines that are always on demand';
  return {
    schema: z.union([z.int(message), z.string(message)], message).transform((raw, context): OnDemandRule => {
      const said = String(raw).trim();
      if (said === 'never' || said === 'when-short') return { kind: said };
      const [, digits, percent] = /^(\d{1,4})(%?)$/.exec(said) ?? [];
      const count = Number(digits ?? -1);
      if (percent === '%' && count >= 1 && count <= 100) return { kind: 'share', percent: count };
      if (percent === '' && count === 0) return { kind: 'never' };
      if (percent === '' && count > 0) return { kind: 'base', count };
      context.addIssue({ code: 'custom', message });
      return { kind: 'never' };
    }),
    fromText: asIs,
  };
}

/** How launches go out. `persistent` is a word that EC2 knows, so it is refused in words. */
export function launchWay(): ValueKind<'auto' | LaunchWay> {
  const ways = ['auto', 'run-instances', 'fleet', 'spot-request'] as const;
  return {
    schema: z
      .string(`must be one of ${ways.join(', ')}`)
      .refine((said) => !/persist|maintain|^request$/i.test(said), {
        error:
          'must not be persistent: EC2 starts an untagged copy of every machine that ends, for ever; "spot-request" asks once',
        abort: true,
      })
      .pipe(z.enum(ways, `must be one of ${ways.join(', ')}`)),
    fromText: asIs,
  };
}

export function choice<const T extends string>(names: readonly [T, ...T[]]): ValueKind<T> {
  return { schema: z.enum(names, `must be one of ${names.join(', ')}`), fromText: asIs };
}

export function list(what: string): ValueKind<string[]> {
  const message = `must be a list of ${what}`;
  return {
    schema: z.array(z.string(message).min(1, message), message).max(100, `${message}, at most 100`),
    fromText: (said) =>
      said
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
  };
}

const DAY_MS = 24 * HOUR_MS;
const units: Record<string, number> = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };

/** No setting of time reaches ten years: above it somebody mistook the unit. */
const MOST_MS = 3_660 * DAY_MS;

/** Milliseconds of `90`, `"90s"`, `"1h30m"`; null when it is no duration. A bare number is seconds. */
export function durationMs(raw: unknown): number | null {
  if (typeof raw === 'number') return Number.isFinite(raw) ? raw * SECOND_MS : null;
  if (typeof raw !== 'string') return null;
  const said = raw.trim();
  if (/^\d+(\.\d+)?$/.test(said)) return Number(said) * SECOND_MS;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(said)) return null;
  let sum = 0;
  for (const [, count, unit] of said.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    sum += Number(count) * (units[unit ?? ''] ?? 0);
  }
  return sum;
}

/** A length of time, as milliseconds, within [leastMs, mostMs]. */
export function duration(leastMs: number, mostMs = MOST_MS): ValueKind<number> {
  const form = 'must be a length of time: a number of seconds, or text such as "90s", "10m", "2h"';
  return {
    schema: z.unknown().transform((raw, context) => {
      const ms = durationMs(raw);
      if (ms === null) context.addIssue({ code: 'custom', message: form });
      else if (ms < leastMs)
        context.addIssue({ code: 'custom', message: `must be at least ${leastMs / SECOND_MS} s` });
      else if (ms > mostMs)
        context.addIssue({ code: 'custom', message: `must be at most ${mostMs / SECOND_MS} s` });
      return ms ?? 0;
    }),
    fromText: asIs,
  };
}

const amount = z.int('must be a whole number').min(0, 'must not be negative');

const ownPeriod = z.strictObject({
  periods: z
    .array(z.string('must be a list of cron lines'), 'must be a list of cron lines')
    .min(1, 'must hold a cron line'),
  timezone: z.string('must be the name of a zone, such as "Europe/Berlin"').optional(),
  idle_count: amount.optional(),
  idle_count_min: amount.optional(),
  idle_scale_factor: z.number('must be a number').min(0, 'must not be negative').optional(),
  idle_time: duration(0).schema.optional(),
});

/** One entry of `autoscaling`, times in milliseconds. */
export type OwnPeriod = z.infer<typeof ownPeriod>;
export const ownPeriodKeys: readonly string[] = Object.keys(ownPeriod.shape);

/** `[[runners.hostler.autoscaling]]`; from the environment as JSON. */
export function ownPeriods(): ValueKind<OwnPeriod[]> {
  return {
    schema: z.array(ownPeriod, 'must be an array of tables').max(100, 'holds at most 100 entries'),
    fromText: (said) => {
      try {
        return JSON.parse(said) as unknown;
      } catch {
        return said;
      }
    },
  };
}
