// Instance types by their names: a family gives architecture, memory and price, a size gives vCPUs. The figures are a
// model: near EC2's list prices (Linux, us-east-1, 2026), good enough to compare, never to bill.
// Trap: any well-formed name of a known family exists here; EC2 has gaps between the sizes.
import { hashOf } from './seeded.ts';

export type InstanceType = {
  name: string;
  vcpus: number;
  memoryMib: number;
  architecture: 'x86_64' | 'arm64';
  /** On demand, USD an hour. */
  hourlyUsd: number;
  isCurrent: boolean;
  isNitro: boolean;
  isBurstable: boolean;
  isMetal: boolean;
  gpus: number;
};

/** Generations from which types count as current, and from which they run on Nitro; of the t class all but t2 do. */
const CURRENT_FROM = 7;
const NITRO_FROM = 5;
const NITRO_T_FROM = 3;
const NITRO_GPU_FROM = 4;

/** Class letters → GiB of memory a vCPU and USD a vCPU-hour. */
const classes: Readonly<Record<string, { gib: number; usd: number }>> = {
  t: { gib: 4, usd: 0.0416 },
  m: { gib: 4, usd: 0.048 },
  c: { gib: 2, usd: 0.0425 },
  r: { gib: 8, usd: 0.063 },
  x: { gib: 16, usd: 0.104 },
  z: { gib: 8, usd: 0.093 },
  i: { gib: 8, usd: 0.078 },
  d: { gib: 8, usd: 0.0865 },
  g: { gib: 4, usd: 0.1315 },
  p: { gib: 8, usd: 0.3825 },
};

const sizes: Readonly<Record<string, number>> = {
  nano: 2,
  micro: 2,
  small: 2,
  medium: 2,
  large: 2,
  xlarge: 4,
};

/** Small sizes have less memory than their vCPUs say, and cost less: parts of a `large`. */
const parts: Readonly<Record<string, number>> = { nano: 1 / 16, micro: 1 / 8, small: 1 / 4, medium: 1 / 2 };

function vcpusOf(size: string): number | null {
  if (Object.hasOwn(sizes, size)) return sizes[size] ?? null;
  if (size === 'metal') return 96;
  const times = /^(\d{1,2})xlarge$/.exec(size)?.[1];
  return times === undefined || times === '0' ? null : 4 * Number(times);
}

function nitroFrom(letters: string): number {
  if (letters === 't') return NITRO_T_FROM;
  return /^[gp]/.test(letters) ? NITRO_GPU_FROM : NITRO_FROM;
}

/** A type by its name, or null when EC2 would call the name invalid. */
export function instanceType(name: string): InstanceType | null {
  const [, letters = '', generation = '', marks = '', size = ''] =
    /^([a-z]{1,3})(\d{1,2})([a-z-]*)\.([0-9a-z]+)$/.exec(name) ?? [];
  const kind = classes[letters.charAt(0)];
  const vcpus = vcpusOf(size);
  if (kind === undefined || vcpus === null || generation === '') return null;
  const part = parts[size] ?? 1;
  // A `g` among the marks is Graviton; the a1 family and mac are left out, nobody builds in them.
  const architecture = marks.startsWith('g') ? 'arm64' : 'x86_64';
  return {
    name,
    vcpus,
    memoryMib: Math.round(vcpus * kind.gib * part * 1024),
    architecture,
    isCurrent: letters === 't' || Number(generation) >= CURRENT_FROM,
    isNitro: Number(generation) >= nitroFrom(letters),
    isBurstable: letters === 't',
    isMetal: size === 'metal',
    gpus: /^[gp]/.test(letters) ? 1 : 0,
    hourlyUsd: Number((vcpus * kind.usd * part * (architecture === 'arm64' ? 0.8 : 1)).toFixed(4)),
  };
}

/** Families whose types DescribeInstanceTypes lists, with the sizes they are listed in. */
const listed: readonly (readonly [families: string, sizes: string])[] = [
  ['t2 t3 t3a t4g', 'micro small medium large xlarge 2xlarge'],
  ['m4 c4 r4', 'large xlarge 2xlarge 4xlarge'],
  ['m5 m5a m6i m6a m6g m7i m7a m7g', 'large xlarge 2xlarge 4xlarge 8xlarge'],
  ['c5 c5a c6i c6a c6g c7i c7a c7g', 'large xlarge 2xlarge 4xlarge 8xlarge'],
  ['r5 r5a r6i r6a r6g r7i r7g', 'large xlarge 2xlarge 4xlarge 8xlarge'],
  ['m5 c5', 'metal'],
  ['g4dn g5 p3', 'xlarge 2xlarge'],
];

/** Types that DescribeInstanceTypes lists when asked for none by name. */
export const listedTypes: readonly string[] = listed.flatMap(([families, some]) =>
  families.split(' ').flatMap((family) => some.split(' ').map((size) => `${family}.${size}`)),
);

/** Spot price now, USD an hour: 26 to 44 % of the on-demand price, fixed by type and zone. */
export function spotPriceOf(type: InstanceType, zone: string): number {
  const share = 0.26 + ((hashOf(`${type.name}/${zone}`) % 1000) / 1000) * 0.18;
  return Number((type.hourlyUsd * share).toFixed(4));
}
