// A Docker daemon on a unix socket that answers from a table and notes what it was asked. For what a real one seldom does.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export type Asked = { call: string; json: unknown };
type Answer = { status: number; json?: unknown };

/** `answers` by `METHOD /path` without query; a list is used up in its order, its last entry stays. Else 404. */
export async function scriptedDocker(
  answers: Readonly<Record<string, Answer | Answer[]>>,
): Promise<{ socket: string; asked: Asked[]; env: Record<string, string> }> {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-docker-'));
  const socket = join(folder, 'docker.sock');
  const asked: Asked[] = [];
  const script = new Map(
    Object.entries(answers).map(
      ([call, given]) => [call, Array.isArray(given) ? [...given] : [given]] as const,
    ),
  );
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const call = `${request.method ?? ''} ${decodeURIComponent((request.url ?? '').split('?')[0] ?? '')}`;
      const isJson = request.headers['content-type'] === 'application/json' && chunks.length > 0;
      asked.push({ call, json: isJson ? JSON.parse(Buffer.concat(chunks).toString()) : null });
      const list = script.get(call);
      const answer = (list !== undefined && list.length > 1 ? list.shift() : list?.[0]) ?? {
        status: 404,
        json: { message: 'no such thing' },
      };
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(answer.json === undefined ? '' : JSON.stringify(answer.json));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(socket, resolve);
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
    rmSync(folder, { recursive: true, force: true });
  });
  return { socket, asked, env: { DOCKER_HOST: `unix://${socket}` } };
}
