// The Cloud port over the world's EC2, without XML: the adapter's own call limits, request mapping, batches of terminations
// and outcomes; only the wire is left out. Calls take the time that EC2's take.
// Must not be kinder than EC2: what the adapter would meet (limits, lost answers, lists that lag) is met here.
// Trap: a call that was sent happens, also when its process has died meanwhile.
import { createCallLimits } from '../../adapters/aws/call-limits.ts';
import { outcomeOfError, unreadableAnswer, withQuota } from '../../adapters/aws/errors.ts';
import { quotaInWords } from '../../adapters/aws/quota-values.ts';
import { terminateInstances } from '../../adapters/aws/terminate-instances.ts';
import type { CloudSite } from '../../domain/config.ts';
import { type Instance, TAG } from '../../domain/instance.ts';
import { type Outcome, refusal } from '../../domain/outcome.ts';
import { type DurationMs, HOUR_MS, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Cloud, ResolvedLaunch } from '../../ports/cloud.ts';
import { Ec2Error } from '../../sim/ec2-error.ts';
import type { Region } from '../../sim/region.ts';
import type { Filter } from '../../sim/search.ts';
import type { Seeded } from '../../sim/seeded.ts';
import type { World } from '../../sim/world.ts';
import { instanceOf, runRequestOf } from './cloud-shapes.ts';
import type { NetworkLine } from './network-line.ts';
import { createCloudExtras } from './sim-cloud-extras.ts';
import { placesOf, resolveIn } from './sim-resolve.ts';

/** What goes wrong with one call on purpose; null = nothing. */
export type CallTrouble = 'failed' | 'throttled' | 'lost-answer' | 'duplicated' | 'slow' | null;

export type CloudParts = {
  world: World;
  line: NetworkLine;
  clock: Clock;
  random: Seeded;
  /** Asked once a call, in the order of the calls. */
  trouble(action: string): CallTrouble;
  /** A call has reached EC2 (`ok`) or was refused there for its rate. */
  onCall(action: string, answer: 'ok' | 'throttled' | 'refused'): void;
  /** TerminateInstances is about to work on these. */
  onTerminate(instances: readonly string[]): void;
  /** RunInstances has worked: the instances it brought. */
  onLaunch(token: string, instances: readonly Instance[]): void;
};

/** From and to, half of it each way; facts/ec2.md: launches answer within 2 to 5 s, everything else in tenths of a second. */
const LATENCY: Readonly<Record<string, readonly [DurationMs, DurationMs]>> = {
  RunInstances: [1_500, 4_000],
  TerminateInstances: [300, 900],
};
const USUAL_LATENCY: readonly [DurationMs, DurationMs] = [80, 300];
/** As in adapters/aws: waiting for our own tokens, one call, a listing's page. */
const MAX_WAIT_MS: DurationMs = 10 * SECOND_MS;
const LAUNCH_WAIT_MS: DurationMs = 3 * SECOND_MS;
const CALL_LIMIT_MS: DurationMs = 45 * SECOND_MS;
const PAGE = 1_000;
/** A slow call takes this much longer: from annoying to beyond every limit. */
const SLOW_MS: readonly [DurationMs, DurationMs] = [5 * SECOND_MS, 70 * SECOND_MS];
/** Look-ups of options are remembered for so long. */
const RESOLVED_FOR_MS: DurationMs = HOUR_MS;

type Order = { action: string; signal: AbortSignal; instances?: number; maxWaitMs?: DurationMs };

/** What the adapter would have caught. */
function wireError(error: unknown): unknown {
  if (!(error instanceof Ec2Error)) return error;
  const { code, message, status } = error;
  const thrown = new Error(message);
  return Object.assign(thrown, {
    name: code,
    $fault: status >= 500 ? 'server' : 'client',
    $metadata: { httpStatusCode: status },
  });
}

const isThrottle = (error: unknown) =>
  error instanceof Ec2Error && /^(RequestLimitExceeded|EC2ThrottledException)$/.test(error.code);

/** Calls of one site: our token buckets, the world's door, what goes wrong on the way. */
function createSite(region: Region, parts: CloudParts) {
  const { line, clock, random, trouble, onCall } = parts;
  const limits = createCallLimits(() => clock.monotonic());
  const counts = new Map<string, number>();
  const between = ([from, to]: readonly [number, number]) => from + (to - from) * random.float();

  /** One arrival at EC2. */
  function arrive<T>(action: string, what: (region: Region) => T, isStruck: boolean): T {
    try {
      region.admit({ action, narrowed: true, dryRun: false });
      if (isStruck) throw new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.');
      const answer = what(region);
      onCall(action, 'ok');
      return answer;
    } catch (error) {
      onCall(action, isThrottle(error) && !isStruck ? 'throttled' : 'refused');
      throw error;
    }
  }

  function work<T>(action: string, wrong: CallTrouble, what: (region: Region) => T): T {
    if (wrong === 'failed') throw new Ec2Error('InternalError', 'An internal error has occurred');
    const answer = arrive(action, what, wrong === 'throttled');
    return wrong === 'duplicated' ? arrive(action, what, false) : answer;
  }

  async function call<T>(order: Order, what: (region: Region) => T): Promise<T> {
    const { action, signal, instances = 0, maxWaitMs = MAX_WAIT_MS } = order;
    const waitMs = limits.reserve({ action, instances, maxWaitMs });
    if (waitMs === null) throw refusal(action, ownRate(action));
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    if (signal.aborted) throw refusal(action, notSent(action));
    counts.set(action, (counts.get(action) ?? 0) + 1);
    const wrong = trouble(action);
    const legMs =
      between(LATENCY[action] ?? USUAL_LATENCY) / 2 + (wrong === 'slow' ? between(SLOW_MS) / 2 : 0);
    const limit = clock.timeout(CALL_LIMIT_MS, signal);
    try {
      const answer = await line.ask({
        what: action,
        thereMs: legMs,
        backMs: legMs,
        signal: limit,
        work: () => work(action, wrong, what),
      });
      if (wrong === 'lost-answer') throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      return answer;
    } catch (error) {
      const outcome = outcomeOfError(wireError(error));
      if (outcome.kind === 'throttled') limits.throttled(action);
      throw refusal(action, outcome);
    }
  }

  return { call, limits, counts, region };
}

export type SimSite = ReturnType<typeof createSite>;

/** Our own bucket is empty, as the adapter says it. */
function ownRate(action: string): Outcome {
  const message = `${action} would exceed EC2's published rate`;
  return { kind: 'throttled', scope: 'call', code: 'Hostler.OwnRate', message };
}

function notSent(action: string): Outcome {
  const message = `${action} was stopped before it went out`;
  return { kind: 'unknown', scope: 'call', code: 'Hostler.NotSent', message };
}

async function listBy({ call }: SimSite, filter: Filter, signal: AbortSignal): Promise<Instance[]> {
  const found: Instance[] = [];
  let token: string | null = null;
  do {
    const page: { things: readonly Instance[]; nextToken: string | null } = await call(
      { action: 'DescribeInstances', signal },
      (region) => {
        const { things, nextToken } = region.instances.describe({
          ids: [],
          filters: [filter],
          page: { maxResults: PAGE, nextToken: token },
        });
        return { things: things.map(instanceOf), nextToken };
      },
    );
    found.push(...page.things);
    token = page.nextToken;
  } while (token !== null);
  return found;
}

/** EC2 of a world, as one process reaches it. */
export function createSimCloud(parts: CloudParts): Cloud {
  const { world, clock } = parts;
  const sites = new Map<string, SimSite>();
  const resolved = new Map<string, { value: ResolvedLaunch; until: DurationMs }>();
  const at = (site: CloudSite): SimSite => {
    const known = sites.get(site.key) ?? createSite(world.region(site.region), parts);
    sites.set(site.key, known);
    return known;
  };

  return {
    ...createCloudExtras(at),
    async resolve(spec, signal) {
      const key = JSON.stringify([spec.ami, spec.subnetId, spec.zone, spec.securityGroups, placesOf(spec)]);
      const known = resolved.get(key);
      if (known !== undefined && clock.monotonic() < known.until) return known.value;
      const value = await resolveIn(at(spec.site), spec, signal);
      resolved.set(key, { value, until: clock.monotonic() + RESOLVED_FOR_MS });
      return value;
    },
    async launch(site, order, signal) {
      const action = 'RunInstances';
      const { call, limits } = at(site);
      const { count, token } = order;
      try {
        const instances = await call(
          { action, signal, instances: count, maxWaitMs: LAUNCH_WAIT_MS },
          (region) => {
            const launched = region.runInstances(runRequestOf(order)).map(instanceOf);
            parts.onLaunch(token, launched);
            return launched;
          },
        );
        if (instances.length === 0)
          return { kind: 'unknown', outcome: unreadableAnswer(action, 'without instances') };
        const short = Math.max(0, count - instances.length);
        limits.refundInstances(action, short);
        return { kind: 'launched', instances, short };
      } catch (error) {
        const outcome = outcomeOfError(error);
        if (outcome.kind === 'unknown') return { kind: 'unknown', outcome };
        if (outcome.kind !== 'throttled') limits.refundInstances(action, count);
        if (outcome.kind === 'invalid' || outcome.kind === 'not-found') resolved.clear();
        const told = withQuota(outcome, order.request.offering);
        const vcpus = told.quota === undefined ? 0 : world.quotas.of(told.quota.market, told.quota.class);
        return { kind: 'refused', outcome: quotaInWords(told, { vcpus }) };
      }
    },
    terminate(site, instances, signal) {
      const action = 'TerminateInstances';
      const { call, limits } = at(site);
      return terminateInstances(instances, {
        tokens: () => limits.instances(action),
        send: (ids) =>
          call({ action, signal, instances: ids.length }, (region) => {
            parts.onTerminate(ids);
            return region.terminateInstances(ids).map(({ id }) => id);
          }),
      });
    },
    list: (site, owner, signal) => listBy(at(site), { name: `tag:${TAG.owner}`, values: [owner] }, signal),
    listLaunches: (site, tokens, signal) =>
      tokens.length === 0
        ? Promise.resolve([])
        : listBy(at(site), { name: `tag:${TAG.launch}`, values: tokens }, signal),
    async consoleOutput(site, instance, signal) {
      const read = at(site).call({ action: 'GetConsoleOutput', signal }, (region) =>
        region.instances.console(instance),
      );
      const shown = await read.catch(() => null);
      return shown?.text ?? null;
    },
    budget: (site) => at(site).limits.launchBudget(),
    calls() {
      const total: Record<string, number> = {};
      for (const { counts } of sites.values())
        for (const [action, count] of counts) total[action] = (total[action] ?? 0) + count;
      return total;
    },
  };
}
