// Where a pool's machines may come from and how: types, subnets, markets, price cap, way of launching. Keys of ours go
// before the create options, of which docker-machine knows one each and CKI's fork several.
// Trap: `spot-price` empty, absent and given are three things, and only docker-machine's own way to ask for spot brings
// docker-machine's default cap.
import type { LaunchSpec, OnDemandRule } from '../../domain/config.ts';
import type { Market } from '../../domain/instance.ts';
import type { TemplateOverride } from '../../domain/launch.ts';
import { architectureOf, type InstanceNeeds, type Range } from '../../domain/offering.ts';
import { shown } from './findings.ts';
import { type Entry, type Layer, pick, record } from './layer.ts';
import type { MachineOptions } from './machine-options.ts';
import { type PoolKey, poolKeys } from './own-keys.ts';
import type { Reading } from './reading.ts';

export type ChoiceScope = { reading: Reading; pool: string; layers: readonly Layer[] };

/** What stands in the LaunchSpec for the choice. */
export type LaunchChoice = Pick<
  LaunchSpec,
  | 'instanceType'
  | 'instanceTypes'
  | 'needs'
  | 'subnetId'
  | 'subnetIds'
  | 'market'
  | 'markets'
  | 'maxPriceUsd'
  | 'way'
  | 'template'
>;

/** docker-machine's type when none is named. */
const DEFAULT_TYPE = 't2.micro';

/** docker-machine's cap in USD an hour when spot is asked for without a price. */
const DEFAULT_SPOT_PRICE = '0.50';

type Types = Pick<LaunchChoice, 'instanceType' | 'instanceTypes' | 'needs'>;

const anyAmount: Range = { least: 1, most: null };

const rangeText = ({ least, most }: Range): string =>
  least === most ? `${least}` : `${least}-${most ?? ''}`;

function note(
  { reading, pool }: ChoiceScope,
  key: PoolKey,
  value: string | number | readonly string[] | null,
  from: Pick<Entry, 'origin' | 'spot'> | null,
): void {
  record(reading, `pools.${pool}.${key}`, value, from);
}

/** The values of an option that may be repeated, checked one by one. */
function several(
  { reading, pool }: ChoiceScope,
  options: MachineOptions,
  rule: { name: string; pattern: RegExp; right: string },
): string[] {
  const given = options.list(rule.name).filter((text) => text !== '');
  for (const text of given.filter((each) => !rule.pattern.test(each))) {
    const said = `${rule.name} must be ${rule.right}, is ${shown(text)}`;
    reading.findings.error('option-value', said, options.spot(rule.name), pool);
  }
  return [...new Set(given)];
}

function readNeeds(scope: ChoiceScope, isNamed: boolean): InstanceNeeds | null {
  const { reading, layers, pool } = scope;
  const amount = (key: 'vcpus' | 'memory_gib') => {
    const found = pick(reading, layers, key, poolKeys[key]);
    note(scope, key, found && rangeText(found.value), found?.entry ?? null);
    return found;
  };
  const vcpus = amount('vcpus');
  const memory = amount('memory_gib');
  const architecture = pick(reading, layers, 'architecture', poolKeys.architecture);
  note(scope, 'architecture', architecture?.value ?? null, architecture?.entry ?? null);
  const need = vcpus ?? memory;
  if (need === null && architecture !== null) {
    const said = 'architecture has an effect beside vcpus or memory_gib only; named types have their own';
    reading.findings.warn('architecture-alone', said, architecture.entry.spot, pool);
  }
  if (need === null) return null;
  if (isNamed) {
    const said = 'vcpus and memory_gib choose types by need, instance_types by name: give one of both';
    reading.findings.error('types-twice', said, need.entry.spot, pool);
  }
  return {
    vcpus: vcpus?.value ?? anyAmount,
    memoryGib: memory?.value ?? anyAmount,
    architecture: architecture?.value ?? 'x86_64',
  };
}

function readTypes(scope: ChoiceScope, options: MachineOptions): Types {
  const { reading, layers, pool } = scope;
  const name = 'amazonec2-instance-type';
  const own = pick(reading, layers, 'instance_types', poolKeys.instance_types);
  const needs = readNeeds(scope, own !== null);
  const rule = { name, pattern: /^[a-z0-9-]+\.[a-z0-9-]+$/, right: 'one type such as m5.large' };
  const written = several(scope, options, rule);
  const types = own?.value ?? (needs === null ? written : []);
  const spot = own?.entry.spot ?? options.spot(name);
  note(
    scope,
    'instance_types',
    types,
    own?.entry ?? (options.isGiven(name) ? { origin: options.origin(name), spot } : null),
  );
  if (needs !== null) return { instanceType: 'by-need', instanceTypes: [], needs };
  const other = types.find((type) => architectureOf(type) !== architectureOf(types[0] ?? type));
  if (other !== undefined) {
    const said = `${types[0] ?? ''} and ${other} have different processors, and one image serves one kind: make two pools`;
    reading.findings.error('types-mixed', said, spot, pool);
  }
  const all = types.length === 0 ? [DEFAULT_TYPE] : types;
  return { instanceType: all[0] ?? DEFAULT_TYPE, instanceTypes: all, needs };
}

function readSubnets(
  scope: ChoiceScope,
  options: MachineOptions,
): Pick<LaunchChoice, 'subnetId' | 'subnetIds'> {
  const { reading, layers, pool } = scope;
  const name = 'amazonec2-subnet-id';
  const own = pick(reading, layers, 'subnets', poolKeys.subnets);
  const right = 'an id such as subnet-0123456789abcdef0';
  const written = several(scope, options, { name, pattern: /^subnet-[A-Za-z0-9]+$/, right });
  const subnetIds = own?.value ?? written;
  const from = options.isGiven(name) ? { origin: options.origin(name), spot: options.spot(name) } : null;
  note(scope, 'subnets', subnetIds, own?.entry ?? from);
  if (subnetIds.length > 1 && options.isGiven('amazonec2-zone')) {
    const said = 'amazonec2-zone has no effect beside several subnets: each subnet has its own zone';
    reading.findings.warn('zone-beside-subnets', said, options.spot('amazonec2-zone'), pool);
  }
  return { subnetId: subnetIds[0] ?? null, subnetIds };
}

/** The cap on a spot machine's price; `byOption`: spot was asked for in docker-machine's way. */
function readCap(
  { reading, pool }: ChoiceScope,
  options: MachineOptions,
  isSpot: boolean,
  byOption: boolean,
) {
  const { findings } = reading;
  const name = 'amazonec2-spot-price';
  const price = options.text(name);
  if (price !== null && price !== '' && (!/^\d{0,6}(\.\d{1,6})?$/.test(price) || !(Number(price) >= 0.001))) {
    const right = 'must be a price in USD of at least 0.001, or empty for none';
    findings.error('option-value', `${name} ${right}, is ${shown(price)}`, options.spot(name), pool);
  }
  if (!isSpot) {
    if (price !== null) {
      const said = `${name} has no effect without amazonec2-request-spot-instance=true`;
      findings.warn('spot-price-alone', said, options.spot(name), pool);
    }
    return null;
  }
  if (price === null && byOption) {
    const said = `${name} is not given: the cap is ${DEFAULT_SPOT_PRICE} USD an hour; "${name}=" means no cap`;
    findings.warn('spot-price-default', said, options.spot('amazonec2-request-spot-instance'), pool);
    return DEFAULT_SPOT_PRICE;
  }
  return price === '' ? null : price;
}

/** The rule for machines on demand; says where it and `markets` do not fit each other. */
function readOnDemand(scope: ChoiceScope, wanted: { isSpot: boolean; isBoth: boolean; isOwn: boolean }) {
  const { reading, layers, pool } = scope;
  const { isSpot, isBoth, isOwn } = wanted;
  const rule = pick(reading, layers, 'on_demand', poolKeys.on_demand);
  const implied: OnDemandRule = { kind: isBoth ? 'when-short' : 'never' };
  const onDemand = rule?.value ?? implied;
  note(scope, 'on_demand', ruleText(onDemand), rule?.entry ?? null);
  if (rule === null) return onDemand;
  if (!isSpot) {
    const said = 'on_demand has no effect: all machines of this pool come on demand';
    reading.findings.warn('on-demand-alone', said, rule.entry.spot, pool);
  } else if (isOwn && isBoth === (onDemand.kind === 'never')) {
    const said = isBoth
      ? 'on_demand = "never" contradicts markets, which names "on-demand"'
      : `on_demand = ${shown(ruleText(onDemand))} contradicts markets, which leaves "on-demand" out`;
    reading.findings.error('markets-contradict', said, rule.entry.spot, pool);
  }
  return onDemand;
}

/** Both markets, spot first, where one of them is a fallback for the other. */
function readMarkets(
  scope: ChoiceScope,
  options: MachineOptions,
): Pick<LaunchChoice, 'market' | 'markets' | 'maxPriceUsd'> & { onDemand: OnDemandRule } {
  const own = pick(scope.reading, scope.layers, 'markets', poolKeys.markets);
  const name = 'amazonec2-request-spot-instance';
  const asked = options.isOn(name, false);
  const wanted: readonly string[] = own?.value ?? [asked ? 'spot' : 'on-demand'];
  const isSpot = wanted.includes('spot');
  const isBoth = isSpot && wanted.includes('on-demand');
  const onDemand = readOnDemand(scope, { isSpot, isBoth, isOwn: own !== null });
  const fallback: Market[] = onDemand.kind === 'never' ? [] : ['on-demand'];
  const markets: Market[] = isSpot ? ['spot', ...fallback] : ['on-demand'];
  const from = options.isGiven(name) ? { origin: options.origin(name), spot: options.spot(name) } : null;
  note(scope, 'markets', markets, own?.entry ?? from);
  const maxPriceUsd = readCap(scope, options, isSpot, asked);
  return { market: markets[0] ?? 'on-demand', markets, maxPriceUsd, onDemand };
}

function ruleText(rule: OnDemandRule): string {
  if (rule.kind === 'share') return `${rule.percent}%`;
  return rule.kind === 'base' ? String(rule.count) : rule.kind;
}

/** Options whose fields go over what a user's template says, where they are given. */
const templateOverrides: Readonly<Record<TemplateOverride, readonly string[]>> = {
  disk: ['device-name', 'root-size', 'volume-type', 'volume-encrypted', 'volume-kms-key'],
  key: ['keypair-name'],
  profile: ['iam-instance-profile'],
  metadata: ['metadata-token', 'metadata-token-response-hop-limit'],
};

/** Options that a fleet cannot put over a template. */
const templateOnly = [
  'security-group',
  'private-address-only',
  'monitoring',
  'use-ebs-optimized-instance',
] as const;

function readWay(
  scope: ChoiceScope,
  options: MachineOptions,
  isSpot: boolean,
): Pick<LaunchChoice, 'way' | 'template'> {
  const { reading, layers, pool } = scope;
  const { findings } = reading;
  const own = pick(reading, layers, 'launch', poolKeys.launch);
  const useFleet = options.isOn('amazonec2-use-fleet', false);
  const way = own?.value ?? (useFleet ? 'fleet' : 'auto');
  const fleetOption = {
    origin: options.origin('amazonec2-use-fleet'),
    spot: options.spot('amazonec2-use-fleet'),
  };
  note(scope, 'launch', way, own?.entry ?? (useFleet ? fleetOption : null));
  if (way === 'spot-request' && !isSpot) {
    const said =
      'launch = "spot-request" needs a spot pool: amazonec2-request-spot-instance=true, or markets = ["spot"]';
    findings.error('way-without-spot', said, own?.entry.spot, pool);
  }
  const name = options.text('amazonec2-launch-template');
  if (name === null || name === '') return { way, template: null };
  const spot = options.spot('amazonec2-launch-template');
  if (!/^[\w().\-/]{3,128}$/.test(name)) {
    const said = `amazonec2-launch-template must be the name of a launch template, is ${shown(name)}`;
    findings.error('option-value', said, spot, pool);
  }
  if (way === 'run-instances' || way === 'spot-request') {
    const said = `amazonec2-launch-template has no effect with launch = "${way}": fleets alone are based on one`;
    findings.warn('template-unused', said, spot, pool);
    return { way, template: null };
  }
  for (const option of templateOnly.map((each) => `amazonec2-${each}`).filter(options.isGiven)) {
    const said = `${option} has no effect beside amazonec2-launch-template, which decides it`;
    findings.warn('template-decides', said, options.spot(option), pool);
  }
  const given = (option: string): boolean => options.isGiven(`amazonec2-${option}`);
  const kinds = Object.keys(templateOverrides) as TemplateOverride[];
  return { way, template: { name, overrides: kinds.filter((kind) => templateOverrides[kind].some(given)) } };
}

/** Reads what a launch may choose among, and the rule for machines on demand beside spot. */
export function readLaunchChoice(
  scope: ChoiceScope,
  options: MachineOptions,
): { choice: LaunchChoice; onDemand: OnDemandRule } {
  const { onDemand, ...market } = readMarkets(scope, options);
  const choice = {
    ...readTypes(scope, options),
    ...readSubnets(scope, options),
    ...market,
    ...readWay(scope, options, market.market === 'spot'),
  };
  return { choice, onDemand };
}
