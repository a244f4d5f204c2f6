// The daemon's life: start order, signals, stop in reverse order. Hosts with jobs are left alone on every way out.
// Trap: a waiting create must survive a restart, so stopping closes connections without ending leases.
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { loadConfig } from './adapters/config/load.ts';
import { watchConfig } from './adapters/config/watch.ts';
import { createClock } from './adapters/system/clock.ts';
import { createNotify } from './adapters/system/notify.ts';
import { assemble, type Parts } from './assemble.ts';
import type { Config } from './domain/config.ts';
import { messageOf } from './domain/error.ts';
import { type DurationMs, SECOND_MS } from './domain/units.ts';
import { listenOn } from './doors/http/listen-address.ts';
import { listenOnSocket } from './doors/http/listen-socket.ts';
import { createSocketApp } from './doors/http/socket-app.ts';
import { createTelemetryApp, type Verdict } from './doors/http/telemetry-app.ts';
import { createWebhookDoors, type WebhookDoors } from './doors/http/webhook-doors.ts';
import type { Clock } from './ports/clock.ts';
import { createOwnClient } from './service/own-client.ts';
import { isoTime } from './service/replies.ts';
import { noteAuthorities, tellFindings } from './service/start-findings.ts';
import { createWebhookBook } from './service/webhook-book.ts';
import { createWebhookSecrets } from './service/webhook-secrets.ts';
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
  /** The real time unless a test moves it. */
  clock?: Clock;
};

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}

/** What only the process knows, for `status`. */
function processFacts(
  config: Config,
  wired: Wired,
  parts: () => Parts,
  born: { at: number; manager: string; notes: readonly string[] },
) {
  return () => {
    const { lastTickAt, ticks } = parts().loop.state();
    const now = wired.ports.clock.now();
    return {
      version: wired.version,
      pid: process.pid,
      started: isoTime(born.at),
      state_dir: config.settings.stateDir,
      manager: born.manager,
      state_notes: born.notes,
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

type Verdicts = {
  health(): Verdict;
  ready(): Verdict;
  /** Whether the loop ticks: what a restart can mend. A full disk it cannot. */
  isAlive(): boolean;
};

function verdicts(wired: Wired, parts: Parts): Verdicts {
  const { clock, store } = wired.ports;
  const loopLine = (): Verdict => {
    const { quietMs, failures } = parts.loop.state();
    const seconds = Math.round(quietMs / SECOND_MS);
    if (quietMs > STALL_MS)
      return { ok: false, lines: [`loop: no tick for ${seconds} s, ${failures} failed`] };
    return { ok: true, lines: [`loop: last tick ${seconds} s ago`] };
  };
  const storeLine = (): Verdict => {
    store.putFact('health', String(clock.now()));
    const trouble = store.trouble();
    return { ok: trouble === null, lines: [`store: ${trouble ?? 'writable'}`] };
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
        storeLine(),
      ]);
    },
    isAlive: () => loopLine().ok,
  };
}

export type RunningDaemon = {
  reload(why: string): void;
  /** Stops everything, at most `STOP_LIMIT_MS`; hosts and leases stay as they are. */
  stop(why: string): Promise<void>;
  /** Resolves when the loop ended by itself, which it never should; rejects when another daemon took the keys over. */
  ended: Promise<void>;
};

/** Starts a daemon in this process. Throws HostlerError when it cannot start, with everything closed again. */
export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  const load = () => loadConfig({ path: options.configPath, env: options.env });
  const config = await load();
  const { env, clock = createClock() } = options;
  const wired = await wire(config, { version: ownVersion(), pretty: process.stdout.isTTY, env, clock });
  const stop = new AbortController();
  try {
    return await live({ config, wired, stop, load, env });
  } catch (error) {
    stop.abort();
    wired.close();
    throw error;
  }
}

/**
 * Percent by which V8 lets its heap grow over what lives before it collects again. Its own choice, up to four times, took
 * twice the memory at ten thousand machines; collections run beside the main thread for the most part.
 */
const HEAP_GROWS_PERCENT = 25;

/** Runs the daemon until a signal ends it. Resolves with the exit code; throws HostlerError when it cannot start. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWS_PERCENT}`);
  const daemon = await startDaemon(options);
  const signalled = awaitSignal(() => daemon.reload('SIGHUP'));
  try {
    await daemon.stop(await Promise.race([signalled, daemon.ended.then(() => 'end')]));
    return 0;
  } catch (error) {
    await daemon.stop(messageOf(error));
    throw error;
  }
}

type Life = {
  config: Config;
  wired: Wired;
  stop: AbortController;
  load(): Promise<Config>;
  env: DaemonOptions['env'];
};

/** Opens both doors; the second one's failure closes the first. */
async function openDoors(config: Config, parts: Parts, wired: Wired) {
  const { health, ready, isAlive } = verdicts(wired, parts);
  const telemetry = createTelemetryApp({ metrics: () => wired.ports.metrics.render(), health, ready });
  const socket = createSocketApp(parts.useCases, wired.ports.log);
  const url = await listenOn(telemetry, config.settings.listenAddress);
  try {
    await listenOnSocket(socket, config.settings.socket);
  } catch (error) {
    await telemetry.close();
    throw error;
  }
  return { url, isAlive, close: () => Promise.all([socket.close(), telemetry.close()]) };
}

/** The doors for GitLab's webhooks; they are shut until they follow a configuration. */
function openWebhooks({ queue }: Parts, { ports }: Wired): WebhookDoors {
  const { clock, log } = ports;
  const changed = (project: number) => void queue?.markDirty(project);
  const secrets = createWebhookSecrets({ secrets: ports.queue.secrets, clock });
  const book = queue?.webhooks ?? createWebhookBook();
  return createWebhookDoors({ book, secrets, clock, log, changed });
}

async function live({ config, wired, stop, load, env }: Life): Promise<RunningDaemon> {
  const { clock, log, keys, metrics } = wired.ports;
  const startedAt = clock.now();
  const authority = await keys.authority();
  const manager = await keys.identity();
  const ownClient = await createOwnClient({ keys, clock });
  const notes: string[] = [];
  noteAuthorities(wired.ports.store, manager, authority);
  const parts: Parts = assemble({
    ports: wired.ports,
    config,
    loadConfig: load,
    reloaded(next) {
      watch(next);
      void webhooks.follow(next);
    },
    manager,
    authority,
    ownClient,
    userKeyPath: wired.userKeyPath,
    process: processFacts(config, wired, () => parts, { at: startedAt, manager, notes }),
    stop: stop.signal,
  });
  notes.push(...tellFindings({ store: wired.ports.store, journal: parts.journal }, wired.found, manager));
  let unwatch = () => {};
  const watch = (read: Config) => {
    unwatch();
    unwatch = watchConfig({ files: read.files, changed: () => reload('file changed'), clock });
  };
  const reload = (why: string) => void parts.reload(why).catch(() => undefined);
  const doors = await openDoors(config, parts, wired);
  const webhooks = openWebhooks(parts, wired);
  await webhooks.follow(config);
  metrics.configLoaded(true, startedAt);
  for (const { code, message, where, key, pool } of config.warnings)
    log.warn(message, { code, where, setting: key, pool });
  const detail = {
    version: wired.version,
    pools: config.pools.length,
    socket: config.settings.socket,
    metrics: doors.url,
  };
  parts.journal({ code: 'started', detail });

  watch(config);
  const notify = createNotify({ env, pid: process.pid });
  const running = Promise.all([parts.run(stop.signal), ownClient.run(stop.signal)]).then(() => undefined);
  const holding = wired.hold(stop.signal);
  const beat = watchdog(stop.signal, notify, () => doors.isAlive(), clock);
  await notify.ready(`${config.pools.length} pools`);
  return {
    reload,
    ended: Promise.race([running, holding.then(() => running)]),
    async stop(why) {
      parts.journal({ code: 'stopping', detail: { why } });
      stop.abort();
      unwatch();
      const work = Promise.all([
        doors.close(),
        webhooks.close(),
        running,
        holding.catch(() => undefined),
        beat,
        notify.stopping(),
      ]);
      await Promise.race([work, clock.sleep(STOP_LIMIT_MS)]);
      wired.close();
    },
  };
}

/** Resolves with the first stop signal; a second one ends the process at once. SIGHUP reloads. */
function awaitSignal(hangUp: () => void): Promise<string> {
  let isStopping = false;
  return new Promise((resolve) => {
    process.on('SIGHUP', hangUp);
    for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
      process.on(name, () => {
        if (isStopping) process.exit(1);
        isStopping = true;
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
  if (everyMs === null) return;
  while (!stop.aborted) {
    if (isWell()) await notify.alive();
    await clock.sleep(everyMs, stop);
  }
}
