// Completes a quota's refusal for people: the quota's id, name and value. EC2 names the value of an on-demand quota only;
// that of a spot quota is asked of Service Quotas, once, and remembered for minutes.
// Trap: the right to ask is optional. Without it the refusal says so; a launch's answer never fails over it.
import { messageOf } from '../../domain/error.ts';
import type { Quota } from '../../domain/offering.ts';
import { type Outcome, outcomeOf } from '../../domain/outcome.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LaunchAnswer } from '../../ports/cloud.ts';
import type { SiteCalls } from './site-calls.ts';

/** A quota changes when a person asked for it, or as EC2 raises it with use: hours apart. */
const KEPT_MS: DurationMs = 10 * MINUTE_MS;

/** The launch's answer waits for this long at most. */
const LIMIT_MS: DurationMs = 5 * SECOND_MS;

type Deps = { site: string; calls: SiteCalls; signal: AbortSignal };

/** What is known of a quota's value, in vCPUs. */
type Value = { vcpus: number } | { why: string };

export type QuotaValues = {
  /** The answer with every quota's refusal in full words. Never throws. */
  complete(answer: LaunchAnswer, deps: Deps): Promise<LaunchAnswer>;
};

/** GetServiceQuota. Throws `cloud-refused`. */
async function ask(id: string, { calls, signal }: Deps): Promise<Value> {
  const { GetServiceQuotaCommand } = await import('@aws-sdk/client-service-quotas');
  const command = new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: id });
  const answer = await calls.call(
    { action: 'GetServiceQuota', signal, maxWaitMs: LIMIT_MS },
    async (clients, limit) => (await clients.quotas()).send(command, { abortSignal: limit }),
  );
  const vcpus = answer.Quota?.Value;
  return vcpus === undefined ? { why: 'Service Quotas names none' } : { vcpus };
}

/** A refusal with its quota's id, name and value in the message; one that names no quota as it is. */
export function quotaInWords(outcome: Outcome, value: Value): Outcome {
  const { quota } = outcome;
  if (quota === undefined) return outcome;
  const bare = outcome.message.replace(/[\s.]+$/, '');
  const what = 'vcpus' in value ? `${value.vcpus} vCPUs` : `value not known, ${value.why}`;
  return {
    ...outcome,
    quota: { ...quota, vcpus: 'vcpus' in value ? value.vcpus : null },
    message: `${bare} (quota ${quota.id}, ${quota.name}: ${what})`,
  };
}

/** One for all sites. */
export function createQuotaValues(clock: Clock): QuotaValues {
  /** By site and id. */
  const known = new Map<string, { at: DurationMs; value: Promise<Value> }>();

  function valueOf({ id, market, vcpus }: Quota, deps: Deps): Value | Promise<Value> {
    if (vcpus !== null) return { vcpus };
    if (market === 'on-demand') return { why: 'EC2 did not tell it' };
    const key = `${deps.site}/${id}`;
    const kept = known.get(key);
    if (kept !== undefined && clock.monotonic() - kept.at < KEPT_MS) return kept.value;
    const value = ask(id, { ...deps, signal: clock.timeout(LIMIT_MS, deps.signal) }).catch(
      (error: unknown): Value => ({ why: `GetServiceQuota: ${outcomeOf(error)?.code ?? messageOf(error)}` }),
    );
    known.set(key, { at: clock.monotonic(), value });
    return value;
  }

  async function told(outcome: Outcome, deps: Deps): Promise<Outcome> {
    const { quota } = outcome;
    return quota === undefined ? outcome : quotaInWords(outcome, await valueOf(quota, deps));
  }

  return {
    async complete(answer, deps) {
      const inFull = (outcome: Outcome) => told(outcome, deps);
      if (answer.kind === 'unknown') return answer;
      const { refusals } = answer;
      const all =
        refusals === undefined
          ? {}
          : {
              refusals: await Promise.all(
                refusals.map(async (one) => ({ ...one, outcome: await inFull(one.outcome) })),
              ),
            };
      if (answer.kind === 'launched') return { ...answer, ...all };
      return { ...answer, outcome: await inFull(answer.outcome), ...all };
    },
  };
}
