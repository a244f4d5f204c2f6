// Reads the configuration again. A bad file changes nothing: the old settings stay, the gauge rises, the reason is kept
// for `status`. What only a restart can change is named.
import type { Config, DaemonSettings } from '../domain/config.ts';
import { HostlerError, messageOf } from '../domain/error.ts';
import { isClearedByReload } from '../planner/rest.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';

type ReloadDeps = {
  config: CurrentConfig;
  store: Store;
  clock: Clock;
  metrics: Metrics;
  journal: Journal;
  load(): Promise<Config>;
  nudge(): void;
};

/** Settings that are taken at start only: sockets, folders and the identity that owns machines. */
const AT_START_ONLY = [
  'owner',
  'listenAddress',
  'socket',
  'stateDir',
  'keys',
  'compatMetrics',
  'logLevel',
] as const satisfies readonly (keyof DaemonSettings)[];

/** Reads, checks and takes over the configuration. Throws what the reading throws, with everything as before. */
export async function reloadConfig(deps: ReloadDeps, why: string): Promise<string> {
  const { config, store, clock, metrics, journal } = deps;
  const before = config.get();
  let next: Config;
  try {
    next = await deps.load();
  } catch (error) {
    const said = messageOf(error);
    const where = error instanceof HostlerError ? (error.where ?? '') : '';
    const text = where === '' || said.includes(where) ? said : `${where}: ${said}`;
    if (config.state().error !== text)
      journal({ code: 'config-refused', level: 'error', text, detail: { why } });
    config.refuse(text);
    metrics.configLoaded(false, clock.now());
    throw error;
  }
  const late = AT_START_ONLY.filter((key) => before.settings[key] !== next.settings[key]);
  const kept = Object.fromEntries(late.map((key) => [key, before.settings[key]]));
  config.replace({ ...next, settings: { ...next.settings, ...kept } }, clock.now());
  metrics.configLoaded(true, clock.now());
  // A person changed something, so what a wrong option or a missing right had closed is worth another try.
  for (const rest of store.rests()) {
    if (isClearedByReload(rest)) store.deleteRest(rest.key);
  }
  const restart = late.length === 0 ? '' : `; needs a restart: ${late.join(', ')}`;
  const text = `read again (${why}): ${next.pools.length} pools, ${next.warnings.length} warnings${restart}`;
  journal({
    code: 'config-reloaded',
    text,
    detail: { why, pools: next.pools.length, warnings: next.warnings.length },
  });
  deps.nudge();
  return text;
}
