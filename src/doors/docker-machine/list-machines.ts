// `docker-machine ls` and `active`: the store's folders, and what the daemon adds: machines that failed before anyone
// got them, and leased ones that do not answer. Works without the daemon.
// Trap: `{{.NAME}}` stands in guides although docker-machine refuses it: names of fields match in any case.
import type { MachineReply } from '../../contract/api.ts';
import { stateOf } from './answers.ts';
import { type Arguments, timeoutMs } from './argv.ts';
import { askDaemon } from './ask-daemon.ts';
import { dockerGet } from './docker-get.cjs';
import { type DoorIo, deadBecause, Refusal, type VerbAction } from './door-io.ts';
import { compileTemplate } from './go-template.ts';
import { readMachines, type StoredMachine } from './store-folder.ts';

/** One line of the list; the names are docker-machine's template fields. */
type Row = {
  Name: string;
  Active: string;
  ActiveHost: boolean;
  ActiveSwarm: boolean;
  DriverName: string;
  State: string;
  URL: string;
  SwarmOptions: unknown;
  Swarm: string;
  EngineOptions: unknown;
  Error: string;
  DockerVersion: string;
  ResponseTime: string;
};

const headings: Readonly<Record<keyof Row, string>> = {
  Name: 'NAME',
  Active: 'ACTIVE',
  ActiveHost: 'ACTIVE_HOST',
  ActiveSwarm: 'ACTIVE_SWARM',
  DriverName: 'DRIVER',
  State: 'STATE',
  URL: 'URL',
  SwarmOptions: 'SWARM_OPTIONS',
  Swarm: 'SWARM',
  EngineOptions: 'ENGINE_OPTIONS',
  Error: 'ERRORS',
  DockerVersion: 'DOCKER',
  ResponseTime: 'RESPONSE',
};

const DEFAULT_FORMAT =
  'table {{.Name}}\t{{.Active}}\t{{.DriverName}}\t{{.State}}\t{{.URL}}\t{{.Swarm}}\t{{.DockerVersion}}\t{{.Error}}';

/** Hosts asked for their version at the same time: enough for a screenful, few enough for a small manager. */
const ASKED_AT_ONCE = 16;

function blankRow(name: string): Row {
  return {
    Name: name,
    Active: '-',
    ActiveHost: false,
    ActiveSwarm: false,
    DriverName: 'amazonec2',
    State: 'Error',
    URL: '',
    SwarmOptions: null,
    Swarm: '',
    EngineOptions: null,
    Error: '',
    DockerVersion: 'Unknown',
    ResponseTime: '0s',
  };
}

function storedRow(io: DoorIo, machine: StoredMachine): Row {
  const options = (machine.config['HostOptions'] ?? {}) as Record<string, unknown>;
  const active = machine.url !== null && machine.url === io.env['DOCKER_HOST'];
  return {
    ...blankRow(machine.name),
    Active: active ? '*' : '-',
    ActiveHost: active,
    DriverName: machine.driver,
    State: stateOf(machine),
    URL: machine.url ?? '',
    SwarmOptions: options['SwarmOptions'] ?? null,
    EngineOptions: options['EngineOptions'] ?? null,
    Error: deadBecause(machine) ?? '',
  };
}

async function machinesOfDaemon(io: DoorIo): Promise<readonly MachineReply[]> {
  const answer = await askDaemon(io.socket, 'GET', '/v1/machines');
  if ('away' in answer || answer.status !== 200) return [];
  const { machines } = (answer.body ?? {}) as { machines?: readonly MachineReply[] };
  return Array.isArray(machines) ? machines : [];
}

/** A machine in the list: its row and what filters look at. */
type Item = { row: Row; stored: StoredMachine | null };

/** Every machine by name, in natural order. Failed ones of the daemon stand under their id, which `rm` takes too. */
async function allItems(io: DoorIo): Promise<Item[]> {
  const { machines, broken } = readMachines(io.store);
  const items: Item[] = machines.map((stored) => ({ row: storedRow(io, stored), stored }));
  for (const { name, why } of broken)
    items.push({ row: { ...blankRow(name), DriverName: 'not found', Error: why }, stored: null });
  const byName = new Map(items.map((item) => [item.row.Name, item.row]));
  for (const known of await machinesOfDaemon(io)) {
    const row = known.lease === null ? undefined : byName.get(known.lease);
    if (row && !known.healthy)
      Object.assign(row, {
        State: 'Error',
        Error: row.Error || (known.failure ?? 'its Docker API does not answer'),
      });
    if (known.lease === null && known.failure !== null && known.phase !== 'gone')
      items.push({ row: { ...blankRow(known.id), Error: known.failure }, stored: null });
  }
  return items.toSorted((one, other) => naturalOrder(one.row.Name, other.row.Name));
}

/** Digits compare as numbers: box-2 before box-10. */
function naturalOrder(one: string, other: string): number {
  const split = (name: string) => name.toLowerCase().match(/\d+|\D+/g) ?? [];
  const [left, right] = [split(one), split(other)];
  for (const [index, piece] of left.entries()) {
    const against = right[index];
    if (against === undefined) return 1;
    if (piece === against) continue;
    const numbers = Number(piece) - Number(against);
    return Number.isNaN(numbers) || numbers === 0 ? (piece < against ? -1 : 1) : numbers;
  }
  return left.length - right.length;
}

type Filter = (item: Item) => boolean;

/** Values of one key are alternatives, keys must all hold, as in docker-machine. Throws Refusal. */
function makeFilter(given: Arguments): Filter {
  const byKey = new Map<string, Filter[]>();
  for (const filter of given.lists.get('filter') ?? []) {
    const equals = filter.indexOf('=');
    if (equals < 0) throw new Refusal('Unsupported filter syntax');
    const key = filter.slice(0, equals).toLowerCase();
    byKey.set(key, [...(byKey.get(key) ?? []), oneFilter(key, filter.slice(equals + 1))]);
  }
  return (item) => [...byKey.values()].every((choices) => choices.some((choice) => choice(item)));
}

function oneFilter(key: string, value: string): Filter {
  const same = (text: string) => text.toLowerCase() === value.toLowerCase();
  switch (key) {
    case 'name': {
      const pattern = compileName(value);
      return (item) => pattern.test(item.row.Name);
    }
    case 'state':
      return (item) => same(item.row.State);
    case 'driver':
      return (item) => same(item.row.DriverName);
    case 'label':
      return (item) => labelsOf(item).some(same);
    case 'swarm':
      return (item) => same(item.row.Swarm);
    default:
      throw new Refusal(`Unsupported filter key '${key}'`);
  }
}

function compileName(value: string): RegExp {
  try {
    return new RegExp(value);
  } catch (error) {
    throw new Refusal(`error parsing regexp: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function labelsOf(item: Item): string[] {
  const { Labels } = (item.row.EngineOptions ?? {}) as { Labels?: unknown };
  return Array.isArray(Labels) ? Labels.map(String) : [];
}

async function fillVersions(items: readonly Item[], limitMs: number): Promise<void> {
  const open = items.filter((item) => item.row.State === 'Running');
  const worker = async () => {
    for (let item = open.shift(); item; item = open.shift()) {
      const { row, stored } = item;
      const begun = performance.now();
      const answer = await dockerGet({
        url: row.URL,
        folder: stored?.folder ?? '',
        path: '/version',
        limitMs,
      });
      row.ResponseTime = `${Math.round(performance.now() - begun)}ms`;
      const version = answer.why === null ? /"Version":\s*"([^"]+)"/.exec(answer.text)?.[1] : undefined;
      if (version) row.DockerVersion = `v${version}`;
      else row.Error = `Unable to query docker version: ${answer.why ?? 'the answer names none'}`;
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, worker));
}

/** `docker-machine ls` with all its flags. */
export const ls: VerbAction = async ({ io, given }) => {
  const filter = makeFilter(given);
  const quiet = given.switches.has('quiet');
  const format = given.texts.get('format') || DEFAULT_FORMAT;
  const table = format.startsWith('table');
  const body = (table ? format.slice('table'.length) : format)
    .trim()
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n');
  const template = quiet ? null : compileTemplate(body, { fields: Object.keys(headings) });
  const items = (await allItems(io)).filter(filter);
  if (!template) {
    io.out(items.map(({ row }) => `${row.Name}\n`).join(''));
    return 0;
  }
  if (/DockerVersion|ResponseTime|Error/i.test(body)) await fillVersions(items, timeoutMs(given));
  const lines = items.map(({ row }) => template(row));
  io.out(table ? aligned([template(headings), ...lines]) : lines.map((line) => `${line}\n`).join(''));
  return 0;
};

/** Columns as docker-machine sets them: three blanks between, five characters at least, the last column as it is. */
function aligned(lines: readonly string[]): string {
  const rows = lines.map((line) => line.split('\t'));
  const widths: number[] = [];
  for (const cells of rows)
    for (const [index, cell] of cells.slice(0, -1).entries())
      widths[index] = Math.max(widths[index] ?? 5, cell.length + 3);
  return rows
    .map(
      (cells) =>
        `${cells.map((cell, index) => (index < cells.length - 1 ? cell.padEnd(widths[index] ?? 0) : cell)).join('')}\n`,
    )
    .join('');
}

/** `docker-machine active`: the machine that DOCKER_HOST points at. */
export const active: VerbAction = ({ io, given }) => {
  if (given.names.length > 0) throw new Refusal('Error: Too many arguments given');
  const found = readMachines(io.store).machines.find(
    (machine) => machine.url !== null && machine.url === io.env['DOCKER_HOST'],
  );
  if (!found) throw new Refusal('No active host found');
  io.out(`${found.name}\n`);
  return 0;
};
