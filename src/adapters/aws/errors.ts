// Every failure of an EC2 or SSM call becomes an Outcome here and nowhere else. The table is EC2's codes; what is not in
// it is sorted by the SDK's $fault; what has neither is a lost answer.
// Trap: capacity and throttling are both "server" errors on the wire (HTTP 500, 503), so the code counts, not the status.
// Trap: messages may hold signed strings or encoded policies; only the readable part goes on.
import { messageOf } from '../../domain/error.ts';
import type { Offering } from '../../domain/instance.ts';
import { quotaOf } from '../../domain/offering.ts';
import { type Outcome, type OutcomeKind, type OutcomeScope, outcomeOf } from '../../domain/outcome.ts';

type Sorted = readonly [OutcomeKind, OutcomeScope];

const capacity: Sorted = ['insufficient-capacity', 'offering'];
const marketQuota: Sorted = ['quota', 'market'];
const accountQuota: Sorted = ['quota', 'account'];
const throttled: Sorted = ['throttled', 'account'];
const unknown: Sorted = ['unknown', 'call'];
const credentials: Sorted = ['denied', 'account'];
/** Permissions can be missing for one pool's role, subnet or AMI only, so a refusal reaches no further than the pool. */
const permission: Sorted = ['denied', 'pool'];
const invalid: Sorted = ['invalid', 'pool'];

/** EC2's codes (API reference "Error codes", and what fleets and throttling use besides). Exported for its test. */
export const outcomeTable: Readonly<Record<string, Sorted>> = {
  InsufficientInstanceCapacity: capacity,
  InsufficientCapacity: capacity,
  InsufficientHostCapacity: capacity,
  InsufficientCapacityOnHost: capacity,
  InsufficientReservedInstanceCapacity: capacity,
  InsufficientVolumeCapacity: capacity,
  InsufficientAddressCapacity: capacity,
  UnfulfillableCapacity: capacity,
  MaxFleetCountExceeded: capacity,
  ReservationCapacityExceeded: capacity,
  Unsupported: ['unsupported', 'offering'],
  UnsupportedOperation: ['unsupported', 'offering'],
  SpotMaxPriceTooLow: ['price', 'offering'],
  InsufficientFreeAddressesInSubnet: ['subnet-full', 'subnet'],
  MaxSpotInstanceCountExceeded: marketQuota,
  VcpuLimitExceeded: marketQuota,
  InstanceLimitExceeded: marketQuota,
  ResourceLimitExceeded: marketQuota,
  TargetCapacityLimitExceededException: marketQuota,
  MaxSpotFleetRequestCountExceeded: marketQuota,
  VolumeLimitExceeded: accountQuota,
  MaxIOPSLimitExceeded: accountQuota,
  NetworkInterfaceLimitExceeded: accountQuota,
  RequestLimitExceeded: throttled,
  EC2ThrottledException: throttled,
  Throttling: throttled,
  ThrottlingException: throttled,
  ThrottledException: throttled,
  RequestThrottled: throttled,
  RequestThrottledException: throttled,
  TooManyRequestsException: throttled,
  InternalError: unknown,
  InternalFailure: unknown,
  InternalServerError: unknown,
  Unavailable: unknown,
  ServiceUnavailable: unknown,
  ServiceUnavailableException: unknown,
  RequestTimeout: unknown,
  RequestTimeoutException: unknown,
  ResourceCountExceeded: ['batch-too-big', 'call'],
  RequestResourceCountExceeded: ['batch-too-big', 'call'],
  UnauthorizedOperation: permission,
  AccessDenied: permission,
  AccessDeniedException: permission,
  AuthFailure: credentials,
  'AuthFailure.ServiceLinkedRoleCreationNotPermitted': ['denied', 'market'],
  ExpiredToken: credentials,
  ExpiredTokenException: credentials,
  RequestExpired: credentials,
  InvalidClientTokenId: credentials,
  UnrecognizedClientException: credentials,
  MissingAuthenticationToken: credentials,
  IncompleteSignature: credentials,
  SignatureDoesNotMatch: credentials,
  OptInRequired: credentials,
  Blocked: credentials,
  PendingVerification: credentials,
  CredentialsProviderError: credentials,
  TokenProviderError: credentials,
  MissingParameter: invalid,
  IdempotentParameterMismatch: ['token-mismatch', 'call'],
  IdempotentInstanceTerminated: ['token-ended', 'call'],
  'InvalidInstanceID.NotFound': ['not-found', 'call'],
  'InvalidInstanceID.Malformed': ['not-found', 'call'],
  'InvalidSpotInstanceRequestID.NotFound': ['not-found', 'call'],
  'InvalidVolume.NotFound': ['not-found', 'call'],
  VolumeInUse: ['protected', 'call'],
  IncorrectInstanceState: ['protected', 'call'],
  IncorrectSpotRequestState: ['protected', 'call'],
  OperationNotPermitted: ['protected', 'call'],
};

/** Beginnings of codes, for what the table does not name. `Invalid`: parameters, AMIs, subnets, groups, key pairs, templates. */
const families: readonly (readonly [string, Sorted])[] = [
  ['Throttl', throttled],
  ['AccessDenied', permission],
  ['AuthFailure', credentials],
  ['Invalid', invalid],
];

/** Our codes for answers that never came or cannot be read. All are `unknown`: the call may have happened. */
const lostCodes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'LostAnswer.Refused',
  ENOTFOUND: 'LostAnswer.NoName',
  EAI_AGAIN: 'LostAnswer.NoName',
  ECONNRESET: 'LostAnswer.Reset',
  EPIPE: 'LostAnswer.Reset',
  ETIMEDOUT: 'LostAnswer.Timeout',
};

/** Characters; EC2's longest code has some 60. A stranger's answer may name any. */
const MOST_CODE = 100;

/** What the SDK or Node put on an error; nothing of it is promised. */
type Thrown = { name?: unknown; code?: unknown; $fault?: unknown; $metadata?: { httpStatusCode?: unknown } };

/** The outcome for anything that a call threw. Total: it never throws itself. */
export function outcomeOfError(error: unknown): Outcome {
  const known = outcomeOf(error);
  if (known !== null) return known;
  const thrown: Thrown = typeof error === 'object' && error !== null ? error : {};
  const name =
    typeof thrown.name === 'string' ? thrown.name.replaceAll(/[^\w.-]/g, '').slice(0, MOST_CODE) : '';
  const message = readable(messageOf(error));
  const listed = sortCode(name);
  if (listed !== null) return { kind: listed[0], scope: listed[1], code: name, message };
  if (thrown.$metadata?.httpStatusCode === 429)
    return { kind: 'throttled', scope: 'account', code: name || '429', message };
  if (name !== 'Unknown' && thrown.$fault === 'client')
    return { kind: 'invalid', scope: 'pool', code: name, message };
  if (name !== 'Unknown' && thrown.$fault === 'server') {
    return { kind: 'unknown', scope: 'call', code: name, message };
  }
  return { kind: 'unknown', scope: 'call', code: lostCode(name, thrown), message };
}

/** The outcome for a code that stands inside an answer: a fleet's errors. Unknown codes are EC2's to explain. */
export function outcomeOfCode(code: string, message: string): Outcome {
  const [kind, scope] = sortCode(code) ?? invalid;
  return { kind, scope, code, message: readable(message) };
}

/** True when the launch template that a fleet names is gone: it is made again, once. */
export function isTemplateGone(outcome: Outcome): boolean {
  return /^InvalidLaunchTemplate(Id|Name)\.(NotFound|VersionNotFound)/.test(outcome.code);
}

/**
 * A quota's refusal with the quota that was met, its value where EC2's words hold it ("your current vCPU limit of 32
 * allows …"; for spot they never do). Other outcomes as they are. Its words are completed in quota-values.ts.
 */
export function withQuota(outcome: Outcome, offering: Offering): Outcome {
  if (outcome.kind !== 'quota' || outcome.scope !== 'market' || outcome.quota !== undefined) return outcome;
  const told = /limit of (\d{1,7})\b/.exec(outcome.message)?.[1];
  const quota = quotaOf(offering.type, offering.market, told === undefined ? null : Number(told));
  return { ...outcome, quota };
}

/** An answer that cannot be what it should be (empty, HTML, cut off): never "nothing there". */
export function unreadableAnswer(action: string, why: string): Outcome {
  return {
    kind: 'unknown',
    scope: 'call',
    code: 'LostAnswer.Unreadable',
    message: `${action} answered ${why}`,
  };
}

/** True for codes after which what a launch was resolved to may be stale (image, subnet, group or key gone). */
export function spoilsResolution(outcome: Outcome): boolean {
  return outcome.kind === 'invalid' || outcome.kind === 'not-found' || outcome.kind === 'subnet-full';
}

function sortCode(code: string): Sorted | null {
  const bare = code.replace(/^(Server|Client)\./, '');
  const listed = Object.hasOwn(outcomeTable, bare) ? outcomeTable[bare] : undefined;
  if (listed !== undefined) return listed;
  return families.find(([start]) => bare.startsWith(start))?.[1] ?? null;
}

function lostCode(name: string, thrown: Thrown): string {
  if (name === 'AbortError') return 'LostAnswer.Aborted';
  const byCode = typeof thrown.code === 'string' ? lostCodes[thrown.code] : undefined;
  if (byCode !== undefined) return byCode;
  if (name === 'TimeoutError') return 'LostAnswer.Timeout';
  if (thrown.$metadata !== undefined || name === 'SyntaxError') return 'LostAnswer.Unreadable';
  return 'LostAnswer.Other';
}

/** Cuts what follows the readable part: encoded policies, the signed request that SignatureDoesNotMatch repeats, SDK hints. */
function readable(message: string): string {
  return message
    .replace(/\s*Encoded authorization failure message:.*$/i, '')
    .replace(/\s*The Canonical String for this request.*$/i, '')
    .replace(/\s*Deserialization error: to see the raw response.*$/i, '')
    .replaceAll(/(x-amz-security-token:?\s*)\S+/gi, '$1[secret]')
    .trim();
}
