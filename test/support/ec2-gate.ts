// A gate between hostler and the emulated cloud: lets calls through, or keeps one back at a chosen moment, so that a
// test can kill the daemon exactly before a call reached EC2, or after EC2 acted and before its answer came back.
// Trap: what is kept never ends by itself; a killed daemon's connections close, `close` ends the rest.
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type SeenCall = {
  action: string;
  params: URLSearchParams;
  /** HTTP status that went back; 0 = none did. */
  status: number;
  /** EC2's error code in the answer, or null. */
  code: string | null;
};

/** What becomes of a call. */
export type Passage =
  /** To EC2 and back. */
  | 'pass'
  /** It never reaches EC2, and no answer comes. */
  | 'keep'
  /** EC2 does it, the answer does not come back. */
  | 'keep-answer'
  /** Answered by the gate itself; with `done` EC2 did it all the same, else it never hears of it. */
  | (Answer & { done?: boolean })
  /** To EC2 and back, with another text. */
  | { edit: (body: string) => string };

type Answer = { status: number; type: string; body: string };

export type Gate = {
  /** URL for pools, in front of this endpoint. */
  before(endpoint: string): string;
  /** Every call so far. */
  calls(): readonly SeenCall[];
  /** How calls pass from now on; default: all pass. */
  treat(how: (call: SeenCall) => Passage): void;
  /** The next call of this action passes like that, all later ones as before. Resolves once it happened. */
  catchNext(action: string, passage: Passage): Promise<SeenCall>;
  close(): Promise<void>;
};

type Trap = { action: string; passage: Passage; caught: (call: SeenCall) => void };

/** EC2's error body, as its SDKs read it. */
export function ec2ErrorAnswer(status: number, code: string, message = code): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>gate</RequestID></Response>`;
  return { status, type: 'text/xml;charset=UTF-8', body };
}

/** What goes back; null = nothing, the connection stays open; `none` = EC2 gave no answer. */
async function answerFor(
  passage: Passage,
  ask: () => Promise<Answer | null>,
): Promise<Answer | 'none' | null> {
  if (passage === 'keep') return null;
  if (typeof passage === 'object' && 'status' in passage) {
    if (passage.done === true) await ask();
    return passage;
  }
  const made = await ask();
  if (passage === 'keep-answer') return null;
  if (made === null) return 'none';
  return passage === 'pass' ? made : { ...made, body: passage.edit(made.body) };
}

/** Opens a gate on a free loopback port. */
export async function openGate(): Promise<Gate> {
  const calls: SeenCall[] = [];
  let traps: Trap[] = [];
  let treatment: (call: SeenCall) => Passage = () => 'pass';
  let target = new URL('http://127.0.0.1:1');

  function answer(response: ServerResponse, call: SeenCall, made: Answer): void {
    call.status = made.status;
    call.code = /<Code>([^<]+)<\/Code>/.exec(made.body)?.[1] ?? null;
    response.writeHead(made.status, { 'content-type': made.type });
    response.end(made.body);
  }

  function forward(
    headers: Record<string, string | string[] | undefined>,
    body: string,
  ): Promise<Answer | null> {
    return new Promise((resolve) => {
      const outgoing = request(
        {
          host: target.hostname,
          port: target.port,
          method: 'POST',
          path: '/',
          headers: { ...headers, host: target.host },
        },
        (reply) => {
          let text = '';
          reply.setEncoding('utf8');
          reply.on('data', (chunk: string) => {
            text += chunk;
          });
          reply.on('end', () =>
            resolve({
              status: reply.statusCode ?? 0,
              type: reply.headers['content-type'] ?? 'text/xml',
              body: text,
            }),
          );
        },
      );
      outgoing.on('error', () => resolve(null));
      outgoing.end(body);
    });
  }

  async function serve(
    headers: Record<string, string | string[] | undefined>,
    body: string,
    response: ServerResponse,
  ): Promise<void> {
    const params = new URLSearchParams(body);
    const call: SeenCall = { action: params.get('Action') ?? '', params, status: 0, code: null };
    calls.push(call);
    const trap = traps.find((one) => one.action === call.action);
    traps = traps.filter((one) => one !== trap);
    const passage = trap?.passage ?? treatment(call);
    const made = await answerFor(passage, () => forward(headers, body));
    if (made === 'none') response.destroy();
    else if (made !== null) answer(response, call, made);
    trap?.caught(call);
  }

  const server = createServer({ keepAliveTimeout: 75_000 }, (incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk: string) => {
      body += chunk;
    });
    incoming.on('end', () => void serve(incoming.headers, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    before(endpoint) {
      target = new URL(endpoint);
      return `http://127.0.0.1:${port}`;
    },
    calls: () => calls,
    treat(how) {
      treatment = how;
    },
    catchNext: (action, passage) =>
      new Promise((caught) => {
        traps.push({ action, passage, caught });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
