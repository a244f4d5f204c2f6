// On-demand prices of the user's own (negotiated rates, types too new for the table that hostler brings): a small TOML
// file with its source, its date, and a table of USD an hour for each region.
// Trap: a wrong price bounds or frees launches in silence, so nothing in the file is left unread.
import { z } from 'zod';
import type { PriceTable } from '../../domain/price.ts';
import { shown } from './findings.ts';
import { MAX_FILE_BYTES, type Reading, readSmall } from './reading.ts';
import { dotted, readToml } from './toml-document.ts';

const hourly = z
  .number('must be USD an hour')
  .positive('must be above 0')
  .max(1_000, 'must be USD an hour, not a month');

const schema = z.strictObject({
  source: z.string('must say where the prices come from').min(1).max(200),
  date: z
    .union([z.date(), z.string()], 'must be a date such as 2026-11-01')
    .transform((said) => (typeof said === 'string' ? said : said.toISOString()).slice(0, 10))
    .refine((said) => /^\d{4}-\d\d-\d\d$/.test(said), 'must be a date such as 2026-11-01'),
  prices: z.record(
    z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region such as eu-central-1'),
    z.record(z.string().regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, 'must be a type such as m5.large'), hourly),
    'must be tables such as [prices.eu-central-1]',
  ),
});

function wordsFor(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown key ${shown(issue.keys[0])}`;
  const name = String(issue.path.at(-1));
  return issue.code === 'invalid_key' ? `${shown(name)} ${issue.issues[0]?.message ?? ''}` : issue.message;
}

/** The file's table; null when it cannot be used, with what is wrong among the findings. */
export async function readPriceFile(reading: Reading, path: string): Promise<PriceTable | null> {
  const read = await readSmall(reading, path, MAX_FILE_BYTES);
  if ('problem' in read) {
    reading.findings.error('price-file', `prices: ${read.problem}`, { where: path, key: 'prices' });
    return null;
  }
  const doc = readToml(path, read.bytes.toString('utf8'));
  if (!('value' in doc)) {
    reading.findings.error(doc.code, doc.message, { where: doc.where });
    return null;
  }
  const parsed = schema.safeParse(doc.value);
  if (parsed.success) {
    const { source, date, prices } = parsed.data;
    const rows = Object.entries(prices).flatMap(([region, types]) =>
      Object.entries(types).map(([type, usdPerHour]) => ({ region, type, usdPerHour })),
    );
    return { source, asOf: date, prices: rows };
  }
  for (const issue of parsed.error.issues.slice(0, 5)) {
    const at = issue.path.filter((part) => typeof part !== 'symbol');
    reading.findings.error('price-file', wordsFor(issue), {
      where: doc.where(at),
      key: dotted(at) || 'prices',
    });
  }
  return null;
}
