// On-demand prices that hostler brings: Linux, shared tenancy, no reservations, as AWS's public price lists give them. us-east-1
// stands here; the other main regions stand in on-demand-prices.json, which scripts/on-demand-prices.mjs makes.
// What the tables do not hold has no known price, and `prices = "FILE"` adds to them or corrects them.
// Trap: prices differ by region, so a row for one must never stand in for another.
import { readFileSync } from 'node:fs';
import type { PriceTable } from '../../domain/price.ts';

/** us-east-1: sizes with USD an hour, by family. */
const northVirginia: Families = {
  t2: 'nano 0.0058, micro 0.0116, small 0.023, medium 0.0464, large 0.0928, xlarge 0.1856, 2xlarge 0.3712',
  t3: 'nano 0.0052, micro 0.0104, small 0.0208, medium 0.0416, large 0.0832, xlarge 0.1664, 2xlarge 0.3328',
  t3a: 'nano 0.0047, micro 0.0094, small 0.0188, medium 0.0376, large 0.0752, xlarge 0.1504, 2xlarge 0.3008',
  t4g: 'nano 0.0042, micro 0.0084, small 0.0168, medium 0.0336, large 0.0672, xlarge 0.1344, 2xlarge 0.2688',
  m4: 'large 0.1, xlarge 0.2, 2xlarge 0.4, 4xlarge 0.8',
  m5: 'large 0.096, xlarge 0.192, 2xlarge 0.384, 4xlarge 0.768, 8xlarge 1.536',
  m5a: 'large 0.086, xlarge 0.172, 2xlarge 0.344, 4xlarge 0.688, 8xlarge 1.376',
  m5d: 'large 0.113, xlarge 0.226, 2xlarge 0.452, 4xlarge 0.904, 8xlarge 1.808',
  m5n: 'large 0.119, xlarge 0.238, 2xlarge 0.476, 4xlarge 0.952, 8xlarge 1.904',
  m6a: 'large 0.0864, xlarge 0.1728, 2xlarge 0.3456, 4xlarge 0.6912, 8xlarge 1.3824',
  m6i: 'large 0.096, xlarge 0.192, 2xlarge 0.384, 4xlarge 0.768, 8xlarge 1.536',
  m6id: 'large 0.11865, xlarge 0.2373, 2xlarge 0.4746, 4xlarge 0.9492, 8xlarge 1.8984',
  m6in: 'large 0.13923, xlarge 0.27846, 2xlarge 0.55692, 4xlarge 1.11384, 8xlarge 2.22768',
  m6g: 'medium 0.0385, large 0.077, xlarge 0.154, 2xlarge 0.308, 4xlarge 0.616, 8xlarge 1.232',
  m6gd: 'medium 0.0452, large 0.0904, xlarge 0.1808, 2xlarge 0.3616, 4xlarge 0.7232, 8xlarge 1.4464',
  m7a: 'medium 0.05796, large 0.11592, xlarge 0.23184, 2xlarge 0.46368, 4xlarge 0.92736, 8xlarge 1.85472',
  m7i: 'large 0.1008, xlarge 0.2016, 2xlarge 0.4032, 4xlarge 0.8064, 8xlarge 1.6128',
  'm7i-flex': 'large 0.09576, xlarge 0.19152, 2xlarge 0.38304, 4xlarge 0.76608, 8xlarge 1.53216',
  m7g: 'medium 0.0408, large 0.0816, xlarge 0.1632, 2xlarge 0.3264, 4xlarge 0.6528, 8xlarge 1.3056',
  m8a: 'medium 0.06086, large 0.12172, xlarge 0.24344, 2xlarge 0.48688, 4xlarge 0.97376, 8xlarge 1.94752',
  m8i: 'large 0.10584, xlarge 0.21168, 2xlarge 0.42336, 4xlarge 0.84672, 8xlarge 1.69344',
  'm8i-flex': 'large 0.10055, xlarge 0.2011, 2xlarge 0.4022, 4xlarge 0.8044, 8xlarge 1.6088',
  m8g: 'medium 0.04488, large 0.08976, xlarge 0.17952, 2xlarge 0.35904, 4xlarge 0.71808, 8xlarge 1.43616',
  c5: 'large 0.085, xlarge 0.17, 2xlarge 0.34, 4xlarge 0.68, 9xlarge 1.53',
  c5a: 'large 0.077, xlarge 0.154, 2xlarge 0.308, 4xlarge 0.616, 8xlarge 1.232',
  c5d: 'large 0.096, xlarge 0.192, 2xlarge 0.384, 4xlarge 0.768, 9xlarge 1.728',
  c5n: 'large 0.108, xlarge 0.216, 2xlarge 0.432, 4xlarge 0.864, 9xlarge 1.944',
  c6a: 'large 0.0765, xlarge 0.153, 2xlarge 0.306, 4xlarge 0.612, 8xlarge 1.224',
  c6i: 'large 0.085, xlarge 0.17, 2xlarge 0.34, 4xlarge 0.68, 8xlarge 1.36',
  c6id: 'large 0.1008, xlarge 0.2016, 2xlarge 0.4032, 4xlarge 0.8064, 8xlarge 1.6128',
  c6in: 'large 0.1134, xlarge 0.2268, 2xlarge 0.4536, 4xlarge 0.9072, 8xlarge 1.8144',
  c6g: 'medium 0.034, large 0.068, xlarge 0.136, 2xlarge 0.272, 4xlarge 0.544, 8xlarge 1.088',
  c6gd: 'medium 0.0384, large 0.0768, xlarge 0.1536, 2xlarge 0.3072, 4xlarge 0.6144, 8xlarge 1.2288',
  c6gn: 'medium 0.0432, large 0.0864, xlarge 0.1728, 2xlarge 0.3456, 4xlarge 0.6912, 8xlarge 1.3824',
  c7a: 'medium 0.05132, large 0.10264, xlarge 0.20528, 2xlarge 0.41056, 4xlarge 0.82112, 8xlarge 1.64224',
  c7i: 'large 0.08925, xlarge 0.1785, 2xlarge 0.357, 4xlarge 0.714, 8xlarge 1.428',
  'c7i-flex': 'large 0.08479, xlarge 0.16958, 2xlarge 0.33915, 4xlarge 0.6783, 8xlarge 1.3566',
  c7g: 'medium 0.0363, large 0.0725, xlarge 0.145, 2xlarge 0.29, 4xlarge 0.58, 8xlarge 1.16',
  c7gn: 'medium 0.0624, large 0.1248, xlarge 0.2496, 2xlarge 0.4992, 4xlarge 0.9984, 8xlarge 1.9968',
  c8a: 'medium 0.05389, large 0.10777, xlarge 0.21554, 2xlarge 0.43108, 4xlarge 0.86216, 8xlarge 1.72432',
  c8i: 'large 0.09371, xlarge 0.18742, 2xlarge 0.37484, 4xlarge 0.74968, 8xlarge 1.49936',
  'c8i-flex': 'large 0.08902, xlarge 0.17804, 2xlarge 0.35608, 4xlarge 0.71216, 8xlarge 1.42432',
  c8g: 'medium 0.03988, large 0.07976, xlarge 0.15952, 2xlarge 0.31904, 4xlarge 0.63808, 8xlarge 1.27616',
  r4: 'large 0.133, xlarge 0.266, 2xlarge 0.532, 4xlarge 1.064, 8xlarge 2.128',
  r5: 'large 0.126, xlarge 0.252, 2xlarge 0.504, 4xlarge 1.008, 8xlarge 2.016',
  r5a: 'large 0.113, xlarge 0.226, 2xlarge 0.452, 4xlarge 0.904, 8xlarge 1.808',
  r5d: 'large 0.144, xlarge 0.288, 2xlarge 0.576, 4xlarge 1.152, 8xlarge 2.304',
  r5n: 'large 0.149, xlarge 0.298, 2xlarge 0.596, 4xlarge 1.192, 8xlarge 2.384',
  r6a: 'large 0.1134, xlarge 0.2268, 2xlarge 0.4536, 4xlarge 0.9072, 8xlarge 1.8144',
  r6i: 'large 0.126, xlarge 0.252, 2xlarge 0.504, 4xlarge 1.008, 8xlarge 2.016',
  r6id: 'large 0.1512, xlarge 0.3024, 2xlarge 0.6048, 4xlarge 1.2096, 8xlarge 2.4192',
  r6g: 'medium 0.0504, large 0.1008, xlarge 0.2016, 2xlarge 0.4032, 4xlarge 0.8064, 8xlarge 1.6128',
  r7a: 'medium 0.07608, large 0.15215, xlarge 0.3043, 2xlarge 0.6086, 4xlarge 1.2172, 8xlarge 2.4344',
  r7i: 'large 0.1323, xlarge 0.2646, 2xlarge 0.5292, 4xlarge 1.0584, 8xlarge 2.1168',
  r7g: 'medium 0.0536, large 0.1071, xlarge 0.2142, 2xlarge 0.4284, 4xlarge 0.8568, 8xlarge 1.7136',
  r8a: 'medium 0.07988, large 0.15976, xlarge 0.31952, 2xlarge 0.63904, 4xlarge 1.27808, 8xlarge 2.55616',
  r8i: 'large 0.13892, xlarge 0.27784, 2xlarge 0.55568, 4xlarge 1.11136, 8xlarge 2.22272',
  r8g: 'medium 0.05891, large 0.11782, xlarge 0.23564, 2xlarge 0.47128, 4xlarge 0.94256, 8xlarge 1.88512',
};

/** Sizes with USD an hour, by family. */
type Families = Readonly<Record<string, string>>;

function rowsOf(region: string, families: Families): PriceTable['prices'] {
  return Object.entries(families).flatMap(([family, sizes]) =>
    sizes.split(', ').map((pair) => {
      const [size = '', usd = ''] = pair.split(' ');
      return { region, type: `${family}.${size}`, usdPerHour: Number(usd) };
    }),
  );
}

function readRegions(): PriceTable {
  const text = readFileSync(new URL('./on-demand-prices.json', import.meta.url), 'utf8');
  const file = JSON.parse(text) as Omit<PriceTable, 'prices'> & {
    regions: Readonly<Record<string, Families>>;
  };
  const prices = Object.entries(file.regions).flatMap(([region, families]) => rowsOf(region, families));
  return { source: file.source, asOf: file.asOf, prices };
}

let tables: readonly PriceTable[] | null = null;

/** The tables that hostler brings, each as of the date of the price list that it was taken from; read at the first use. */
export function onDemandTables(): readonly PriceTable[] {
  tables ??= [
    readRegions(),
    {
      source: 'AWS price list, Linux on demand',
      asOf: '2026-07-20',
      prices: rowsOf('us-east-1', northVirginia),
    },
  ];
  return tables;
}
