// The places a pool may launch at: its types (by name or by need) times its subnets times its markets, less what EC2
// does not offer there. A pool with one type and one subnet has one place, and EC2 is not asked.
// Trap: policies made for docker-machine lack the two calls; then the list is taken as it is written, and launches tell.
import type { _InstanceType, InstanceTypeInfo } from '@aws-sdk/client-ec2';
import type { LaunchSpec } from '../../domain/config.ts';
import type { Market } from '../../domain/instance.ts';
import { type InstanceNeeds, type Place, type TypeFacts, typesFor } from '../../domain/offering.ts';
import { outcomeOf, refusal } from '../../domain/outcome.ts';
import type { Log } from '../../ports/log.ts';
import { unreadableAnswer } from './errors.ts';
import type { SiteCalls } from './site-calls.ts';

type Deps = { calls: SiteCalls; log: Log; signal: AbortSignal };

export type ResolvedSubnet = { subnetId: string | null; zone: string | null };

/** Types a page: a page of this size is parsed in some 30 ms; EC2's maximum is 100. */
const TYPES_PAGE = 50;

/** Offerings a page; EC2's maximum. */
const OFFERINGS_PAGE = 1_000;

/** Pages; there are some thousand types, and types times zones, in a region. */
const MAX_PAGES = 100;

/** Values in one filter; EC2's maximum. */
const MAX_FILTER_VALUES = 200;

/** Places in one fleet; beyond this a request grows without finding more capacity. */
const MAX_PLACES = 300;

/** Throws `cloud-refused`; types that do not exist, or places of which EC2 offers none, are `invalid`. */
export async function resolvePlaces(
  spec: LaunchSpec,
  subnets: readonly ResolvedSubnet[],
  deps: Deps,
): Promise<Place[]> {
  if (spec.needs === null && spec.instanceTypes.length === 1 && subnets.length === 1) {
    return combine([{ type: spec.instanceType, vcpus: null, markets: spec.markets }], subnets, spec.markets);
  }
  let types: TypeFacts[];
  let offered: ReadonlySet<string>;
  try {
    types = await findTypes(spec, deps);
    offered = await findOffered(types, subnets, deps);
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome?.kind !== 'denied' || outcome.scope !== 'pool' || spec.needs !== null) throw error;
    deps.log.warn('EC2 does not allow to look up instance types; all of them are tried in all subnets', {
      code: outcome.code,
    });
    const named = spec.instanceTypes.map((type) => ({ type, vcpus: null, markets: spec.markets }));
    return combine(named, subnets, spec.markets);
  }
  const places = combine(types, subnets, spec.markets).filter(
    ({ type, zone }) => zone === null || offered.has(`${type}:${zone}`),
  );
  if (places.length > 0) return places.slice(0, MAX_PLACES);
  throw refusal('DescribeInstanceTypeOfferings', {
    kind: 'invalid',
    scope: 'pool',
    code: 'Hostler.NoOffering',
    message: `EC2 offers none of ${types
      .map(({ type }) => type)
      .join(', ')
      .slice(0, 200)} in ${zonesOf(subnets).join(', ')}; name other instance_types or subnets`,
  });
}

type Candidate = { type: string; vcpus: number | null; markets: readonly Market[] };

/** The preferred market first, then type by type, each in every subnet. */
function combine(
  types: readonly Candidate[],
  subnets: readonly ResolvedSubnet[],
  markets: readonly Market[],
): Place[] {
  return markets.flatMap((market) =>
    types
      .filter((candidate) => candidate.markets.includes(market))
      .flatMap(({ type, vcpus }) => subnets.map((subnet) => ({ type, vcpus, market, ...subnet }))),
  );
}

function zonesOf(subnets: readonly ResolvedSubnet[]): string[] {
  return [...new Set(subnets.flatMap(({ zone }) => zone ?? []))];
}

async function findTypes(spec: LaunchSpec, deps: Deps): Promise<TypeFacts[]> {
  if (spec.needs !== null) {
    const found = typesFor(spec.needs, await describeTypes(filtersFor(spec.needs), deps));
    if (found.length > 0) return found;
    throw refusal('DescribeInstanceTypes', {
      kind: 'invalid',
      scope: 'pool',
      code: 'Hostler.NoType',
      message:
        'no instance type of the c, m and r families has the vcpus and memory_gib that are asked for; widen them',
    });
  }
  const facts = await describeTypes({ InstanceTypes: spec.instanceTypes as _InstanceType[] }, deps);
  return spec.instanceTypes.flatMap((type) => facts.find((one) => one.type === type) ?? []);
}

/** What EC2 can filter by itself; the rest is looked at in its answer. */
function filtersFor({ architecture, vcpus }: InstanceNeeds) {
  const most = vcpus.most ?? Number.POSITIVE_INFINITY;
  const wide = most - vcpus.least >= MAX_FILTER_VALUES;
  const counts = wide
    ? []
    : Array.from({ length: most - vcpus.least + 1 }, (_, at) => String(vcpus.least + at));
  return {
    Filters: [
      { Name: 'processor-info.supported-architecture', Values: [architecture] },
      { Name: 'hypervisor', Values: ['nitro'] },
      { Name: 'bare-metal', Values: ['false'] },
      ...(wide ? [] : [{ Name: 'vcpu-info.default-vcpus', Values: counts }]),
    ],
  };
}

async function describeTypes(
  query: { InstanceTypes: _InstanceType[] } | ReturnType<typeof filtersFor>,
  deps: Deps,
): Promise<TypeFacts[]> {
  const action = 'DescribeInstanceTypes';
  const { DescribeInstanceTypesCommand } = await import('@aws-sdk/client-ec2');
  // A query by name is not paged: EC2 refuses MaxResults beside names.
  const page = 'Filters' in query ? { MaxResults: TYPES_PAGE } : {};
  const found: TypeFacts[] = [];
  let token: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const command = new DescribeInstanceTypesCommand({
      ...query,
      ...page,
      ...(token !== undefined && { NextToken: token }),
    });
    const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      clients.describe.send(command, { abortSignal: signal }),
    );
    if (answer.InstanceTypes === undefined) throw refusal(action, unreadableAnswer(action, 'without a list'));
    found.push(...answer.InstanceTypes.flatMap(readType));
    token = answer.NextToken || undefined;
    if (token === undefined) break;
  }
  return found;
}

function readType(info: InstanceTypeInfo): TypeFacts[] {
  if (info.InstanceType === undefined) return [];
  const classes: readonly string[] = info.SupportedUsageClasses ?? ['on-demand', 'spot'];
  const markets: Market[] = ['spot', 'on-demand'];
  return [
    {
      type: info.InstanceType,
      vcpus: info.VCpuInfo?.DefaultVCpus ?? 0,
      memoryMib: info.MemoryInfo?.SizeInMiB ?? 0,
      architectures: info.ProcessorInfo?.SupportedArchitectures ?? [],
      markets: markets.filter((market) => classes.includes(market)),
      isNitro: info.Hypervisor === 'nitro',
      isMetal: info.BareMetal ?? false,
      isBurstable: info.BurstablePerformanceSupported ?? false,
      hasAccelerator: [
        info.GpuInfo,
        info.FpgaInfo,
        info.InferenceAcceleratorInfo,
        info.NeuronInfo,
        info.MediaAcceleratorInfo,
      ].some((part) => part !== undefined),
    },
  ];
}

/** `type:zone` of what EC2 offers of these types in the subnets' zones. */
async function findOffered(
  types: readonly TypeFacts[],
  subnets: readonly ResolvedSubnet[],
  deps: Deps,
): Promise<Set<string>> {
  const action = 'DescribeInstanceTypeOfferings';
  const { DescribeInstanceTypeOfferingsCommand } = await import('@aws-sdk/client-ec2');
  const zones = zonesOf(subnets);
  const found = new Set<string>();
  let token: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const command = new DescribeInstanceTypeOfferingsCommand({
      LocationType: 'availability-zone',
      Filters: [
        {
          Name: 'instance-type',
          Values: types.map(({ type }) => type).slice(0, MAX_FILTER_VALUES - zones.length),
        },
        ...(zones.length === 0 ? [] : [{ Name: 'location', Values: zones }]),
      ],
      MaxResults: OFFERINGS_PAGE,
      ...(token !== undefined && { NextToken: token }),
    });
    const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      clients.describe.send(command, { abortSignal: signal }),
    );
    if (answer.InstanceTypeOfferings === undefined)
      throw refusal(action, unreadableAnswer(action, 'without a list'));
    for (const { InstanceType, Location } of answer.InstanceTypeOfferings)
      found.add(`${InstanceType}:${Location}`);
    token = answer.NextToken || undefined;
    if (token === undefined) break;
  }
  return found;
}
