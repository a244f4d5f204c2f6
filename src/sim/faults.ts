// Failures on purpose: a rule is a code, a rate, and the action it hits. Codes are EC2's own; those that begin with
// `Server.` or `Client.` let a launched instance end while pending, with that state reason; a few lower-case names
// stand for what no code names (a lost answer, a host that never boots).
// Trap: rules are drawn in the order they were set, one draw a rule and call, so that a seed repeats.
import { Ec2Error } from './ec2-error.ts';
import type { Seeded } from './seeded.ts';

export type FaultRule = {
  code: string;
  /** Share of calls (or launched instances) hit: 0 to 1; 0 removes the rule. */
  rate: number;
  /** null: where the code belongs. */
  action: string | null;
};

/** The call is done, then the connection breaks. */
export const LOST_ANSWER = 'lost-answer';
/** The call is done and answered with 200 and nothing. */
export const EMPTY_ANSWER = 'empty-answer';
/** The instance runs, its host never answers. */
export const NEVER_BOOTS = 'never-boots';

const ANSWERS: readonly string[] = [LOST_ANSWER, EMPTY_ANSWER];
const words = new Set([...ANSWERS, NEVER_BOOTS]);

// What any call may come to; all other codes belong to RunInstances unless the rule names an action.
const general =
  /^(RequestLimitExceeded|EC2ThrottledException|Throttling.*|Internal(Error|Failure)|(Service)?Unavailable|AuthFailure|UnauthorizedOperation|AccessDenied.*|ExpiredToken|OptInRequired|Blocked|PendingVerification|RequestExpired)$/;

const messages: Readonly<Record<string, string>> = {
  InsufficientInstanceCapacity:
    'We currently do not have sufficient capacity in the Availability Zone you requested.',
  RequestLimitExceeded: 'Request limit exceeded.',
  InternalError: 'An internal error has occurred',
  Unavailable: 'The service is unavailable. Please try again shortly.',
  AuthFailure: 'AWS was not able to validate the provided access credentials',
  UnauthorizedOperation: 'You are not authorized to perform this operation.',
  MaxSpotInstanceCountExceeded: 'Max spot instance count exceeded',
  VcpuLimitExceeded: 'You have requested more vCPU capacity than your current vCPU limit allows.',
};

export type Faults = {
  /** Sets, replaces or (rate 0) removes a rule. Throws a RangeError with one line for a bad one. */
  set(rule: FaultRule): void;
  /** Throws when a rule hits this call. `general`: failures of any call; `own`: those that belong to the action. */
  strike(action: string, kind: 'general' | 'own'): void;
  /** How this call's answer fails after the call is done, or null. */
  answer(action: string): string | null;
  /** What befalls one launched instance. */
  instance(): { neverBoots: boolean; stateReason: string | null };
};

/** A rule's faults in words, or null when it is fine. */
function wrong(rule: FaultRule): string | null {
  if (!words.has(rule.code) && !/^[A-Z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*$/.test(rule.code)) {
    return `no EC2 error code: ${JSON.stringify(rule.code)} (a code like InsufficientInstanceCapacity, or ${[...words].join(', ')})`;
  }
  if (!(rule.rate >= 0 && rule.rate <= 1)) return `a rate is a number from 0 to 1, not ${rule.rate}`;
  return null;
}

const endsInstance = (code: string): boolean => /^(Server|Client)\./.test(code);

export function createFaults(random: Seeded): Faults {
  let rules: FaultRule[] = [];
  const hit = (rule: FaultRule): boolean => rule.rate > 0 && random.float() < rule.rate;

  return {
    set(rule) {
      const fault = wrong(rule);
      if (fault !== null) throw new RangeError(fault);
      rules = rules.filter((other) => other.code !== rule.code || other.action !== rule.action);
      if (rule.rate > 0) rules.push({ ...rule });
    },
    strike(action, kind) {
      for (const rule of rules) {
        if (words.has(rule.code) || endsInstance(rule.code)) continue;
        const isGeneral = general.test(rule.code);
        if (isGeneral !== (kind === 'general')) continue;
        const home = rule.action ?? (isGeneral ? action : 'RunInstances');
        if (home !== action || !hit(rule)) continue;
        throw new Ec2Error(rule.code, messages[rule.code] ?? `${rule.code}: refused on purpose.`);
      }
    },
    answer(action) {
      const rule = rules.find(
        (one) => ANSWERS.includes(one.code) && (one.action ?? 'RunInstances') === action && hit(one),
      );
      return rule?.code ?? null;
    },
    instance() {
      let neverBoots = false;
      let stateReason: string | null = null;
      for (const rule of rules) {
        if (rule.code === NEVER_BOOTS && hit(rule)) neverBoots = true;
        else if (endsInstance(rule.code) && hit(rule)) stateReason ??= rule.code;
      }
      return { neverBoots, stateReason };
    },
  };
}
