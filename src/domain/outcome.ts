// What an EC2 call can come to, in a few named kinds. adapters/aws/errors.ts maps codes to these; the planner knows only these.
// Trap: `unknown` means that the call may have happened; only the same token or a listing can tell.
import { HostlerError } from './error.ts';
import type { Offering } from './instance.ts';
import type { Quota } from './offering.ts';

export type OutcomeKind =
  | 'insufficient-capacity' // no such capacity now: this offering rests some minutes
  | 'price' // our cap is below the market
  | 'quota' // vCPU, instance or volume quota: resting until usage falls
  | 'throttled' // EC2 asks for fewer calls: everything slows down
  | 'subnet-full' // no free addresses
  | 'unsupported' // this type or market is not offered there: rests for hours
  | 'batch-too-big' // halve the batch, at once
  | 'interrupted' // EC2 took a spot machine of this offering back: others are taken first for a while
  | 'denied' // credentials or permissions: a permission waits for a reload, or a day
  | 'invalid' // the request itself is wrong (options, AMI, subnet): a configuration error
  | 'not-found' // the instance is not known to EC2
  | 'token-mismatch' // same token, other parameters: our bug
  | 'boot-ended' // EC2 took the launch and ended its instance while it started: disk, key, capacity
  | 'token-ended' // the token's instances are terminated already
  | 'protected' // termination protection or a wrong state: look again
  | 'unknown'; // lost answer, internal error: the same token is asked again

/** How far a failure reaches. */
export type OutcomeScope = 'offering' | 'market' | 'subnet' | 'pool' | 'account' | 'call';

export type Outcome = {
  kind: OutcomeKind;
  scope: OutcomeScope;
  /** EC2's own code, e.g. `InsufficientInstanceCapacity`, or ours for lost answers. */
  code: string;
  /** EC2's message, one line, without secrets. */
  message: string;
  /** The quota that a `quota` outcome of scope `market` met; its id, name and value are in the message too. */
  quota?: Quota;
};

/** Why one offering of a launch gave nothing, or less than asked; null = no single offering's fault. */
export type Refusal = { offering: Offering | null; subnetId: string | null; outcome: Outcome };

/** A remembered failure: what rests, since when, until when. Survives a restart (design §9). */
export type Rest = {
  /**
   * `offering:<offeringKey>`, `market:spot`, `market:spot/standard` (a quota), `subnet:<id>`, `pool:<id>`, `account`:
   * prefixed by `<site>/`.
   */
  key: string;
  outcome: Outcome;
  /** Failures in a row. */
  failures: number;
  since: number;
  until: number;
  /** A quota's: machines that stood under its key when it was met. */
  usage?: number;
};

/** The error that carries an outcome over a port that throws: `cloud-refused`, readable, the outcome as its cause. */
export function refusal(action: string, outcome: Outcome): HostlerError {
  return new HostlerError('cloud-refused', `${action}: ${outcome.code}: ${outcome.message}`, {
    where: action,
    cause: outcome,
  });
}

/** The outcome behind an error made by `refusal`, or null for any other error. */
export function outcomeOf(error: unknown): Outcome | null {
  if (!(error instanceof HostlerError) || error.code !== 'cloud-refused') return null;
  const { cause } = error;
  return typeof cause === 'object' && cause !== null && 'kind' in cause && 'scope' in cause
    ? (cause as Outcome)
    : null;
}
