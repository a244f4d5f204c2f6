// The composition root: the only file that makes adapters. What it makes goes to assemble.ts as ports.

import { join } from 'node:path';
import { createCloud } from './adapters/aws/create-cloud.ts';
import { createDocker } from './adapters/docker/docker.ts';
import { createKeys, USER_KEY_FILE } from './adapters/keys/keys.ts';
import { createRunnerFigures } from './adapters/runner-metrics/runner-figures.ts';
import { createRunnerStore } from './adapters/runner-store/runner-store.ts';
import { lockFolder, openDatabase } from './adapters/sqlite/database.ts';
import { createStore } from './adapters/sqlite/store.ts';
import { createHosts } from './adapters/ssh/hosts.ts';
import { createRandom } from './adapters/system/random.ts';
import { createLog } from './adapters/telemetry/log.ts';
import { createMetrics } from './adapters/telemetry/metrics.ts';
import type { Ports } from './assemble.ts';
import type { Config } from './domain/config.ts';
import type { Clock } from './ports/clock.ts';

export type Wired = {
  ports: Ports;
  version: string;
  userKeyPath: string;
  /** Closes what was opened, in reverse order. */
  close(): void;
};

/** Opens the state folder and builds every adapter. Throws `already-running` or `state-unusable`. */
export function wire(
  config: Config,
  options: {
    version: string;
    pretty: boolean;
    env: Readonly<Record<string, string | undefined>>;
    clock: Clock;
  },
): Wired {
  const { settings } = config;
  const { clock } = options;
  const log = createLog({ level: settings.logLevel, pretty: options.pretty, clock });
  const keysFolder = join(settings.stateDir, 'keys');
  const unlock = lockFolder(settings.stateDir);
  const database = openDatabase(join(settings.stateDir, 'state.db'));
  const store = createStore(database);
  const metrics = createMetrics({ compat: settings.compatMetrics, version: options.version });
  const cloud = createCloud({
    clock,
    log,
    env: options.env,
    onCall: ({ action, outcome, ms }) => metrics.ec2Call(action, outcome, ms),
  });
  return {
    version: options.version,
    userKeyPath: join(keysFolder, USER_KEY_FILE),
    ports: {
      store,
      cloud,
      hosts: createHosts({ clock }),
      docker: createDocker({ clock }),
      keys: createKeys(keysFolder, { clock }),
      runnerStore: createRunnerStore({ clock, log }),
      runnerFigures: createRunnerFigures(),
      clock,
      random: createRandom(),
      log,
      metrics,
    },
    close() {
      cloud.close();
      store.close();
      unlock();
    },
  };
}
