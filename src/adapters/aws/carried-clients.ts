// The SDK's clients without HTTP: each request is handed, as the SDK wrote it, to somebody who carries it, and the answer is
// read as the SDK reads EC2's. For worlds in the same process; nothing is signed.
// Traps: everything that the SDK loads or reads when it is first used is loaded with this file, so that later calls wait for
// nothing but their carrier: in virtual time a promise of the real world would let a day pass.
import { DescribeVolumesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { GetServiceQuotaCommand, ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { SdkClients } from './sdk-clients.ts';

/** `target`: service and call of the JSON protocols (`AmazonSSM.GetParameter`); null for EC2, whose body names its action. */
export type CarriedRequest = { target: string | null; body: string };
export type CarriedAnswer = { status: number; body: string };

/** Rejects as a connection does: broken, or given up with the signal's reason. */
export type Carrier = (request: CarriedRequest, signal: AbortSignal) => Promise<CarriedAnswer>;

type Request = { body: string | Uint8Array; headers: Readonly<Record<string, string>> };
type Response = { statusCode: number; headers: Record<string, string>; body: Buffer };

/** What this file needs of an SDK command and client; the types of the middleware are not public. */
type RawCommand = {
  middlewareStack: {
    add(
      middleware: () => (args: { request: Request }) => Promise<{ response: Response }>,
      options: { step: 'deserialize'; name: string; priority: 'low' },
    ): void;
  };
};
type RawClient = { send(command: RawCommand, options: { abortSignal: AbortSignal }): Promise<unknown> };

const settings = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'AKIDNOBODY', secretAccessKey: 'none' },
  maxAttempts: 1,
  signer: { sign: <T>(request: T): Promise<T> => Promise.resolve(request) },
};
const ec2 = new EC2Client(settings) as unknown as RawClient;
const ssm = new SSMClient(settings) as unknown as RawClient;
const quotas = new ServiceQuotasClient(settings) as unknown as RawClient;

/** A body that can be taken whole, as the SDK does, or read as a stream, as the readers of large answers do. */
function bodyOf(text: string): Buffer {
  const body = Buffer.from(text);
  async function* read(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(body);
  }
  return Object.assign(body, { [Symbol.asyncIterator]: read, destroy: () => undefined }) as Buffer;
}

/** JSON is written as bytes, a query as text. */
const textOf = (body: Request['body']): string =>
  typeof body === 'string' ? body : new TextDecoder().decode(body);

/** A client whose requests go to the carrier, below all of the SDK's own steps. */
function carried(sdk: RawClient, carry: Carrier): RawClient & { destroy(): void } {
  return {
    send(command, { abortSignal }) {
      const handler = () => async (args: { request: Request }) => {
        const { body, headers } = args.request;
        const request = { target: headers['x-amz-target'] ?? null, body: textOf(body) };
        const answer = await carry(request, abortSignal);
        return { response: { statusCode: answer.status, headers: {}, body: bodyOf(answer.body) } };
      };
      command.middlewareStack.add(handler, { step: 'deserialize', name: 'hostlerCarried', priority: 'low' });
      return sdk.send(command, { abortSignal });
    },
    destroy: () => undefined,
  };
}

/** Clients for one site; no two calls share anything but the SDK's own code. */
export function carriedClients(carry: Carrier): SdkClients {
  const forEc2 = carried(ec2, carry);
  const forQuotas = carried(quotas, carry);
  const clients = {
    launch: forEc2,
    terminate: forEc2,
    describe: forEc2,
    ssm: carried(ssm, carry),
    quotas: () => Promise.resolve(forQuotas),
    destroy: () => undefined,
  };
  return clients as unknown as SdkClients;
}

/** Uses each client once, so that nothing is left to load. */
async function warmUp(): Promise<void> {
  const { signal: abortSignal } = new AbortController();
  const answers: Carrier = ({ target }) =>
    Promise.resolve({ status: 200, body: target === null ? '<DescribeVolumesResponse/>' : '{}' });
  await carried(ec2, answers).send(new DescribeVolumesCommand({}) as unknown as RawCommand, { abortSignal });
  const quota = new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: 'none' });
  const parameter = new GetParameterCommand({ Name: 'none' });
  await carried(quotas, answers).send(quota as unknown as RawCommand, { abortSignal });
  await carried(ssm, answers).send(parameter as unknown as RawCommand, { abortSignal });
}

await warmUp();
