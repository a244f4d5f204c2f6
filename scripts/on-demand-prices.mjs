#!/usr/bin/env node
// Makes src/adapters/aws/on-demand-prices.json out of price lists as AWS's public page "EC2 On-Demand Pricing" loads them: one
// JSON a region, named REGION-….json, in one folder. Prints the table; keeps what CI hosts are made of, prices as they stand there.
// Trap: a price that the lists do not hold is left out, never worked out from another size.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const families =
  /^(t2|t3a?|t4g|m4|m5[ad]?|m6(a|id?|g)|m7(a|i|i-flex|g)|m8g|c5[ad]?|c6(a|id?|g)|c7(a|i|i-flex|g)|c8g|r4|r5a?|r6[aig]|r7[aig]|r8g)$/;
const sizes = ['micro', 'small', 'medium', 'large', 'xlarge', '2xlarge', '4xlarge', '8xlarge'];
/** us-east-1 has a newer list of its own in on-demand-prices.ts. */
const regions =
  /^((us-east-2|us-west-[12]|ca-central-1|sa-east-1|eu-central-[12]|eu-west-[123]|eu-north-1|eu-south-[12]|ap-south-1|ap-northeast-[123]|ap-southeast-[12])(?=-))/;

/** @param {string} message @returns {never} */
function fail(message) {
  process.stderr.write(`on-demand-prices: ${message}\n`);
  process.exit(64);
}

const [folder = ''] = process.argv.slice(2);
if (folder === '') fail('usage: on-demand-prices.mjs FOLDER > src/adapters/aws/on-demand-prices.json');

/** @type {Record<string, Record<string, Record<string, number>>>} */
const found = {};
/** @type {Set<string>} */
const dates = new Set();
for (const file of readdirSync(folder).toSorted()) {
  const region = regions.exec(file)?.[1];
  if (region === undefined || !file.endsWith('ondemand.json')) continue;
  const text = readFileSync(join(folder, file), 'utf8');
  // Regions without older types answer with an error page.
  if (!text.startsWith('{')) continue;
  const list = JSON.parse(text);
  if (list.manifest.currencyCode !== 'USD') fail(`${file} is in ${list.manifest.currencyCode}`);
  dates.add(list.manifest.hawkFilePublicationDate.slice(0, 10));
  const rows = Object.values(list.regions).flatMap((/** @type {object} */ one) => Object.values(one));
  for (const row of rows) {
    const [family = '', size = ''] = row['Instance Type'].split('.');
    const isPlain = row['Operating System'] === 'Linux' && (row['Pre Installed S/W'] ?? 'NA') === 'NA';
    if (!isPlain || !families.test(family) || !sizes.includes(size) || !(Number(row.price) > 0)) continue;
    found[region] ??= {};
    found[region][family] ??= {};
    found[region][family][size] = Number(row.price);
  }
}
if (dates.size === 0) fail(`no price list of a region in ${folder}`);

/** @param {Record<string, number>} prices */
const line = (prices) =>
  sizes.flatMap((size) => (prices[size] === undefined ? [] : [`${size} ${prices[size]}`])).join(', ');
const table = {
  source: 'AWS price list, Linux on demand',
  asOf: [...dates].toSorted()[0],
  regions: Object.fromEntries(
    Object.entries(found).map(([region, byFamily]) => [
      region,
      Object.fromEntries(
        Object.keys(byFamily)
          .toSorted()
          .map((family) => [family, line(byFamily[family] ?? {})]),
      ),
    ]),
  ),
};
process.stdout.write(`${JSON.stringify(table, null, 2)}\n`);
