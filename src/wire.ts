// The composition root: the only file that makes adapters. What it makes goes to assemble.ts as ports.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createCloud } from './adapters/aws/create-cloud.ts';
import { createNotices } from './adapters/aws/create-notices.ts';
import { createSecretParameters } from './adapters/aws/secret-parameters.ts';
import type { CallDeps } from './adapters/aws/site-calls.ts';
import { createHolder, type Holder } from './adapters/aws/ssm-holder.ts';
import { createSsmParameters, type SsmParameters } from './adapters/aws/ssm-parameters.ts';
import { createSsmVault } from './adapters/aws/ssm-vault.ts';
import { createDocker } from './adapters/docker/docker.ts';
import { createGitlabDoor } from './adapters/gitlab/gitlab.ts';
import { createFileVault, putKeyFile } from './adapters/keys/file-vault.ts';
import {
  AUTHORITY_FILE,
  createKeys,
  type FoundKeys,
  IDENTITY_FILE,
  USER_KEY_FILE,
} from './adapters/keys/keys.ts';
import { createRunnerFigures } from './adapters/runner-metrics/runner-figures.ts';
import { createRunnerMetrics } from './adapters/runner-metrics/runner-scrape.ts';
import { createRunnerStore } from './adapters/runner-store/runner-store.ts';
import { lockFolder } from './adapters/sqlite/database.ts';
import { type OpenedStore, openStore } from './adapters/sqlite/open-store.ts';
import { createHosts } from './adapters/ssh/hosts.ts';
import { createProcesses } from './adapters/system/processes.ts';
import { createRandom } from './adapters/system/random.ts';
import { createConnections } from './adapters/system/reset-connections.ts';
import { createLog } from './adapters/telemetry/log.ts';
import { createMetrics } from './adapters/telemetry/metrics.ts';
import type { Ports } from './assemble.ts';
import type { CloudSite, Config } from './domain/config.ts';
import { HostlerError, messageOf } from './domain/error.ts';
import type { Clock } from './ports/clock.ts';
import type { KeyVault } from './ports/key-vault.ts';
import type { Log } from './ports/log.ts';
import type { Store } from './ports/store.ts';

/** Fact of the store: where the keys were at the last start, `file` or `ssm:PATH REGION`. */
const KEYS_PLACE = 'keys-place';
/** Fact of the store: what the state folder is called towards other daemons. */
const FOLDER_ID = 'folder';

export type Wired = {
  ports: Ports & Required<Pick<Ports, 'queue'>>;
  version: string;
  userKeyPath: string;
  /** What the state folder held at this start. */
  found: { aside: OpenedStore['aside']; isNewStore: boolean; areNewKeys: boolean };
  /** Keeps the keys for this daemon alone, until the signal; rejects with `already-running` when another took them. */
  hold(signal: AbortSignal): Promise<void>;
  /** Closes what was opened, in reverse order. */
  close(): void;
};

type Options = {
  version: string;
  pretty: boolean;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
};

type KeyParts = {
  config: Config;
  store: Store;
  log: Log;
  options: Options;
  onCall: CallDeps['onCall'];
  stop: AbortSignal;
};
type OpenedKeys = { keys: FoundKeys; userKeyPath: string; holder: Holder | null; close(): void };

function ssmAt(
  { config, log, options, onCall, stop }: KeyParts,
  path: string,
  region?: string,
): SsmParameters {
  const [first] = config.pools;
  if (first === undefined)
    throw new HostlerError('config-no-pools', 'keys in SSM need a pool, for its region');
  const site: CloudSite = { ...first.launch.site, region: region ?? first.launch.site.region };
  return createSsmParameters(site, path, { clock: options.clock, log, env: options.env, onCall, stop });
}

/** Parameters that held the keys at the last start, when they are elsewhere now. */
function earlierParameters(parts: KeyParts, place: string): SsmParameters | null {
  const known = parts.store.fact(KEYS_PLACE);
  const [, path, region] = /^ssm:(\S+) (\S+)$/.exec(known ?? '') ?? [];
  return path === undefined || known === place ? null : ssmAt(parts, path, region);
}

async function openFileKeys(parts: KeyParts, folder: string): Promise<OpenedKeys> {
  const vault = createFileVault(folder);
  const isWhole = (await vault.read(IDENTITY_FILE)) !== null && (await vault.read(AUTHORITY_FILE)) !== null;
  const before = isWhole ? null : earlierParameters(parts, 'file');
  const { clock } = parts.options;
  const earlier = before === null ? [] : [createSsmVault(before, clock)];
  const keys = createKeys(vault, { clock, earlier });
  if (before !== null) await Promise.all([keys.authority(), keys.userKey()]);
  before?.close();
  parts.store.putFact(KEYS_PLACE, 'file');
  return { keys, userKeyPath: join(folder, USER_KEY_FILE), holder: null, close: () => undefined };
}

async function openSsmKeys(parts: KeyParts, folder: string, path: string): Promise<OpenedKeys> {
  const { config, store, log, options } = parts;
  const { clock } = options;
  const parameters = ssmAt(parts, path);
  const place = `ssm:${path} ${config.pools[0]?.launch.site.region ?? ''}`;
  const before = earlierParameters(parts, place);
  const earlier: KeyVault[] = [createFileVault(folder)];
  if (before !== null) earlier.push(createSsmVault(before, clock));
  const self = { folder: store.fact(FOLDER_ID) ?? randomUUID(), run: randomUUID(), host: hostname() };
  const { takeover } = config.settings;
  const holder = createHolder({ parameters, clock, log, processes: createProcesses(), self, takeover });
  await holder.take();
  store.putFact(FOLDER_ID, self.folder);
  const keys = createKeys(createSsmVault(parameters, clock), { clock, earlier });
  await keys.authority();
  // For people's `docker-machine ssh`: ssh reads a file.
  const userKeyPath = join(config.settings.stateDir, USER_KEY_FILE);
  const { privateKey } = await keys.userKey();
  await putKeyFile(userKeyPath, privateKey).catch((error: unknown) =>
    log.warn('docker-machine ssh lacks its key file', { error: messageOf(error) }),
  );
  before?.close();
  store.putFact(KEYS_PLACE, place);
  return { keys, userKeyPath, holder, close: () => parameters.close() };
}

/** The keys where `keys` says; what is not there yet is carried over from where they were before. */
function openKeys(parts: KeyParts): Promise<OpenedKeys> {
  const { keys, stateDir } = parts.config.settings;
  const folder = join(stateDir, 'keys');
  return keys === 'file'
    ? openFileKeys(parts, folder)
    : openSsmKeys(parts, folder, keys.slice('ssm:'.length));
}

/** Opens the state folder and builds every adapter. Throws `already-running`, `state-unusable` or `cloud-refused`. */
export async function wire(config: Config, options: Options): Promise<Wired> {
  const { settings } = config;
  const { clock } = options;
  const log = createLog({ level: settings.logLevel, pretty: options.pretty, clock });
  const unlock = lockFolder(settings.stateDir);
  const { store, aside, isNew } = openStore(settings.stateDir, clock.now());
  const metrics = createMetrics({ compat: settings.compatMetrics, version: options.version });
  const countCall: CallDeps['onCall'] = ({ action, outcome, ms }) => metrics.ec2Call(action, outcome, ms);
  const ending = new AbortController();
  const parts = { config, store, log, options, onCall: countCall, stop: ending.signal };
  let opened: OpenedKeys;
  let areNewKeys: boolean;
  try {
    opened = await openKeys(parts);
    areNewKeys = await opened.keys.areNew();
  } catch (error) {
    ending.abort();
    store.close();
    unlock();
    throw error;
  }
  const { keys, userKeyPath, holder } = opened;
  const cloud = createCloud({ clock, log, env: options.env, onCall: countCall });
  const notices = createNotices({ clock, onCall: countCall });
  const { version, env } = options;
  const secrets = createSecretParameters({ clock, log, env, onCall: countCall });
  return {
    version: options.version,
    userKeyPath,
    found: { aside, isNewStore: isNew, areNewKeys },
    hold: async (signal) => holder?.hold(signal),
    ports: {
      store,
      cloud,
      notices,
      hosts: createHosts({ clock }),
      docker: createDocker({ clock }),
      keys,
      runnerStore: createRunnerStore({ clock, log }),
      runnerFigures: createRunnerFigures(),
      clock,
      random: createRandom(),
      log,
      metrics,
      connections: createConnections(),
      queue: {
        gitlab: createGitlabDoor({ clock, env, version }),
        runner: createRunnerMetrics(),
        secrets,
      },
    },
    close() {
      ending.abort();
      cloud.close();
      notices.close();
      secrets.close();
      opened.close();
      store.close();
      unlock();
    },
  };
}
