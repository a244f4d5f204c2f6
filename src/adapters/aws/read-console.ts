// The console of a host that did not come up, for the history. A courtesy: whatever goes wrong, the answer is null.
import { outcomeOf } from '../../domain/outcome.ts';
import type { SiteCalls } from './site-calls.ts';

/** Characters kept, from the end; EC2 itself keeps 64 KB. */
const MAX_CHARACTERS = 65_536;

type Deps = { calls: SiteCalls; signal: AbortSignal };

/** Console text, or null while EC2 has none. Asks for the live console first, which only Nitro types have. */
export async function readConsole(instance: string, deps: Deps): Promise<string | null> {
  try {
    return await fetchConsole(instance, true, deps);
  } catch (error) {
    if (outcomeOf(error)?.kind !== 'unsupported') return null;
  }
  try {
    return await fetchConsole(instance, false, deps);
  } catch {
    return null;
  }
}

async function fetchConsole(instance: string, latest: boolean, deps: Deps): Promise<string | null> {
  const { GetConsoleOutputCommand } = await import('@aws-sdk/client-ec2');
  const command = new GetConsoleOutputCommand({ InstanceId: instance, ...(latest && { Latest: true }) });
  const answer = await deps.calls.call(
    { action: 'GetConsoleOutput', signal: deps.signal },
    (clients, signal) => clients.describe.send(command, { abortSignal: signal }),
  );
  const text = Buffer.from(answer.Output ?? '', 'base64').toString('utf8');
  return text === '' ? null : text.slice(-MAX_CHARACTERS);
}
