// What it means that EC2 ended an instance while it started, by the reason that its listing shows: the launch call went well,
// and the next one would too.
// Trap: an end that a person or hostler asked for is no failure, nor is EC2's taking a spot machine back.
import type { Outcome, OutcomeScope } from './outcome.ts';

/** EC2's state reason codes (API reference "StateReason") that speak of the start, with how far they reach and a hint. */
const reasons: Readonly<Record<string, readonly [OutcomeScope, string]>> = {
  'Server.InsufficientInstanceCapacity': ['offering', 'EC2 had no room for it after all'],
  'Server.InternalError': ['offering', 'an error inside EC2'],
  'Client.VolumeLimitExceeded': ['account', "the account's quota of EBS storage is used up"],
  'Client.InternalError': ['pool', 'often a KMS key of its disk that EC2 may not use'],
  'Client.InvalidSnapshot.NotFound': ['pool', 'the snapshot of its image is gone, or may not be used'],
};

/** The failure behind the end of a starting instance; null = none that a further launch would meet again. */
export function outcomeOfBootEnd(stateReason: unknown): Outcome | null {
  const found = typeof stateReason === 'string' ? reasons[stateReason] : undefined;
  if (found === undefined || typeof stateReason !== 'string') return null;
  const [scope, hint] = found;
  return {
    kind: 'boot-ended',
    scope,
    code: stateReason,
    message: `its instance ended while it started: ${hint}`,
  };
}
