// A whole installation for demo and benchmarks: an emulated cloud and a hostler daemon as processes of their own, their
// files in a folder of their own. Waiting for something always has a limit and ends when a child does.
// Trap: `close` must run on every way out; it ends the children and removes the folder.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../contract/client.ts';
import { HostlerError } from '../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import { type Child, startChild, startGuard, tailOf } from './child.ts';
import { type DemoWay, hostlerConfigText, machineOptions, runnerConfigText } from './config-text.ts';
import { createEmulatedCloud, type EmulatedCloud } from './emulated-cloud.ts';
import type { RunnerPolicy } from './policy.ts';
import { makeSite, programs, type Site } from './site.ts';

export type InstallationOptions = {
  /** What the runner's file says. */
  policy: RunnerPolicy;
  way: DemoWay;
  /** Machines that hostler keeps ready for a runner on demand. */
  idle: number;
  /** Seconds from launch to a host that answers. */
  bootS: number;
};

export type Installation = {
  site: Site;
  /** MachineOptions as in the runner's file. */
  machineOptions: readonly string[];
  cloud: EmulatedCloud;
  client: Client;
  /** The daemon's process. */
  daemonPid: number;
  /** Looks until it holds. Throws when time is up, a child has ended, or the signal says stop. */
  until(what: string, holds: () => boolean | Promise<boolean>, limitMs: DurationMs): Promise<void>;
  /** Ends the children and removes the folder; `hard`: at once. */
  close(hard?: boolean): Promise<void>;
};

/** Between looks at something awaited. */
const LOOK_MS: DurationMs = 100;
/** Until a child is ready: a Node process takes under a second, ten times that on a machine under load. */
const START_LIMIT_MS: DurationMs = 30 * SECOND_MS;
/** The daemon promises to leave within 10 s of SIGTERM. */
const STOP_LIMIT_MS: DurationMs = 10 * SECOND_MS;

async function isReady(address: string): Promise<boolean> {
  try {
    const answer = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(2 * SECOND_MS) });
    await answer.text();
    return answer.ok;
  } catch {
    return false;
  }
}

type Family = {
  begin(name: string, args: readonly string[], reads?: boolean): Child;
  until: Installation['until'];
  end(hard: boolean): Promise<void>;
};

/** The children of one site, with their guard. */
function createFamily(site: Site, signal: AbortSignal): Family {
  const guard = startGuard(site.folder);
  const children: Child[] = [];
  return {
    begin(name, args, reads = false) {
      const log = site.log(name);
      const child = startChild({ name, args: [programs.main, ...args], env: site.env, log, reads });
      guard.watch(child.pid);
      children.push(child);
      return child;
    },
    async until(what, holds, limitMs) {
      const begun = performance.now();
      while (!(await holds())) {
        signal.throwIfAborted();
        const dead = children.find((child) => !child.isAlive());
        if (dead !== undefined) {
          const how = `${dead.name} ${await dead.ended}: ${tailOf(site.log(dead.name))}`;
          throw new HostlerError('daemon-away', how);
        }
        if (performance.now() - begun > limitMs) {
          const words = children.map(({ name }) => `${name}: ${tailOf(site.log(name))}`).join('; ');
          const limit = Math.round(limitMs / SECOND_MS);
          throw new HostlerError('internal', `${what}: not within ${limit} s; last words of ${words}`);
        }
        await sleep(LOOK_MS);
      }
    },
    async end(hard) {
      for (const child of children.toReversed()) {
        if (hard) child.kill();
        await child.stop(STOP_LIMIT_MS);
      }
      site.remove();
      guard.dismiss();
    },
  };
}

async function startCloud(family: Family, site: Site, bootS: number): Promise<string> {
  const ports = ['--port', '0', '--ssh-port', String(site.sshPort)];
  const child = family.begin('emulator', ['emulate', ...ports, '--boot', String(bootS)], true);
  return (JSON.parse(await child.firstLine) as { endpoint: string }).endpoint;
}

/**
 * Starts cloud and daemon; the daemon serves when this resolves. Throws when one does not come up; then nothing is left.
 * `signal` ends all waiting.
 */
export async function startInstallation(
  options: InstallationOptions,
  context: { env: Readonly<Record<string, string | undefined>>; signal: AbortSignal },
): Promise<Installation> {
  const site = await makeSite(context.env);
  const family = createFamily(site, context.signal);
  try {
    const endpoint = await startCloud(family, site, options.bootS);
    const listed = machineOptions({ endpoint, sshPort: site.sshPort });
    site.write(site.runnerConfig, runnerConfigText(options.policy, listed));
    site.write(site.hostlerConfig, hostlerConfigText({ ...options, runnerConfig: site.runnerConfig }));
    const daemon = family.begin('daemon', ['run', '--config', site.hostlerConfig]);
    await family.until('the daemon', () => isReady(site.listenAddress), START_LIMIT_MS);
    const client = createClient({ socket: site.socket });
    return {
      site,
      client,
      machineOptions: listed,
      cloud: createEmulatedCloud(endpoint),
      daemonPid: daemon.pid,
      until: family.until,
      close: async (hard = false) => {
        client.close();
        await family.end(hard);
      },
    };
  } catch (error) {
    await family.end(true);
    throw error;
  }
}
