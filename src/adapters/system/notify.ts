// Tells systemd how the daemon is (sd_notify) through the systemd-notify program: Node has no datagram unix sockets.
// Without NOTIFY_SOCKET nothing happens; a failed notice is dropped, since it must never hurt the daemon.
// Trap: the unit needs NotifyAccess=all, because the message comes from a child process.
import { execFile } from 'node:child_process';
import type { DurationMs } from '../../domain/units.ts';

/** Milliseconds for one systemd-notify, which takes about 10; longer means that systemd itself hangs. */
const NOTICE_LIMIT_MS: DurationMs = 2_000;

/** Milliseconds; each sign of life is a process, so no more than one in 5 s even for a short watchdog. */
const SHORTEST_ALIVE_MS: DurationMs = 5_000;

export type Notify = {
  /** The unit has started. */
  ready(status: string): Promise<void>;
  /** One line for `systemctl status`. */
  status(text: string): Promise<void>;
  stopping(): Promise<void>;
  /** A sign of life for the watchdog; call it only after a look at the loop. Skipped while one is under way. */
  alive(): Promise<void>;
  /** Milliseconds between signs of life: a third of what systemd waits (half, where a third is under 5 s); null without a watchdog. */
  aliveEveryMs: DurationMs | null;
};

const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, ' ').slice(0, 200);

/** Reads NOTIFY_SOCKET and WATCHDOG_USEC from `env`; `pid` is the daemon's. */
export function createNotify(options: {
  env: Readonly<Record<string, string | undefined>>;
  pid: number;
}): Notify {
  const { env, pid } = options;
  const isOn = (env['NOTIFY_SOCKET'] ?? '') !== '';
  const watchdogMs = Number(env['WATCHDOG_USEC'] ?? '') / 1_000;
  let isTelling = false;

  const tell = (words: readonly string[]): Promise<void> =>
    new Promise((resolve) => {
      if (!isOn) {
        resolve();
        return;
      }
      const settings = { timeout: NOTICE_LIMIT_MS, env: { ...env } };
      execFile('systemd-notify', [`--pid=${pid}`, ...words], settings, () => {
        resolve();
      });
    });

  return {
    ready: (status) => tell(['--ready', `--status=${oneLine(status)}`]),
    status: (text) => tell([`--status=${oneLine(text)}`]),
    stopping: () => tell(['STOPPING=1']),
    alive: async () => {
      if (isTelling) return;
      isTelling = true;
      await tell(['WATCHDOG=1']);
      isTelling = false;
    },
    aliveEveryMs:
      isOn && Number.isFinite(watchdogMs) && watchdogMs > 0
        ? Math.max(Math.floor(watchdogMs / 3), Math.min(SHORTEST_ALIVE_MS, Math.floor(watchdogMs / 2)))
        : null,
  };
}
