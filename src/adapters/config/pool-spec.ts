// One docker+machine section and our table for it → PoolSpec. The pool's id is a slug of the runner's name, so that it
// outlives a rotation of its token.
// Trap: ids are made unique in the order of the file; the environment names pools by id, so ids come first.
import { comparableOptions, type PoolSpec } from '../../domain/config.ts';
import { type Accounts, readSite } from './cloud-site.ts';
import { shown } from './findings.ts';
import { readHostSpec } from './host-spec.ts';
import { readLaunchChoice } from './launch-choice.ts';
import { readLaunchSpec } from './launch-spec.ts';
import { environmentLayer, type Layer, pick, record } from './layer.ts';
import { type MachineOptions, readMachineOptions } from './machine-options.ts';
import { hint } from './nearest.ts';
import { poolKeys, poolVariable } from './own-keys.ts';
import type { OwnPool } from './own-tables.ts';
import { warnAboutSection } from './policy-warnings.ts';
import { readPoolValues } from './pool-values.ts';
import { readQueueSettings } from './queue-settings.ts';
import type { Reading } from './reading.ts';
import { recordOptions } from './record-options.ts';
import type { RunnerFile, RunnerMachine, RunnerSection } from './runner-file.ts';
import { namePrefixes, slug, unique } from './runner-names.ts';

export type PoolScope = {
  reading: Reading;
  /** Folder of the runner's file, for relative paths in options. */
  folder: string;
  runnerFile: string;
  assumeRoleArn: string | null;
  /** The daemon's own queue, for pools that name none. */
  interruptionQueue: string | null;
  accounts: Accounts;
};

/** Our tables for a section: those in our file before those in the runner's. */
function tablesFor(section: RunnerSection, own: readonly OwnPool[]): OwnPool[] {
  return own.filter((each) =>
    each.section === null
      ? each.runner === section.name && section.name !== ''
      : each.section === section.index,
  );
}

/** Names of ours that fit no section are slips. */
function refuseStrangers(reading: Reading, runner: RunnerFile, own: readonly OwnPool[]): void {
  const names = runner.sections.map(({ name }) => name).filter((name) => name !== '');
  for (const each of own) {
    if (each.runner === null || names.includes(each.runner)) continue;
    const has = names.length === 0 ? 'none has a name' : `there is ${names.map(shown).join(', ')}`;
    const said = `no docker+machine section of ${runner.doc.file} is named ${shown(each.runner)} (${has})${hint(each.runner, names)}`;
    reading.findings.error('pool-unknown', said, { where: each.where, key: 'name' });
  }
  for (const [index, each] of own.entries()) {
    const first = own.findIndex((other) => other.runner === each.runner && other.section === each.section);
    if (each.runner === null || first === index) continue;
    const said = `a table for ${shown(each.runner)} stands already at ${own[first]?.where ?? ''}`;
    reading.findings.error('pool-twice', said, { where: each.where, key: 'name' });
  }
}

function readMachineName({ reading }: PoolScope, pool: string, machine: RunnerMachine): string {
  const name = machine.value.MachineName ?? '';
  if (!name.includes('%s')) {
    const said = `MachineName must hold %s, such as "gitlab-docker-machine-%s", is ${shown(name)}`;
    reading.findings.error('machine-name', said, machine.spot('MachineName'), pool);
  }
  const driver = machine.value.MachineDriver;
  if (driver !== 'amazonec2') {
    const said = `MachineDriver must be "amazonec2", is ${shown(driver ?? '')}${hint(driver ?? '', ['amazonec2'])}`;
    reading.findings.error('machine-driver', said, machine.spot('MachineDriver'), pool);
  }
  return name;
}

function readOptions({ reading }: PoolScope, pool: string, machine: RunnerMachine): MachineOptions {
  const texts = machine.value.MachineOptions ?? [];
  const written = texts.map((text, index) => ({ text, spot: machine.spot('MachineOptions', index) }));
  return readMachineOptions({ reading, pool, section: machine.spot('MachineOptions') }, written);
}

/** The pool's own queue, else the daemon's where its events are of the pool's region. */
function readQueue(
  scope: { reading: Reading; pool: string; layers: readonly Layer[] },
  common: string | null,
  region: string,
): string | null {
  const own = pick(scope.reading, scope.layers, 'interruption_queue', poolKeys.interruption_queue);
  const regionOf = (url: string): string | null =>
    /^https?:\/\/(?:[^/]+\.)?sqs\.([a-z0-9-]+)\.amazonaws\./.exec(url)?.[1] ?? null;
  if (own && (regionOf(own.value) ?? region) !== region) {
    const said = `interruption_queue is in ${regionOf(own.value) ?? ''}, the pool's machines are in ${region}: EC2 tells events in their own region`;
    scope.reading.findings.error('queue-elsewhere', said, own.entry.spot, scope.pool);
  }
  const fits = common !== null && (regionOf(common) ?? region) === region;
  const queue = own?.value ?? (fits ? common : null);
  record(scope.reading, `pools.${scope.pool}.interruption_queue`, queue, own?.entry ?? null);
  return queue;
}

async function readPool(
  scope: PoolScope,
  pool: { id: string; layers: readonly Layer[]; queue: readonly Layer[] },
  section: RunnerSection,
  machine: RunnerMachine,
): Promise<PoolSpec> {
  const { reading } = scope;
  const { id } = pool;
  const environment = environmentLayer(reading.env, poolKeys, (key) => poolVariable(id, key));
  const layers = [environment, ...pool.layers];
  const values = readPoolValues({ reading, pool: id, layers, machine });
  const machineName = readMachineName(scope, id, machine);
  const options = readOptions(scope, id, machine);
  const site = await readSite({ ...scope, pool: id }, options);
  const { choice, onDemand } = readLaunchChoice({ reading, pool: id, layers }, options);
  const launch = await readLaunchSpec({ reading, pool: id, folder: scope.folder, site, choice }, options);
  const queueScope = { reading, pool: id, runnerFile: scope.runnerFile, section, layers: pool.queue, site };
  const queue = await readQueueSettings(queueScope);
  const { prepull, waitUserData, ...timing } = values;
  const host = await readHostSpec(
    { reading, pool: id, folder: scope.folder, prepull, waitUserData },
    options,
  );
  warnAboutSection({ reading, pool: id, section, machine }, values);
  const limit = section.value.limit ?? 0;
  const fromRunner = { origin: 'runner-file', spot: section.spot('limit') } as const;
  record(reading, `pools.${id}.limit`, limit, section.value.limit === undefined ? null : fromRunner);
  recordOptions(reading, id, options, { launch, host });
  return {
    id,
    runnerName: section.name,
    namePrefixes: namePrefixes(section.token, machineName),
    options: comparableOptions(machine.value.MachineOptions ?? []),
    machineDriver: machine.value.MachineDriver ?? '',
    limit,
    ...timing,
    onDemand,
    interruptionQueue: readQueue({ reading, pool: id, layers }, scope.interruptionQueue, site.region),
    launch,
    host,
    queue,
  };
}

function readIds(
  scope: PoolScope,
  runner: RunnerFile,
  own: readonly OwnPool[],
): { id: string; layers: Layer[]; queue: Layer[] }[] {
  const { reading } = scope;
  const taken = new Set<string>();
  const asked = runner.sections.map((section) => {
    const tables = tablesFor(section, own);
    const layers = tables.map(({ layer }) => layer);
    const queue = tables.flatMap((table) => table.queue ?? []);
    const picked = pick(reading, layers, 'pool', poolKeys.pool);
    if (picked && taken.has(picked.value)) {
      reading.findings.error(
        'pool-twice',
        `pool ${shown(picked.value)} is the name of another pool`,
        picked.entry.spot,
      );
    }
    if (picked) taken.add(picked.value);
    return { section, layers, queue, named: picked?.value ?? null };
  });
  return asked.map(({ section, layers, queue, named }) => {
    const id = named ?? unique(slug(section.name, `runner-${section.index + 1}`), taken);
    return { id, layers, queue };
  });
}

/** Every docker+machine section of the runner's file as a pool, in its order. Sections that cannot be read are left out, with an error noted. */
export async function readPools(
  scope: PoolScope,
  runner: RunnerFile,
  own: readonly OwnPool[],
): Promise<PoolSpec[]> {
  refuseStrangers(scope.reading, runner, own);
  const pools: PoolSpec[] = [];
  for (const [index, pool] of readIds(scope, runner, own).entries()) {
    const section = runner.sections[index];
    if (section?.machine) pools.push(await readPool(scope, pool, section, section.machine));
  }
  warnAboutTwins(scope.reading, pools, runner);
  return pools;
}

/** Sections with one token and MachineName share the names of their machines: a create cannot be told apart. */
function warnAboutTwins(reading: Reading, pools: readonly PoolSpec[], runner: RunnerFile): void {
  for (const [index, pool] of pools.entries()) {
    const twin = pools
      .slice(0, index)
      .find((other) => other.namePrefixes.some((prefix) => pool.namePrefixes.includes(prefix)));
    const spot = runner.sections[index]?.machine?.spot('MachineName');
    if (!twin) continue;
    const said = `its machines are named like those of ${twin.id}: give it a MachineName of its own`;
    reading.findings.warn('names-shared', said, spot, pool.id);
  }
}
