// The daemon's life: start order, signals, stop in reverse order. Hosts with jobs are left alone on every way out.
// Trap: a waiting create must survive a restart, so stopping closes connections without ending leases.
import { readFileSync } from 'node:fs';
import { loadConfig } from './adapters/config/load.ts';
import { watchConfig } from './adapters/config/watch.ts';
import { createNotify } from './adapters/system/notify.ts';
import { assemble, type Parts } from './assemble.ts';
import type { Config } from './domain/config.ts';
import { messageOf } from './domain/error.ts';
import { type DurationMs, SECOND_MS } from './domain/units.ts';
import { listenOn } from './doors/http/listen-address.ts';
import { listenOnSocket } from './doors/http/listen-socket.ts';
import { createSocketApp } from './doors/http/socket-app.ts';
import { createTelemetryApp, type Verdict } from './doors/http/telemetry-app.ts';
import { isoTime } from './service/replies.ts';
import { type Wired, wire } from './wire.ts';

/** SIGTERM to exit at most (issue of every supervisor: a unit that does not stop is killed). */
const STOP_LIMIT_MS: DurationMs = 9 * SECOND_MS;
/** The loop ticks every 5 s at the latest; standing still for this long is ill. */
const STALL_MS: DurationMs = 60 * SECOND_MS;

export type DaemonOptions = {
  configPath: string;
  env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
};

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}

/** What only the process knows, for `status`. */
function processFacts(config: Config, wired: Wired, parts: () => Parts, startedAt: number) {
  return () => {
    const { lastTickAt, ticks } = parts().loop.state();
    const now = wired.ports.clock.now();
    return {
      version: wired.version,
      pid: process.pid,
      started: isoTime(startedAt),
      state_dir: config.settings.stateDir,
      manager: wired.manager,
      last_tick: lastTickAt === null ? null : isoTime(lastTickAt),
      ticks,
      sources: parts()
        .sources()
        .map(({ source, state, at, why }) => ({
          source,
          state,
          why,
          age_s: at === null ? null : Math.round((now - at) / SECOND_MS),
        })),
      ec2_calls: wired.ports.cloud.calls(),
    };
  };
}

function verdicts(wired: Wired, parts: Parts, startedAt: number): { health(): Verdict; ready(): Verdict } {
  const { clock, store } = wired.ports;
  const loopLine = (): Verdict => {
    const { lastTickAt, failures } = parts.loop.state();
    const age = clock.now() - (lastTickAt ?? startedAt);
    if (age > STALL_MS)
      return { ok: false, lines: [`loop: no tick for ${Math.round(age / SECOND_MS)} s, ${failures} failed`] };
    return { ok: true, lines: [`loop: last tick ${Math.round(age / SECOND_MS)} s ago`] };
  };
  const storeLine = (): Verdict => {
    try {
      store.putFact('health', String(clock.now()));
      return { ok: true, lines: ['store: writable'] };
    } catch (error) {
      return { ok: false, lines: [`store: ${messageOf(error)}`] };
    }
  };
  const all = (checks: readonly Verdict[]): Verdict => ({
    ok: checks.every((check) => check.ok),
    lines: checks.flatMap((check) => check.lines),
  });
  return {
    health: () => all([loopLine(), storeLine()]),
    ready: () => {
      const ticked = parts.loop.state().lastTickAt !== null;
      return all([
        { ok: ticked, lines: [ticked ? 'leases are served' : 'the first tick is still to come'] },
        loopLine(),
      ]);
    },
  };
}

/** Runs the daemon until a signal ends it. Resolves with the exit code; throws HostlerError when it cannot start. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const load = () => loadConfig({ path: options.configPath, env: options.env });
  const config = await load();
  const wired = wire(config, {
    version: ownVersion(),
    pretty: process.stdout.isTTY === true,
    env: options.env,
  });
  const stop = new AbortController();
  try {
    return await live({ config, wired, stop, load, env: options.env });
  } finally {
    stop.abort();
    wired.close();
  }
}

type Life = {
  config: Config;
  wired: Wired;
  stop: AbortController;
  load(): Promise<Config>;
  env: DaemonOptions['env'];
};

async function live({ config, wired, stop, load, env }: Life): Promise<number> {
  const { clock, log, keys, metrics } = wired.ports;
  const startedAt = clock.now();
  const authority = await keys.authority();
  const parts: Parts = assemble({
    ports: wired.ports,
    config,
    loadConfig: load,
    manager: wired.manager,
    authority,
    process: processFacts(config, wired, () => parts, startedAt),
    stop: stop.signal,
  });
  const { health, ready } = verdicts(wired, parts, startedAt);
  const telemetry = createTelemetryApp({ metrics: () => metrics.render(), health, ready });
  const socket = createSocketApp(parts.useCases, log);
  const notify = createNotify({ env, pid: process.pid });
  const url = await listenOn(telemetry, config.settings.listenAddress);
  try {
    await listenOnSocket(socket, config.settings.socket);
  } catch (error) {
    await telemetry.close();
    throw error;
  }
  metrics.configLoaded(true, startedAt);
  for (const warning of config.warnings)
    log.warn(warning.message, {
      code: warning.code,
      where: warning.where,
      key: warning.key,
      pool: warning.pool,
    });
  parts.journal({
    code: 'started',
    detail: {
      version: wired.version,
      pools: config.pools.length,
      socket: config.settings.socket,
      metrics: url,
    },
  });

  const reload = (why: string) => void parts.reload(why).catch(() => undefined);
  const unwatch = watchConfig({ files: config.files, changed: () => reload('file changed'), clock });
  const ended = awaitSignals(stop, () => reload('SIGHUP'));
  const running = parts.run(stop.signal);
  const beat = watchdog(stop.signal, notify, () => health().ok, clock);
  await notify.ready(`${config.pools.length} pools`);

  const signal = await Promise.race([ended, running.then(() => 'end' as const)]);
  parts.journal({ code: 'stopping', detail: { signal } });
  stop.abort();
  void notify.stopping();
  unwatch();
  await Promise.race([
    Promise.all([socket.close(), telemetry.close(), running, beat]),
    clock.sleep(STOP_LIMIT_MS),
  ]);
  return 0;
}

/** Resolves with the first stop signal; a second one ends the process at once. SIGHUP reloads. */
function awaitSignals(stop: AbortController, hangup: () => void): Promise<string> {
  return new Promise((resolve) => {
    process.on('SIGHUP', hangup);
    for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
      process.on(name, () => {
        if (stop.signal.aborted) process.exit(1);
        resolve(name);
      });
    }
  });
}

async function watchdog(
  stop: AbortSignal,
  notify: ReturnType<typeof createNotify>,
  isWell: () => boolean,
  clock: Wired['ports']['clock'],
): Promise<void> {
  const everyMs = notify.aliveEveryMs;
  while (everyMs !== null && !stop.aborted) {
    if (isWell()) await notify.alive();
    await clock.sleep(everyMs, stop);
  }
}
