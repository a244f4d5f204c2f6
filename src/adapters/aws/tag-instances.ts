// CreateTags on instances that came of a spot request: EC2 tags the request only. No other launch needs it.
import type { SiteCalls } from './site-calls.ts';

/** Resources in one call (EC2's limit is 1,000); docs of CreateTags advise small batches. */
const MAX_BATCH = 200;

/** Throws `cloud-refused`; the ids of one call are tagged all or none. */
export async function tagInstances(
  ids: readonly string[],
  tags: Readonly<Record<string, string>>,
  deps: { calls: SiteCalls; signal: AbortSignal },
): Promise<void> {
  const { CreateTagsCommand } = await import('@aws-sdk/client-ec2');
  const list = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  for (let from = 0; from < ids.length; from += MAX_BATCH) {
    const command = new CreateTagsCommand({ Resources: ids.slice(from, from + MAX_BATCH), Tags: list });
    await deps.calls.call({ action: 'CreateTags', signal: deps.signal }, (clients, signal) =>
      clients.launch.send(command, { abortSignal: signal }),
    );
  }
}
