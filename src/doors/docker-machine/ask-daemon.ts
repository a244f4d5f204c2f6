// The door's short questions to the daemon. An absent daemon is an answer here, never an error: most verbs can do
// without it. Trap: waits must stay short, a person or the runner waits behind them.
import { exchange } from './exchange.cjs';

/** ms; the daemon answers lists within some milliseconds, so a second of silence means that it hangs. */
const LIMIT_MS = 1_000;

export type DaemonAnswer = { status: number; body: unknown } | { away: string };

/** GET, POST or DELETE of one path; `away` says why there is no answer. */
export async function askDaemon(
  socketPath: string,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
): Promise<DaemonAnswer> {
  const { status, rest, away, close } = await exchange({ socketPath, method, path, silenceMs: LIMIT_MS });
  close();
  if (status === 0 || away !== null) return { away: away ?? 'it gave no answer' };
  try {
    return { status, body: JSON.parse(rest) };
  } catch {
    return { status, body: null };
  }
}
