// `[hostler]` and its environment → DaemonSettings, with the rules behind the defaults that are not plain values.
// Trap: the runner ends if its metrics port is taken, so its own listen_address goes before our default.
import { resolve } from 'node:path';
import type { DaemonSettings } from '../../domain/config.ts';
import type { PriceTable } from '../../domain/price.ts';
import { absolute } from './expand.ts';
import { type Layer, type Picked, pick, record } from './layer.ts';
import { type DaemonKey, daemonDefaults, daemonKeys } from './own-keys.ts';
import { readPriceFile } from './price-file.ts';
import type { Reading } from './reading.ts';
import type { RunnerFile } from './runner-file.ts';
import { slug } from './runner-names.ts';

export type SettingsScope = {
  reading: Reading;
  layers: readonly Layer[];
  /** Folder of our file, for relative paths in it. */
  folder: string;
  runner: RunnerFile;
};

function note<T extends string | number | boolean | null>(
  scope: SettingsScope,
  key: DaemonKey,
  value: T,
  picked: Picked<unknown> | null,
): T {
  record(scope.reading, `hostler.${key}`, value, picked?.entry ?? null);
  return value;
}

function readPath(
  scope: SettingsScope,
  key: 'socket' | 'state_dir' | 'machine_storage_path',
  fallback: string,
): string {
  const picked = pick(scope.reading, scope.layers, key, daemonKeys[key]);
  if (!picked) return note(scope, key, fallback, null);
  // A path of the environment is the shell's, one of the file the file's.
  const folder = picked.entry.origin === 'environment' ? resolve('.') : scope.folder;
  return note(scope, key, absolute(picked.value, folder), picked);
}

/** Where the runner keeps its machines: MACHINE_STORAGE_PATH, else .docker/machine below HOME, as docker-machine has it. */
function defaultStore({ reading }: SettingsScope): string {
  const named = reading.env['MACHINE_STORAGE_PATH'];
  if (named) return resolve(named);
  if (reading.home === null) {
    const said =
      'neither machine_storage_path nor MACHINE_STORAGE_PATH nor HOME is set: machines are looked for in /.docker/machine';
    reading.findings.warn('no-home', said, { key: 'machine_storage_path' });
  }
  return resolve(reading.home ?? '/', '.docker/machine');
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

function readListenAddress(scope: SettingsScope): string {
  const { reading, runner } = scope;
  const picked = pick(reading, scope.layers, 'listen_address', daemonKeys.listen_address);
  const claimed = runner.top.value.listen_address ?? '';
  const claimedPort = /:\d+$/.test(claimed) ? portOf(claimed) : null;
  const spot = runner.top.spot('listen_address');
  if (picked) {
    const port = portOf(picked.value);
    if (port > 65_535) {
      reading.findings.error(
        'value',
        `must end in a port up to 65535, is "${picked.value}"`,
        picked.entry.spot,
      );
    } else if (port !== 0 && port === claimedPort) {
      const said = `listen_address ${picked.value} has the port that the runner's file claims (${claimed}): on one machine the runner ends if it is taken`;
      reading.findings.warn('listen-claimed', said, picked.entry.spot);
    }
    return note(scope, 'listen_address', picked.value, picked);
  }
  const { listen_address: usual, listen_address_beside: beside } = daemonDefaults;
  if (claimedPort !== portOf(usual)) return note(scope, 'listen_address', usual, null);
  const said = `the runner's file claims ${claimed}, so hostler listens on ${beside} instead of ${usual}; listen_address sets it`;
  reading.findings.warn('listen-claimed', said, spot);
  return note(scope, 'listen_address', beside, null);
}

/** Where the runner's own figures are: its listen_address, on loopback when it listens everywhere. */
function runnerMetrics(claimed: string): string | null {
  const parts = /^(?<host>\[[^\]]+\]|[^:]*):(?<port>\d+)$/.exec(claimed.trim())?.groups;
  if (parts === undefined) return null;
  const host = parts['host'] ?? '';
  const isEverywhere = host === '' || host === '0.0.0.0' || host === '[::]';
  return `http://${isEverywhere ? '127.0.0.1' : host}:${parts['port']}/metrics`;
}

function readOwner(scope: SettingsScope): string {
  const picked = pick(scope.reading, scope.layers, 'owner', daemonKeys.owner);
  const named = scope.runner.sections.find(({ name }) => name !== '')?.name ?? '';
  return note(scope, 'owner', picked?.value ?? slug(named, 'hostler'), picked);
}

async function readPrices(scope: SettingsScope): Promise<PriceTable | null> {
  const picked = pick(scope.reading, scope.layers, 'prices', daemonKeys.prices);
  if (!picked) {
    note(scope, 'prices', null, null);
    return null;
  }
  const folder = picked.entry.origin === 'environment' ? resolve('.') : scope.folder;
  return readPriceFile(scope.reading, note(scope, 'prices', absolute(picked.value, folder), picked));
}

/** Reads everything that holds for the whole daemon; `assumeRoleArn` and `interruptionQueue` go on to the pools. */
export async function readDaemonSettings(scope: SettingsScope): Promise<{
  settings: DaemonSettings;
  assumeRoleArn: string | null;
  interruptionQueue: string | null;
}> {
  const { reading, layers } = scope;
  const isOn = (key: 'takeover' | 'compat_metrics'): boolean => {
    const picked = pick(reading, layers, key, daemonKeys[key]);
    return note(scope, key, picked?.value ?? false, picked);
  };
  const logLevel = pick(reading, layers, 'log_level', daemonKeys.log_level);
  const figures = pick(reading, layers, 'runner_metrics', daemonKeys.runner_metrics);
  const claimed = runnerMetrics(scope.runner.top.value.listen_address ?? '');
  const keys = pick(reading, layers, 'keys', daemonKeys.keys);
  const maxMachines = pick(reading, layers, 'max_machines', daemonKeys.max_machines);
  const role = pick(reading, layers, 'assume_role_arn', daemonKeys.assume_role_arn);
  const cost = pick(reading, layers, 'max_cost_per_hour', daemonKeys.max_cost_per_hour);
  const queue = pick(reading, layers, 'interruption_queue', daemonKeys.interruption_queue);
  const settings: DaemonSettings = {
    owner: readOwner(scope),
    takeover: isOn('takeover'),
    listenAddress: readListenAddress(scope),
    socket: readPath(scope, 'socket', daemonDefaults.socket),
    stateDir: readPath(scope, 'state_dir', daemonDefaults.state_dir),
    keys: note(scope, 'keys', keys?.value ?? 'file', keys),
    machineStoragePath: readPath(scope, 'machine_storage_path', defaultStore(scope)),
    logLevel: note(scope, 'log_level', logLevel?.value ?? 'info', logLevel),
    maxMachines: note(scope, 'max_machines', maxMachines?.value ?? 0, maxMachines),
    maxCostPerHour: note(scope, 'max_cost_per_hour', cost?.value ?? 0, cost),
    prices: await readPrices(scope),
    runnerMetrics: note(scope, 'runner_metrics', figures?.value ?? claimed, figures),
    compatMetrics: isOn('compat_metrics'),
  };
  return {
    settings,
    assumeRoleArn: note(scope, 'assume_role_arn', role?.value ?? null, role),
    interruptionQueue: note(scope, 'interruption_queue', queue?.value ?? null, queue),
  };
}
