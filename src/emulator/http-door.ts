// The emulator's HTTP door: EC2 and SSM at `POST /`, the emulator's own paths below /_emulator/. Only moves bytes.
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { HostlerError, messageOf } from '../domain/error.ts';
import { answerControl } from './control.ts';
import type { ControlParts } from './control-answer.ts';

/** A launch with 16 KB of user data is 24 KB; EC2 itself takes a little more than this. */
const BODY_BYTES_AT_MOST = 1_048_576;

/** The body as text, or null when it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_AT_MOST) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Answers one HTTP request. */
async function serve(parts: ControlParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url = '/', headers } = request;
  const body = await bodyOf(request);
  const end = (status: number, type: string, text: string): void => {
    response.writeHead(status, { 'content-type': type });
    response.end(text);
  };
  if (body === null) {
    response.setHeader('connection', 'close');
    end(413, 'text/plain', `at most ${BODY_BYTES_AT_MOST} bytes\n`);
    return;
  }
  const [path = '/', search = ''] = url.split('?', 2);
  if (path.startsWith('/_emulator/')) {
    const answer = await answerControl(parts, { method, path, search, body });
    end(answer.status, 'application/json', `${JSON.stringify(answer.body)}\n`);
    return;
  }
  // The query protocol also knows calls that stand in the address alone.
  const spoken = method === 'GET' ? search : body;
  if (path !== '/' || (method !== 'POST' && !(method === 'GET' && /(^|&)Action=/.test(search)))) {
    end(404, 'text/plain', 'EC2 and SSM are called by POST /; see also GET /_emulator/instances\n');
    return;
  }
  const target = headers['x-amz-target'];
  const answer = await parts.dispatch.answer({
    authorization: headers.authorization,
    target: Array.isArray(target) ? target[0] : target,
    search,
    body: spoken,
  });
  if (answer.kind === 'lost') {
    request.socket.destroy();
    return;
  }
  response.setHeader('x-amzn-requestid', answer.requestId);
  end(answer.status, answer.type, answer.body);
}

/** Listens on 127.0.0.1 and returns the port. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new HostlerError(
              'port-in-use',
              `127.0.0.1:${port} is in use; take another --port, or 0 for a free one`,
            )
          : error,
      ),
    );
    server.listen(port, '127.0.0.1', () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}

/** The listener of the HTTP server; a failure inside ends that request only. */
export function requestListener(parts: ControlParts, onTrouble: (line: string) => void): RequestListener {
  return (request, response) => {
    serve(parts, request, response).catch((error: unknown) => {
      onTrouble(`a request failed: ${messageOf(error)}`);
      response.destroy();
    });
  };
}
