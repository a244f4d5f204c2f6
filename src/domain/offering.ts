// Where a pool's machines may come from: offerings with their subnets, what instance types are, which quota they count
// against, and which types fit a pool's needs. Pure: what EC2 offers comes in as plain facts.
// Trap: names of types are read only where EC2 is not asked (quota class, processor); sizes come from EC2 itself.
import type { Market, Offering } from './instance.ts';

/** One place a launch may ask for: an offering, the subnet it goes to, and its vCPUs (null = EC2 was not asked). */
export type Place = Offering & { subnetId: string | null; vcpus: number | null };

/** How a launch goes out. */
export type LaunchWay = 'run-instances' | 'fleet' | 'spot-request';

export type Architecture = 'x86_64' | 'arm64';

/** Both ends count in; `most` null = no upper end. */
export type Range = { least: number; most: number | null };

/** A pool's types by need instead of by name. */
export type InstanceNeeds = { vcpus: Range; memoryGib: Range; architecture: Architecture };

/** What DescribeInstanceTypes says of a type. */
export type TypeFacts = {
  type: string;
  vcpus: number;
  memoryMib: number;
  architectures: readonly string[];
  markets: readonly Market[];
  /** On EC2's present virtualization; others are a decade old. */
  isNitro: boolean;
  isMetal: boolean;
  isBurstable: boolean;
  /** GPU, FPGA, inference or training hardware on board. */
  hasAccelerator: boolean;
};

/** Types taken for a need: Karpenter sends no more than 60 in one fleet (facts/ec2.md §3); the smallest fit first. */
export const MAX_TYPES = 60;

/** General purpose, compute and memory optimized families. */
const USUAL_FAMILIES = /^[cmr]\d/;

/**
 * Types that fit, the smallest first. Of the usual families only, without bare metal, accelerators and what came before
 * Nitro: whoever wants others names them. Earlier generations on Nitro count in: they are the deepest spot pools.
 */
export function typesFor(needs: InstanceNeeds, catalogue: readonly TypeFacts[]): TypeFacts[] {
  const fits = (range: Range, value: number) =>
    value >= range.least && (range.most === null || value <= range.most);
  return catalogue
    .filter((facts) => facts.architectures.includes(needs.architecture))
    .filter(({ type, isNitro, isMetal }) => USUAL_FAMILIES.test(type) && isNitro && !isMetal)
    .filter((facts) => !facts.isBurstable && !facts.hasAccelerator)
    .filter((facts) => fits(needs.vcpus, facts.vcpus) && fits(needs.memoryGib, facts.memoryMib / 1024))
    .toSorted((a, b) => a.vcpus - b.vcpus || a.memoryMib - b.memoryMib || (a.type < b.type ? -1 : 1))
    .slice(0, MAX_TYPES);
}

/**
 * `arm64` for Graviton families, else `x86_64`. EC2 marks the processor behind the generation's digit (m7g, c6gn, x2gd);
 * a1 is the one family from before that rule.
 */
export function architectureOf(instanceType: string): Architecture {
  const family = instanceType.split('.')[0] ?? '';
  return /^a1$|^[a-z]+\d+[a-z-]*g/.test(family) ? 'arm64' : 'x86_64';
}

/** How a launch of these places goes out when the pool leaves it open: one place needs no fleet. */
export function wayFor(asked: 'auto' | LaunchWay, places: number, hasTemplate: boolean): LaunchWay {
  if (asked !== 'auto') return asked;
  return places > 1 || hasTemplate ? 'fleet' : 'run-instances';
}

const quotaClasses = ['standard', 'dl', 'f', 'g', 'hpc', 'inf', 'high-memory', 'p', 'trn', 'x'] as const;

/** Families that share a vCPU quota. */
export type QuotaClass = (typeof quotaClasses)[number];

export function isQuotaClass(name: unknown): name is QuotaClass {
  return quotaClasses.some((known) => known === name);
}

/** One of EC2's vCPU quotas: its id in Service Quotas, its name there, and its value where EC2 or Service Quotas told it. */
export type Quota = { class: QuotaClass; market: Market; id: string; name: string; vcpus: number | null };

type QuotaNames = { words: string; spot: string | null; onDemand: string | null };

/** Ids and names as the Service Quotas console shows them; null where there is no such quota. */
const quotas: Readonly<Record<QuotaClass, QuotaNames>> = {
  standard: { words: 'Standard (A, C, D, H, I, M, R, T, Z)', spot: 'L-34B43A08', onDemand: 'L-1216C47A' },
  dl: { words: 'DL', spot: 'L-85EED4F7', onDemand: 'L-6E869C2A' },
  f: { words: 'F', spot: 'L-88CF9481', onDemand: 'L-74FC7D96' },
  g: { words: 'G and VT', spot: 'L-3819A6DF', onDemand: 'L-DB2E81BA' },
  hpc: { words: 'HPC', spot: null, onDemand: 'L-F7808C92' },
  inf: { words: 'Inf', spot: 'L-B5D1601B', onDemand: 'L-1945791B' },
  'high-memory': { words: 'High Memory', spot: null, onDemand: 'L-43DA4232' },
  p: { words: 'P', spot: 'L-7212CCBC', onDemand: 'L-417A185B' },
  trn: { words: 'Trn', spot: 'L-6B0D517C', onDemand: 'L-2C3B7624' },
  x: { words: 'X', spot: 'L-E3A00192', onDemand: 'L-7295265B' },
};

const otherClasses: readonly (readonly [RegExp, QuotaClass])[] = [
  [/^hpc\d/, 'hpc'],
  [/^(u|u\d?)-/, 'high-memory'],
  [/^inf\d/, 'inf'],
  [/^trn\d/, 'trn'],
  [/^dl\d/, 'dl'],
  [/^(g\d|gr\d|vt\d)/, 'g'],
  [/^p\d/, 'p'],
  [/^f\d/, 'f'],
  [/^x\d/, 'x'],
];

/** The class whose quota a type's vCPUs count against; most families are standard ones. */
export function quotaClassOf(instanceType: string): QuotaClass {
  return otherClasses.find(([family]) => family.test(instanceType))?.[1] ?? 'standard';
}

/** Market and class of the quota with this id in Service Quotas; null = none that hostler knows. */
export function quotaById(id: string): { market: Market; class: QuotaClass } | null {
  for (const name of quotaClasses) {
    if (quotas[name].spot === id) return { market: 'spot', class: name };
    if (quotas[name].onDemand === id) return { market: 'on-demand', class: name };
  }
  return null;
}

/** The quota that a launch of this type meets in this market. */
export function quotaOf(instanceType: string, market: Market, vcpus: number | null = null): Quota {
  const name = quotaClassOf(instanceType);
  const { words, spot, onDemand } = quotas[name];
  const isSpot = market === 'spot';
  return {
    class: name,
    market,
    id: (isSpot ? spot : onDemand) ?? 'unknown',
    name: isSpot ? `All ${words} Spot Instance Requests` : `Running On-Demand ${words} instances`,
    vcpus,
  };
}
