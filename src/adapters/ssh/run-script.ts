// One script on one open SSH connection: text in through stdin, exit code and the ends of both outputs back.
// Must not put the script into the command line: it holds keys, and every user of a host may read argv.
// Trap: a channel that closes without an exit code means that the link was lost; nothing is known about the command then.
import type { Client, ClientChannel } from 'ssh2';
import type { RunResult } from '../../ports/host.ts';

/** Kept of each output, its end: failures speak last. */
const MAX_OUTPUT_BYTES = 64 * 1024;

/** The last `MAX_OUTPUT_BYTES` of a stream, at most twice that in memory. */
function tail(): { add: (chunk: Buffer) => void; text: () => string } {
  let chunks: Buffer[] = [];
  let size = 0;
  const cut = () => {
    const kept = Buffer.concat(chunks).subarray(-MAX_OUTPUT_BYTES);
    chunks = [kept];
    size = kept.length;
  };
  return {
    add: (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > 2 * MAX_OUTPUT_BYTES) cut();
    },
    text: () => {
      cut();
      return chunks.join('');
    },
  };
}

/** Runs `command` with `script` on its stdin. Never throws: a lost or aborted run has code null. */
export function runScript(
  client: Client,
  order: { command: string; script: string; signal: AbortSignal },
): Promise<RunResult> {
  const { command, script, signal } = order;
  return new Promise((resolve) => {
    const [out, err] = [tail(), tail()];
    let code: number | null = null;
    let channel: ClientChannel | null = null;
    const lost = (why: string) => {
      resolve({ code: null, stdout: out.text(), stderr: why });
    };
    const abort = () => {
      channel?.destroy();
      lost('gave up waiting for the script');
    };
    if (signal.aborted) {
      abort();
      return;
    }
    const close = () => {
      signal.removeEventListener('abort', abort);
      lost('the connection was lost');
    };
    client.once('close', close);
    signal.addEventListener('abort', abort);
    const settle = () => {
      client.off('close', close);
      signal.removeEventListener('abort', abort);
    };
    try {
      client.exec(command, (error, stream) => {
        if (error !== undefined) {
          settle();
          lost(error.message);
          return;
        }
        channel = stream;
        stream.on('data', out.add);
        stream.stderr.on('data', err.add);
        stream.on('error', () => undefined);
        stream.on('exit', (status: number | null) => {
          code = status ?? null;
        });
        stream.on('close', () => {
          settle();
          resolve({ code, stdout: out.text(), stderr: err.text() });
        });
        stream.end(script);
      });
    } catch (error) {
      settle();
      lost(error instanceof Error ? error.message : 'the connection is closed');
    }
  });
}
