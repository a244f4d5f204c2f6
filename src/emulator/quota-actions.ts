// Service Quotas in its JSON protocol, as far as a reader of EC2's vCPU quotas needs it: GetServiceQuota.
// Trap: a quota that nobody set has no bound in the emulated account, and no value to show.
import { quotaById } from '../domain/offering.ts';
import type { World } from '../sim/world.ts';

/** An error of Service Quotas: `__type` and HTTP status. */
export class QuotaError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'QuotaError';
    this.code = code;
  }
}

function record(body: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body === '' ? '{}' : body);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
  } catch {
    // Answered below, as everything that is no object.
  }
  throw new QuotaError('IllegalArgumentException', 'The request body is no JSON object.');
}

/** Answers one call of Service Quotas. Throws QuotaError. */
export function answerQuotas(world: World, action: string, body: string): Record<string, unknown> {
  if (action !== 'GetServiceQuota')
    throw new QuotaError('IllegalArgumentException', `The emulator does not serve ${action.slice(0, 60)}.`);
  const { ServiceCode: service, QuotaCode: code } = record(body);
  const quota = service === 'ec2' && typeof code === 'string' ? quotaById(code) : null;
  const value = quota === null ? Number.POSITIVE_INFINITY : world.quotas.of(quota.market, quota.class);
  if (!Number.isFinite(value))
    throw new QuotaError(
      'NoSuchResourceException',
      'The request failed because the specified quota does not exist.',
    );
  return { Quota: { ServiceCode: service, QuotaCode: code, Value: value, Unit: 'None' } };
}
