// Reads gitlab-runner's own /metrics for the one family hostler needs: gitlab_runner_jobs.
// Trap: the answer is a stranger's text; it is bounded in size and time, and lines that do not fit are passed over.
import { get } from 'node:http';
import type { RunnerFigures } from '../../ports/runner-figures.ts';

/** Bytes; a runner with hundreds of sections answers with some 200 KB. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** The text behind a metrics address, bounded. */
export function fetchText(url: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false }, (reply) => {
      const chunks: Buffer[] = [];
      let size = 0;
      reply.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) request.destroy(new Error(`more than ${MAX_ANSWER_BYTES} bytes`));
        else chunks.push(chunk);
      });
      reply.on('end', () => {
        if (reply.statusCode === 200) resolve(Buffer.concat(chunks).toString('utf8'));
        else reject(new Error(`status ${reply.statusCode}`));
      });
      reply.on('error', reject);
    });
    request.on('error', reject);
  });
}

/** Sums of gitlab_runner_jobs by its `runner` label, from Prometheus text. */
export function jobsByRunner(text: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [, labels = '', value = ''] of text.matchAll(/^gitlab_runner_jobs\{([^}\n]*)\} (\S+)/gm)) {
    const runner = /(?:^|,)runner="([^"]*)"/.exec(labels)?.[1];
    const count = Number(value);
    if (runner !== undefined && Number.isFinite(count)) sums.set(runner, (sums.get(runner) ?? 0) + count);
  }
  return sums;
}

/** The port on real HTTP. */
export function createRunnerFigures(): RunnerFigures {
  return { jobs: async (url, signal) => jobsByRunner(await fetchText(url, signal)) };
}
