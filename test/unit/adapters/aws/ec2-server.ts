// A scripted EC2 (and SSM) endpoint: real HTTP on loopback, answers as the test says, every request kept.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Asked = {
  action: string;
  params: Record<string, string>;
  json: Record<string, unknown>;
  key: string;
};
export type Answer = { status?: number; body?: string; raw?: (response: ServerResponse) => void };

export type Ec2Server = {
  endpoint: string;
  asked: Asked[];
  /** Requests of one action. */
  of(action: string): Asked[];
  close(): Promise<void>;
};

export async function startEc2Server(
  answer: (asked: Asked, nth: number) => Answer | Promise<Answer>,
): Promise<Ec2Server> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const one = read(request, await textOfBody(request));
    asked.push(one);
    const nth = asked.filter((earlier) => earlier.action === one.action).length;
    const reply = await answer(one, nth);
    if (reply.raw !== undefined) {
      reply.raw(response);
      return;
    }
    const type = one.json['Name'] === undefined ? 'text/xml' : 'application/x-amz-json-1.1';
    response.writeHead(reply.status ?? 200, { 'content-type': type });
    response.end(reply.body ?? '');
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    asked,
    of: (action) => asked.filter((one) => one.action === action),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function textOfBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function read(request: IncomingMessage, body: string): Asked {
  // The access key that signed the request.
  const key = /Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const target = request.headers['x-amz-target'];
  if (typeof target === 'string')
    return {
      action: target.split('.')[1] ?? '',
      params: {},
      json: JSON.parse(body) as Record<string, unknown>,
      key,
    };
  const params = Object.fromEntries(new URLSearchParams(body));
  return { action: params['Action'] ?? '', params, json: {}, key };
}

export function failure(status: number, code: string, message = 'as the test wants it'): Answer {
  return {
    status,
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>`,
  };
}

export function answerOf(action: string, inner: string): Answer {
  return {
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId>${inner}</${action}Response>`,
  };
}

/** One instance as EC2 writes it. */
export function instanceXml(
  id: string,
  more: { state?: string; tags?: Record<string, string>; inner?: string } = {},
) {
  const tags = Object.entries(more.tags ?? {}).map(
    ([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`,
  );
  return `<item><instanceId>${id}</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>${more.state ?? 'running'}</name></instanceState><instanceType>m5.large</instanceType><launchTime>2026-11-22T10:00:00.000Z</launchTime><placement><availabilityZone>eu-central-1a</availabilityZone></placement><privateIpAddress>10.0.0.9</privateIpAddress>${more.inner ?? ''}<tagSet>${tags.join('')}</tagSet></item>`;
}

export function runAnswer(...instances: string[]): Answer {
  return answerOf(
    'RunInstances',
    `<reservationId>r-1</reservationId><instancesSet>${instances.join('')}</instancesSet>`,
  );
}

export function listAnswer(instances: readonly string[], nextToken?: string): Answer {
  const reservations = instances.map(
    (one) => `<item><reservationId>r-1</reservationId><instancesSet>${one}</instancesSet></item>`,
  );
  const next = nextToken === undefined ? '' : `<nextToken>${nextToken}</nextToken>`;
  return answerOf('DescribeInstances', `<reservationSet>${reservations.join('')}</reservationSet>${next}`);
}
