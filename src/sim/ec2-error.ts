// An error as EC2 answers it: code, message, HTTP status. Classes matter on the wire: missing capacity is a 500 and
// throttling a 503, though neither is a breakdown.

/** What a call of the emulated EC2 throws; everything else that is thrown is a bug of the world. */
export class Ec2Error extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'Ec2Error';
    this.code = code;
    this.status = statusOf(code);
  }
}

/** Ends a call with EC2's code and words. */
export function refuse(code: string, message: string): never {
  throw new Ec2Error(code, message);
}

// EC2's own list of server errors, and the classes that differ from 400.
const statuses: readonly (readonly [RegExp, number])[] = [
  [/^(RequestLimitExceeded|EC2ThrottledException|Unavailable|ServiceUnavailable)$/, 503],
  [/^Insufficient(Instance|Address|Host|Volume|ReservedInstance)?Capacity$/, 500],
  [/^(InternalError|InternalFailure|ServerInternal)$/, 500],
  [/^AuthFailure$/, 401],
  [/^(UnauthorizedOperation|AccessDenied|AccessDeniedException|MissingAuthenticationToken)$/, 403],
  [/^(OptInRequired|Blocked|PendingVerification|SignatureDoesNotMatch|RequestExpired|ExpiredToken)$/, 403],
  [/^DryRunOperation$/, 412],
];

/** HTTP status that goes with an EC2 error code. */
export function statusOf(code: string): number {
  return statuses.find(([pattern]) => pattern.test(code))?.[1] ?? 400;
}
