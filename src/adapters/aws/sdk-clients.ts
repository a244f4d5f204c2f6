// The SDK's clients for one site, loaded only when the first call goes out (the EC2 package costs 0.2 s and 90 MB).
// Every limit that keeps a call from hanging is set here; retry is the planner's, so every client makes one attempt.
// Trap: `requestTimeout` alone only warns; it needs `throwOnRequestTimeout`. A stalled body needs `socketTimeout`.
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { CloudSite } from '../../domain/config.ts';
import type { EpochMs } from '../../domain/units.ts';

/** Separate clients, so that a slow listing never stands before a launch in one connection pool. */
export type SdkClients = {
  launch: EC2Client;
  terminate: EC2Client;
  describe: EC2Client;
  ssm: SSMClient;
  /** Loaded when it is first asked for: most installations never meet a quota. */
  quotas(): Promise<ServiceQuotasClient>;
  /** Ends kept connections. */
  destroy(): void;
};

/** Told EC2's time with each of its answers. */
export type TimeHeard = (at: EpochMs) => void;

/** What the middleware needs of a client; the SDK's own types name each client's requests. */
type Listening = {
  middlewareStack: {
    add(
      middleware: (next: (args: object) => Promise<object>) => (args: object) => Promise<object>,
      options: { step: 'deserialize'; name: string },
    ): void;
  };
};

/** Reads the Date header of every answer, refusals too. */
export function listenForTime(client: object, heard: TimeHeard): void {
  const { middlewareStack } = client as Listening;
  const listen = (next: (args: object) => Promise<object>) => async (args: object) => {
    const result = await next(args);
    const { response } = result as { response?: { headers?: Readonly<Record<string, string>> } };
    const at = Date.parse(response?.headers?.['date'] ?? '');
    if (!Number.isNaN(at)) heard(at);
    return result;
  };
  middlewareStack.add(listen, { step: 'deserialize', name: 'hostlerTime' });
}

/** Milliseconds to connect: EC2's endpoints answer within a few round trips. */
const CONNECT_MS = 3_000;

/** Milliseconds without an answer or without a byte. RunInstances for some hundred machines takes seconds. */
const ANSWER_MS = 30_000;

/** Connections of each client. Calls that queued for one would reach EC2 in a bunch, past their token buckets. */
const MAX_SOCKETS = 64;

/** Makes the clients. `env` decides where SSM and Service Quotas are when the site has an endpoint of its own (an emulator serves all). */
export async function createSdkClients(
  site: CloudSite,
  env: Readonly<Record<string, string | undefined>>,
  heard: TimeHeard,
): Promise<SdkClients> {
  const [ec2, ssm] = await Promise.all([import('@aws-sdk/client-ec2'), import('@aws-sdk/client-ssm')]);
  const shared = await clientSettings(site);
  const ec2Client = () => {
    const client = new ec2.EC2Client({
      ...shared(),
      ...(site.endpoint !== null && { endpoint: site.endpoint }),
    });
    listenForTime(client, heard);
    return client;
  };
  const at = (variable: string) => {
    const endpoint = env[variable] || site.endpoint;
    return { ...shared(), ...(endpoint !== null && { endpoint }) };
  };
  let quotas: Promise<ServiceQuotasClient> | null = null;
  const clients = {
    launch: ec2Client(),
    terminate: ec2Client(),
    describe: ec2Client(),
    ssm: new ssm.SSMClient(at('AWS_ENDPOINT_URL_SSM')),
  };
  return {
    ...clients,
    quotas: () => {
      quotas ??= import('@aws-sdk/client-service-quotas').then(
        ({ ServiceQuotasClient: Client }) => new Client(at('AWS_ENDPOINT_URL_SERVICE_QUOTAS')),
      );
      return quotas;
    },
    destroy: () => {
      for (const client of Object.values(clients)) client.destroy();
      void quotas?.then(
        (client) => client.destroy(),
        () => undefined,
      );
    },
  };
}

/** What every client of a site is made with: region, credentials, time limits, one attempt. A new object for each call. */
export async function clientSettings(site: CloudSite) {
  const credentials = await credentialsOf(site);
  return () => ({
    region: site.region,
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
      socketTimeout: ANSWER_MS,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
    ...(credentials !== null && { credentials }),
  });
}

/** True when both sites would make the same clients. A rotated secret keeps the key of a site but not its clients. */
export function isSameAccess(a: CloudSite, b: CloudSite): boolean {
  return accessText(a) === accessText(b);
}

function accessText(site: CloudSite): string {
  const held =
    site.credentials.kind === 'static'
      ? [
          site.credentials.accessKeyId,
          site.credentials.secretAccessKey.reveal(),
          site.credentials.sessionToken?.reveal(),
        ]
      : [];
  return JSON.stringify([site.region, site.endpoint, site.assumeRoleArn, ...held]);
}

/** null: the SDK's own chain (environment, shared file, container or instance role). */
async function credentialsOf(site: CloudSite) {
  const own =
    site.credentials.kind === 'static'
      ? {
          accessKeyId: site.credentials.accessKeyId,
          secretAccessKey: site.credentials.secretAccessKey.reveal(),
          ...(site.credentials.sessionToken !== null && {
            sessionToken: site.credentials.sessionToken.reveal(),
          }),
        }
      : null;
  if (site.assumeRoleArn === null) return own;
  const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
  return fromTemporaryCredentials({
    params: { RoleArn: site.assumeRoleArn, RoleSessionName: 'hostler' },
    clientConfig: { region: site.region },
    ...(own !== null && { masterCredentials: own }),
  });
}
