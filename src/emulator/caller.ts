// Who calls: access key, region and service as a signed request names them, in its header or in its address. Signatures
// are not checked; the emulator takes any credentials, or exactly one access key.

export type Caller = { accessKey: string; region: string; service: string };

/** Where a call without a signature goes (a look by hand with curl). */
export const unsigned: Caller = { accessKey: '', region: 'us-east-1', service: 'ec2' };

const scope = /^([^/,\s]{1,128})\/\d{8}\/([a-z0-9-]{1,40})\/([a-z0-9-]{1,40})\/aws4_request/;

/**
 * Reads `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …` of the header, else `X-Amz-Credential` of
 * the address; null when there is neither.
 */
export function callerOf(call: { authorization: string | undefined; search: string }): Caller | null {
  const inHeader = /^AWS4-HMAC-SHA256\s+Credential=(\S{1,300})/.exec(call.authorization ?? '')?.[1];
  const credential = inHeader ?? new URLSearchParams(call.search).get('X-Amz-Credential') ?? '';
  const found = scope.exec(credential);
  if (found === null) return null;
  const [, accessKey = '', region = '', service = ''] = found;
  return { accessKey, region, service };
}
