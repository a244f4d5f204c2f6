// Every error code that the facts about EC2 name, and what hostler makes of it.
import { describe, expect, test } from 'vitest';
import { outcomeOfError, spoilsResolution } from '../../../../src/adapters/aws/errors.ts';
import { outcomeOf, refusal } from '../../../../src/domain/outcome.ts';

/** As the SDK throws it. */
function thrown(name: string, fault: 'client' | 'server' | null = 'client', message = 'words'): Error {
  return Object.assign(new Error(message), {
    name,
    ...(fault !== null && { $fault: fault, $metadata: { httpStatusCode: fault === 'client' ? 400 : 500 } }),
  });
}

const table: Record<string, [kind: string, scope: string]> = {
  InsufficientInstanceCapacity: ['insufficient-capacity', 'offering'],
  InsufficientCapacity: ['insufficient-capacity', 'offering'],
  InsufficientAddressCapacity: ['insufficient-capacity', 'offering'],
  InsufficientHostCapacity: ['insufficient-capacity', 'offering'],
  InsufficientVolumeCapacity: ['insufficient-capacity', 'offering'],
  UnfulfillableCapacity: ['insufficient-capacity', 'offering'],
  MaxFleetCountExceeded: ['insufficient-capacity', 'offering'],
  ReservationCapacityExceeded: ['insufficient-capacity', 'offering'],
  'Server.InsufficientInstanceCapacity': ['insufficient-capacity', 'offering'],
  Unsupported: ['unsupported', 'offering'],
  MaxSpotInstanceCountExceeded: ['quota', 'market'],
  VcpuLimitExceeded: ['quota', 'market'],
  InstanceLimitExceeded: ['quota', 'market'],
  SpotMaxPriceTooLow: ['price', 'offering'],
  InsufficientFreeAddressesInSubnet: ['subnet-full', 'subnet'],
  RequestLimitExceeded: ['throttled', 'account'],
  EC2ThrottledException: ['throttled', 'account'],
  Throttling: ['throttled', 'account'],
  ThrottlingException: ['throttled', 'account'],
  InternalError: ['unknown', 'call'],
  InternalFailure: ['unknown', 'call'],
  Unavailable: ['unknown', 'call'],
  ServiceUnavailable: ['unknown', 'call'],
  ResourceCountExceeded: ['batch-too-big', 'call'],
  RequestResourceCountExceeded: ['batch-too-big', 'call'],
  VolumeLimitExceeded: ['quota', 'account'],
  MaxIOPSLimitExceeded: ['quota', 'account'],
  'Client.VolumeLimitExceeded': ['quota', 'account'],
  UnauthorizedOperation: ['denied', 'pool'],
  AccessDeniedException: ['denied', 'pool'],
  AuthFailure: ['denied', 'account'],
  ExpiredToken: ['denied', 'account'],
  RequestExpired: ['denied', 'account'],
  OptInRequired: ['denied', 'account'],
  Blocked: ['denied', 'account'],
  PendingVerification: ['denied', 'account'],
  'AuthFailure.ServiceLinkedRoleCreationNotPermitted': ['denied', 'market'],
  InvalidParameterValue: ['invalid', 'pool'],
  InvalidParameterCombination: ['invalid', 'pool'],
  MissingParameter: ['invalid', 'pool'],
  InvalidBlockDeviceMapping: ['invalid', 'pool'],
  'InvalidUserData.Malformed': ['invalid', 'pool'],
  'InvalidAMIID.Malformed': ['invalid', 'pool'],
  'InvalidAMIID.NotFound': ['invalid', 'pool'],
  'InvalidAMIID.Unavailable': ['invalid', 'pool'],
  'InvalidSubnetID.NotFound': ['invalid', 'pool'],
  'InvalidGroup.NotFound': ['invalid', 'pool'],
  'InvalidKeyPair.NotFound': ['invalid', 'pool'],
  'InvalidSnapshot.NotFound': ['invalid', 'pool'],
  'InvalidZone.NotFound': ['invalid', 'pool'],
  'InvalidLaunchTemplateName.NotFoundException': ['invalid', 'pool'],
  'InvalidLaunchTemplateId.NotFound': ['invalid', 'pool'],
  IdempotentParameterMismatch: ['token-mismatch', 'call'],
  IdempotentInstanceTerminated: ['token-ended', 'call'],
  'InvalidInstanceID.NotFound': ['not-found', 'call'],
  IncorrectInstanceState: ['protected', 'call'],
  IncorrectSpotRequestState: ['protected', 'call'],
  OperationNotPermitted: ['protected', 'call'],
};

describe('error codes', () => {
  test.each(Object.entries(table))('%s is known', (code, [kind, scope]) => {
    // The fault is the wrong one on purpose: the code counts.
    expect(outcomeOfError(thrown(code, 'server'))).toEqual({ kind, scope, code, message: 'words' });
  });

  test('unknown codes are sorted by whose fault the SDK says it is', () => {
    expect(outcomeOfError(thrown('BrandNewRefusal', 'client'))).toMatchObject({
      kind: 'invalid',
      scope: 'pool',
    });
    expect(outcomeOfError(thrown('BrandNewTrouble', 'server'))).toMatchObject({
      kind: 'unknown',
      scope: 'call',
    });
  });

  test('missing credentials are a refusal, not a lost answer', () => {
    expect(outcomeOfError(thrown('CredentialsProviderError', null))).toMatchObject({
      kind: 'denied',
      scope: 'account',
    });
  });

  test.each([
    [thrown('Unknown', 'server'), 'LostAnswer.Unreadable'],
    [thrown('AbortError', null), 'LostAnswer.Aborted'],
    [thrown('TimeoutError', null), 'LostAnswer.Timeout'],
    [thrown('SyntaxError', null), 'LostAnswer.Unreadable'],
    [Object.assign(thrown('TimeoutError', null), { code: 'ECONNRESET' }), 'LostAnswer.Reset'],
    [Object.assign(thrown('Error', null), { code: 'ECONNREFUSED' }), 'LostAnswer.Refused'],
    [Object.assign(thrown('Error', null), { code: 'ENOTFOUND' }), 'LostAnswer.NoName'],
    ['a text', 'LostAnswer.Other'],
    [null, 'LostAnswer.Other'],
  ])('%s is a lost answer', (error, code) => {
    expect(outcomeOfError(error)).toMatchObject({ kind: 'unknown', scope: 'call', code });
  });

  test('a refusal keeps its outcome on the way through a port', () => {
    const outcome = outcomeOfError(thrown('VcpuLimitExceeded'));
    const error = refusal('RunInstances', outcome);
    expect(error.message).toBe('RunInstances: VcpuLimitExceeded: words');
    expect(outcomeOf(error)).toBe(outcome);
    expect(outcomeOfError(error)).toBe(outcome);
    expect(outcomeOf(new Error('other'))).toBeNull();
  });

  test('messages carry no encoded policy, no signed request and no token', () => {
    const denied = thrown(
      'UnauthorizedOperation',
      'client',
      'You may not.\n Encoded authorization failure message: AbCd1234',
    );
    expect(outcomeOfError(denied).message).toBe('You may not.');
    const signature = thrown(
      'SignatureDoesNotMatch',
      'client',
      "Does not match. The Canonical String for this request should have been\n'POST x-amz-security-token:s3cr3t'",
    );
    expect(outcomeOfError(signature).message).toBe('Does not match.');
    expect(outcomeOfError(thrown('X', 'client', 'x-amz-security-token:s3cr3t end')).message).not.toContain(
      's3cr3t',
    );
  });

  test('only what a launch named wrongly spoils what it was resolved to', () => {
    expect(spoilsResolution(outcomeOfError(thrown('InvalidAMIID.NotFound')))).toBe(true);
    expect(spoilsResolution(outcomeOfError(thrown('InsufficientInstanceCapacity')))).toBe(false);
    expect(spoilsResolution(outcomeOfError(thrown('UnauthorizedOperation')))).toBe(false);
  });
});
