// The Hosts port on simulated hosts: the same errors as over real SSH, at a real link's pace.
// Must not decide anything for provisioning. Trap: a script whose link was lost still runs to its end on the host.
import { HostlerError } from '../../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HostAddress, HostSession, Hosts, RunResult } from '../../ports/host.ts';
import type { HostPark } from '../hosts/host-park.ts';
import type { SimHost } from '../hosts/sim-host.ts';
import type { NetworkLine } from './network-line.ts';

/** A login over a private network: TCP, key exchange, public key. */
const LOGIN_MS: DurationMs = 60;
/** Time limits of adapters/ssh for one attempt: connect and greeting. */
const CONNECT_LIMIT_MS: DurationMs = 3 * SECOND_MS;
const GREETING_LIMIT_MS: DurationMs = 5 * SECOND_MS;
/** By the first step of a script: how long a usual host takes for all of it (provisioning within the budget of 2 s). */
const SCRIPT_MS: readonly (readonly [string, DurationMs])[] = [
  ['rotate-host-key', 900],
  ['make-host-key', 300],
  ['prepull', 15_000],
  ['renew-dead-man', 60],
];

type Deps = { park: HostPark; line: NetworkLine; clock: Clock };

function unreachable(host: HostAddress, why: string): HostlerError {
  const where = `${host.address}:${host.port}`;
  return new HostlerError('host-unreachable', `SSH to ${where}: ${why}`, { where });
}

function durationOf(script: string): DurationMs {
  return SCRIPT_MS.find(([step]) => script.includes(`# hostler-step: ${step}\n`))?.[1] ?? LOGIN_MS;
}

const lost = (stderr: string): RunResult => ({ code: null, stdout: '', stderr });

function isMute(host: SimHost | null): boolean {
  return host === null || host.troubles.has('mute');
}

function sessionOn({ line }: Deps, host: SimHost): HostSession {
  let isOpen = true;
  return {
    async run(script, signal) {
      if (!isOpen || !host.isUp) return lost('the connection was lost');
      const hangs =
        host.troubles.has('cloud-init-hangs') && script.includes('# hostler-step: wait-user-data');
      if (hangs || isMute(host)) return line.hang(signal).catch(() => lost('gave up waiting for the script'));
      const played = await line
        .ask({
          what: `ssh ${script.includes('rotate-host-key') ? 'setup' : 'script'}`,
          thereMs: durationOf(script),
          backMs: 1,
          signal,
          work: () => (host.isUp ? host.play(script) : null),
        })
        .catch((error: unknown) => {
          if (signal.aborted) return null;
          throw error;
        });
      return played === null || !host.isUp ? lost('the connection was lost') : played;
    },
    close() {
      isOpen = false;
    },
  };
}

/** SSH to the hosts of a park. */
export function createSimHosts(deps: Deps): Hosts {
  const { park, line, clock } = deps;

  async function hangFor(ms: DurationMs, signal: AbortSignal): Promise<void> {
    await line.hang(clock.timeout(ms, signal)).catch(() => undefined);
  }

  return {
    async connect(address, signal) {
      const there = park.at(address.address);
      if (there !== null && isMute(there)) {
        await hangFor(CONNECT_LIMIT_MS, signal);
        throw unreachable(address, 'no answer in time while the connection was being set up');
      }
      if (there?.troubles.has('no-greeting') === true) {
        await hangFor(GREETING_LIMIT_MS, signal);
        throw unreachable(address, 'connected, but no SSH server greets there in time');
      }
      const host = await line
        .ask({ what: null, thereMs: LOGIN_MS, backMs: 0, signal, work: () => park.at(address.address) })
        .catch(() => null);
      if (host === null || host.troubles.has('ssh-dies')) throw unreachable(address, 'connect ECONNREFUSED');
      if (!address.pins.includes(host.shownKey)) {
        const where = `${address.address}:${address.port}`;
        throw new HostlerError(
          'host-key-mismatch',
          `${where} showed a host key that is not pinned for it (${host.shownKey}); the connection was ended`,
          { where },
        );
      }
      return sessionOn(deps, host);
    },
  };
}
