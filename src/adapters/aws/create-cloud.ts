// The cloud port on EC2: one set of clients, buckets and remembered look-ups for each site. Each verb is a few lines
// here; how it works stands in the file it calls.
// Trap: launch sends one call with one attempt and never throws; a lost answer is `unknown`, never `refused`.
import { networkInterfaces } from 'node:os';
import type { CloudSite } from '../../domain/config.ts';
import type { ResolvedLaunch } from '../../domain/launch.ts';
import { type Outcome, refusal } from '../../domain/outcome.ts';
import { type DurationMs, MINUTE_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Cloud, TerminateAnswer } from '../../ports/cloud.ts';
import type { Log } from '../../ports/log.ts';
import { cancelSpotRequests } from './cancel-spot-requests.ts';
import { createFleetAnswers, type FleetAnswers } from './fleet-answers.ts';
import { createListingBook } from './known-instances.ts';
import { launchMachines } from './launch-machines.ts';
import { createLaunchTemplates } from './launch-templates.ts';
import { listLeftovers, removeLeftovers } from './leftovers.ts';
import { listByLaunch, listByOwner } from './list-instances.ts';
import { listSpotRequests } from './list-spot-requests.ts';
import { createQuotaValues } from './quota-values.ts';
import { readConsole } from './read-console.ts';
import { createResolutionCache } from './resolution-cache.ts';
import { DEFAULT_HOST_PORTS, resolutionKey, resolveLaunch } from './resolve-launch.ts';
import type { SdkClients, TimeHeard } from './sdk-clients.ts';
import { createSiteCalls, type SiteCalls } from './site-calls.ts';
import { createPrices } from './spot-prices.ts';
import { tagInstances } from './tag-instances.ts';
import { terminateInstances } from './terminate-instances.ts';

export type CloudDeps = {
  clock: Clock;
  log: Log;
  /** After each call: its outcome's kind, or `ok`. */
  onCall?: (call: { action: string; outcome: string; ms: DurationMs }) => void;
  /** Read for AWS_ENDPOINT_URL_SSM and AWS_ENDPOINT_URL_SERVICE_QUOTAS only; the SDK itself reads the process's environment. */
  env?: Readonly<Record<string, string | undefined>>;
  /** IPv4 addresses that security groups are opened to; default: those of this machine's interfaces. */
  managerAddresses?: () => readonly string[];
  /** How calls leave; default: the SDK over HTTP. The simulator brings clients that end in its world. */
  transport?: { clients(site: CloudSite, heard: TimeHeard): Promise<SdkClients>; answers: FleetAnswers };
};

/** Milliseconds for all look-ups of one pool together. */
const RESOLVE_LIMIT_MS: DurationMs = MINUTE_MS;

/** The cloud port over the AWS SDK. `close` ends kept connections and the parser thread. */
export function createCloud(deps: CloudDeps): Cloud & { close(): void } {
  const { clock, log } = deps;
  const sites = new Map<string, SiteCalls>();
  const known = createListingBook();
  const ending = new AbortController();
  const answers = deps.transport?.answers ?? createFleetAnswers({ log, clock });
  const templates = createLaunchTemplates(() => clock.monotonic());
  const prices = createPrices(clock);
  const quotaValues = createQuotaValues(clock);
  const resolved = createResolutionCache<ResolvedLaunch>(() => clock.monotonic());
  const callDeps = {
    clock,
    log,
    env: deps.env ?? process.env,
    onCall: deps.onCall ?? (() => undefined),
    ...(deps.transport !== undefined && { clients: deps.transport.clients }),
  };

  const at = (site: CloudSite): SiteCalls => {
    const calls = sites.get(site.key) ?? createSiteCalls(site, callDeps);
    sites.set(site.key, calls);
    calls.use(site);
    return calls;
  };

  return {
    resolve: async (spec, signal, hostPorts = DEFAULT_HOST_PORTS) => {
      // The look-up is shared, so it ends with its own limit and not with one caller's signal.
      const shared = resolved.get(resolutionKey(spec, hostPorts), { site: spec.site.key, asker: spec }, () =>
        resolveLaunch(spec, {
          calls: at(spec.site),
          clock,
          log: log.child({ site: spec.site.key }),
          signal: clock.timeout(RESOLVE_LIMIT_MS, ending.signal),
          managerAddresses: (deps.managerAddresses ?? ownAddresses)(),
          hostPorts,
        }),
      );
      return await untilAborted(shared, signal);
    },

    launch: async (site, order, signal) =>
      await launchMachines(order, {
        site: site.key,
        calls: at(site),
        answers,
        templates,
        quotaValues,
        clock,
        signal,
        spoiled: () => resolved.invalidate(site.key),
      }),

    terminate: async (site, instances, signal) => await terminateAt(at(site), instances, signal),

    list: async (site, owner, signal) =>
      await listByOwner(owner, { calls: at(site), answers, signal, known: known(site.key, owner) }),

    listLaunches: async (site, tokens, signal) =>
      tokens.length === 0 ? [] : await listByLaunch(tokens, { calls: at(site), answers, signal }),

    listSpotRequests: async (site, owner, signal) =>
      await listSpotRequests(owner, { calls: at(site), answers, signal }),

    cancelSpotRequests: async (site, requests, signal) =>
      requests.length === 0 ? [] : await cancelSpotRequests(requests, { calls: at(site), signal }),

    tagInstances: async (site, instances, tags, signal) =>
      await tagInstances(instances, tags, { calls: at(site), signal }),

    prices: async (site, asked, signal) =>
      await prices.of(asked, { site: site.key, region: site.region, calls: at(site), signal }),

    listLeftovers: async (site, owner, signal) =>
      await listLeftovers(owner, { calls: at(site), answers, signal }),

    removeLeftovers: async (site, leftovers, signal) =>
      await removeLeftovers(leftovers, { calls: at(site), answers, signal }),

    consoleOutput: async (site, instance, signal) => await readConsole(instance, { calls: at(site), signal }),

    clockAhead: (site) => at(site).clockAhead(),
    budget: (site) => at(site).budget(),

    calls: () => callsOf(sites.values()),

    close: () => {
      ending.abort();
      answers.close();
      for (const site of sites.values()) site.close();
    },
  };
}

/** Calls sent at all sites, by action. */
function callsOf(sites: Iterable<SiteCalls>): Record<string, number> {
  const total: Record<string, number> = {};
  for (const site of sites)
    for (const [action, count] of site.counts()) total[action] = (total[action] ?? 0) + count;
  return total;
}

async function terminateAt(
  calls: SiteCalls,
  instances: readonly string[],
  signal: AbortSignal,
): Promise<TerminateAnswer[]> {
  const action = 'TerminateInstances';
  const { TerminateInstancesCommand } = await import('@aws-sdk/client-ec2');
  return await terminateInstances(instances, {
    tokens: () => calls.instanceTokens(action),
    send: async (ids) => {
      const command = new TerminateInstancesCommand({ InstanceIds: [...ids] });
      const answer = await calls.call({ action, signal, instances: ids.length }, (clients, limit) =>
        clients.terminate.send(command, { abortSignal: limit }),
      );
      return (answer.TerminatingInstances ?? []).flatMap((one) => one.InstanceId ?? []);
    },
  });
}

/** Bridges and pairs that Docker, libvirt and the like make on the manager: no host ever sees their addresses. */
const VIRTUAL_INTERFACE = /^(docker|br-|veth|virbr|cni|flannel|cali|lxc|podman)/;

/** IPv4 addresses of this machine, loopback left out. */
function ownAddresses(): string[] {
  return Object.entries(networkInterfaces())
    .filter(([name]) => !VIRTUAL_INTERFACE.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter((entry) => entry.family === 'IPv4' && !entry.internal)
    .map((entry) => entry.address)
    .toSorted();
}

const stopped: Outcome = {
  kind: 'unknown',
  scope: 'call',
  code: 'Hostler.Stopped',
  message: 'stopped while the launch options were looked up',
};

/** The shared promise, or an end for this caller alone when its signal aborts. */
async function untilAborted<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const stop = (): void => aborted.reject(refusal('resolve', stopped));
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([shared, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    // The look-up may still fail after this caller left; its other callers hear of it.
    shared.catch(() => undefined);
  }
}
