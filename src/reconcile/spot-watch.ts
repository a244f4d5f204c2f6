// Looks at what EC2 tells about spot: the requests of each site (open ones, and which machine is taken back), and the
// queues that pools name. Each source is optional: without the right to ask, the others and the listings go on.
// Must not wait in the loop: it wakes it.
// Trap: with many machines a look is pages long; where every pool of a site has a queue, looks are a minute apart.
import type { CloudSite } from '../domain/config.ts';
import { messageOf } from '../domain/error.ts';
import type { Notice } from '../domain/notice.ts';
import { outcomeOf } from '../domain/outcome.ts';
import { noticesOfRequests } from '../domain/spot-request.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Notices } from '../ports/notices.ts';
import { followRequests } from './follow-requests.ts';
import type { StrayRequests } from './stray-requests.ts';
import { type NoticeDeps, takeNotice } from './take-notice.ts';
import { createPriceWatch } from './watch-prices.ts';

/** A notice comes two minutes ahead; EC2's guide advises to look every 5 s. */
const LOOK_EVERY_MS: DurationMs = 5 * SECOND_MS;
/** Where a queue brings notices, looks only follow what is left over. */
const SLOW_EVERY_MS: DurationMs = MINUTE_MS;
/** Open requests of ours that nobody waits for are looked for this often, also while no machine stands. */
const SWEEP_EVERY_MS: DurationMs = 3 * MINUTE_MS;
/** Who is due is looked up this often. */
const ROUND_MS: DurationMs = SECOND_MS;
/** All pages of one look. */
const LIST_LIMIT_MS: DurationMs = 30 * SECOND_MS;
/** Pauses after failures: doubled up to this; a missing right is asked for again as rarely. */
const LONGEST_PAUSE_MS: DurationMs = 10 * MINUTE_MS;

type WatchDeps = NoticeDeps & { sites(): CloudSite[]; strays: StrayRequests; notices?: Notices };

export type SpotWatch = { run(signal: AbortSignal): Promise<void> };

type Look = { at: DurationMs; failures: number; underWay: boolean };

/** How long until the next look; null = there is nothing to look for. */
function everyMs({ store, config, strays }: WatchDeps, site: string): DurationMs | null {
  const pools = config.get().pools.filter(({ launch }) => launch.site.key === site);
  const open = store.launches().some((launch) => {
    return launch.state === 'intended' && launch.site === site && launch.request.way === 'spot-request';
  });
  const asks = pools.some(({ launch }) => launch.way === 'spot-request');
  if (open || (asks && strays.view(site)?.size !== 0)) return LOOK_EVERY_MS;
  const standing = store.machines().some((machine) => {
    const isUp = machine.phase !== 'gone' && machine.phase !== 'terminating' && machine.instance !== null;
    return isUp && machine.site === site && machine.offering.market === 'spot';
  });
  if (standing)
    return pools.length > 0 && pools.every((pool) => pool.interruptionQueue !== null)
      ? SLOW_EVERY_MS
      : LOOK_EVERY_MS;
  return asks ? SWEEP_EVERY_MS : null;
}

function pauseAfter(failures: number, firstMs: DurationMs, mostMs = LONGEST_PAUSE_MS): DurationMs {
  return failures === 0 ? firstMs : Math.min(mostMs, firstMs * 2 ** Math.min(failures, 10));
}

/** One look at the requests of a site, acted upon. */
async function lookAt(deps: WatchDeps, site: CloudSite): Promise<void> {
  const { cloud, clock, config, stop, sightings, strays } = deps;
  const { owner } = config.get().settings;
  const requests = await cloud.listSpotRequests(site, owner, clock.timeout(LIST_LIMIT_MS, stop));
  const view = sightings.view(site.key);
  const down = new Set(
    (view.kind === 'failed' ? [] : view.value)
      .filter(({ state }) => state !== 'running' && state !== 'pending')
      .map(({ id }) => id),
  );
  for (const notice of noticesOfRequests(requests, (id) => !down.has(id))) takeNotice(deps, notice);
  strays.shown(site.key, requests);
  await followRequests(deps, site, requests);
}

function createRequestLooks(deps: WatchDeps): (signal: AbortSignal) => void {
  const looks = new Map<string, Look>();
  return (signal) => {
    const now = deps.clock.monotonic();
    for (const site of deps.sites()) {
      const every = everyMs(deps, site.key);
      const look = looks.get(site.key) ?? { at: Number.NEGATIVE_INFINITY, failures: 0, underWay: false };
      looks.set(site.key, look);
      if (every === null || look.underWay) continue;
      // Before the first look pools may have to wait for it.
      const most = deps.strays.isSeen(site.key) ? LONGEST_PAUSE_MS : MINUTE_MS;
      if (now - look.at < pauseAfter(look.failures, every, most)) continue;
      Object.assign(look, { at: now, underWay: true });
      void lookAt(deps, site)
        .then(() => {
          look.failures = 0;
        })
        .catch((error: unknown) => {
          const isDenied = outcomeOf(error)?.kind === 'denied';
          if (isDenied) deps.strays.denied(site.key);
          look.failures += isDenied ? 10 : 1;
          if (!signal.aborted)
            deps.log.warn('spot requests cannot be looked at; interruptions show later', {
              site: site.key,
              error: messageOf(error),
            });
        })
        .finally(() => {
          look.underWay = false;
          deps.nudge();
        });
    }
  };
}

/** A state that listings will show soon: look now, so that the loss of a host is known at once. */
function lookSoon(deps: WatchDeps, site: CloudSite, notices: readonly Notice[]): void {
  const known = new Set(deps.store.machines().map(({ instance }) => instance));
  if (!notices.some(({ kind, instance }) => kind === 'state' && known.has(instance))) return;
  deps.track(
    deps.sightings.sweep(site).then(
      () => deps.nudge(),
      () => undefined,
    ),
  );
}

/** Polls one queue until no pool names it any more. */
async function pollQueue(
  deps: WatchDeps,
  port: Notices,
  queue: { site: CloudSite; url: string; isNamed(): boolean },
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted && queue.isNamed()) {
    try {
      const batch = await port.poll(queue, signal);
      for (const notice of batch.notices) takeNotice(deps, notice);
      lookSoon(deps, queue.site, batch.notices);
      if (batch.notices.length + batch.ignored > 0) await batch.acknowledge(signal);
      failures = 0;
    } catch (error) {
      failures++;
      if (signal.aborted) return;
      if (failures === 1)
        deps.log.warn('the queue of interruptions cannot be read', { error: messageOf(error) });
      await deps.clock.sleep(pauseAfter(failures, SECOND_MS), signal);
    }
  }
}

function createQueuePolls(deps: WatchDeps): (signal: AbortSignal) => void {
  const { notices: port, config } = deps;
  const underWay = new Set<string>();
  if (port === undefined) return () => undefined;
  return (signal) => {
    for (const pool of config.get().pools) {
      const url = pool.interruptionQueue;
      if (url === null || underWay.has(url)) continue;
      underWay.add(url);
      const isNamed = () => config.get().pools.some(({ interruptionQueue }) => interruptionQueue === url);
      const polling = pollQueue(deps, port, { site: pool.launch.site, url, isNamed }, signal);
      deps.track(polling.finally(() => underWay.delete(url)));
    }
  };
}

/** The watch of one daemon over spot machines. */
export function createSpotWatch(deps: WatchDeps): SpotWatch {
  const lookAtRequests = createRequestLooks(deps);
  const pollQueues = createQueuePolls(deps);
  const askPrices = createPriceWatch(deps);
  return {
    async run(signal) {
      while (!signal.aborted) {
        lookAtRequests(signal);
        pollQueues(signal);
        askPrices();
        await deps.clock.sleep(ROUND_MS, signal);
      }
    },
  };
}
