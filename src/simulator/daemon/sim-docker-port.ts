// The Docker port on simulated hosts. An answer within some ms counts as at once: a day holds a million of them.
// Trap: a mute host answers nothing, a dead one refuses at once; the two cost the watcher very different times.
import { HostlerError } from '../../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Docker, DockerHost, JobContainer } from '../../ports/docker.ts';
import type { HostPark } from '../hosts/host-park.ts';
import { dockerAnswers, type SimContainer, type SimHost } from '../hosts/sim-host.ts';
import type { NetworkLine } from './network-line.ts';
import type { ProcessLife } from './process-life.ts';

/** Removing a handful of containers. */
const CLEAN_MS: DurationMs = 400;
/** Removing what fills a disk. */
const PRUNE_MS: DurationMs = 8 * SECOND_MS;

type Deps = {
  park: HostPark;
  line: NetworkLine;
  clock: Clock;
  life: ProcessLife;
  /** Containers are about to be killed by the manager. */
  onClean(host: SimHost): void;
};

function shown({ id, jobId, running }: SimContainer): JobContainer {
  return { id, running, jobId: String(jobId), jobUrl: null };
}

function unreachable(host: DockerHost): HostlerError {
  const where = `${host.address}:${host.port}`;
  return new HostlerError('host-unreachable', `Docker API of ${where} cannot be reached`, { where });
}

/** Docker on the hosts of a park, for one process. */
export function createSimDocker(deps: Deps): Docker {
  const { park, line, clock, life, onClean } = deps;
  const yes = Promise.resolve(true);
  const no = Promise.resolve(false);

  /** The host, or null when it refuses; undefined when nothing answers. */
  function look(host: DockerHost): SimHost | null | undefined {
    const found = park.at(host.address);
    if (found === null || found.troubles.has('mute')) return undefined;
    return dockerAnswers(found, host.tls.ca) ? found : null;
  }

  /** The host once it has answered; throws when it does not. */
  async function reach(host: DockerHost, signal: AbortSignal): Promise<SimHost> {
    const found = look(host);
    if (found === undefined) await line.hang(signal).catch(() => undefined);
    if (found === undefined || found === null) throw unreachable(host);
    return found;
  }

  async function change<T>(
    host: DockerHost,
    order: { what: string; ms: DurationMs; signal: AbortSignal },
    work: (found: SimHost) => T,
  ): Promise<T> {
    await reach(host, order.signal);
    const done = await line.ask({
      what: order.what,
      thereMs: order.ms,
      backMs: 1,
      signal: order.signal,
      work: () => {
        const found = look(host);
        return found === null || found === undefined ? null : { value: work(found) };
      },
    });
    if (done === null) throw unreachable(host);
    return done.value;
  }

  return {
    ping(host, limitMs) {
      if (!life.isAlive()) return life.never;
      const found = look(host);
      if (found === undefined)
        return line.hang(clock.timeout(limitMs)).then(
          () => false,
          () => false,
        );
      return found === null ? no : yes;
    },
    async jobContainers(host, signal) {
      if (!life.isAlive()) return life.never;
      const { containers } = await reach(host, signal);
      return containers.size === 0 ? [] : [...containers.values()].map(shown);
    },
    clean: (host, signal) =>
      change(host, { what: 'docker clean', ms: CLEAN_MS, signal }, (found) => {
        onClean(found);
        const containers = [...found.containers.values()].map(shown);
        for (const { id } of containers) found.removeContainer(id, 'killed');
        return { containers };
      }),
    prune: (host, what, signal) =>
      change(host, { what: 'docker prune', ms: PRUNE_MS, signal }, ({ litter }) => {
        litter.spare = 0;
        if (what === 'caches') litter.caches = 0;
      }),
    forget: () => undefined,
  };
}
