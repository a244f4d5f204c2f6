// Who calls: access key, region and service as a signed request names them. Signatures are not checked; the emulator
// takes any credentials, or exactly one access key.

export type Caller = { accessKey: string; region: string; service: string };

/** Where a call without a signature goes (a look by hand with curl). */
export const unsigned: Caller = { accessKey: '', region: 'us-east-1', service: 'ec2' };

/** Reads `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`; null when there is none. */
export function callerOf(authorization: string | undefined): Caller | null {
  const found =
    /^AWS4-HMAC-SHA256\s+Credential=([^/,\s]{1,128})\/\d{8}\/([a-z0-9-]{1,40})\/([a-z0-9-]{1,40})\/aws4_request/.exec(
      authorization ?? '',
    );
  if (found === null) return null;
  const [, accessKey = '', region = '', service = ''] = found;
  return { accessKey, region, service };
}
