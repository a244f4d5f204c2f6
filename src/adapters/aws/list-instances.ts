// DescribeInstances by tag, all pages. One failing page fails the whole listing: half a list would look like lost hosts.
// Trap: tag filters take wildcards, so the tags of what came back are compared again.
import type { DescribeInstancesCommandInput, Filter } from '@aws-sdk/client-ec2';
import { type Instance, TAG } from '../../domain/instance.ts';
import { refusal } from '../../domain/outcome.ts';
import { unreadableAnswer } from './errors.ts';
import type { FleetAnswers } from './fleet-answers.ts';
import type { KnownInstances } from './known-instances.ts';
import type { InstancePage } from './read-instances.ts';
import type { SiteCalls } from './site-calls.ts';

/** Instances a page; EC2's maximum. Paged and filtered calls draw on the larger request bucket. */
const PAGE = 1_000;

/** Pages; a listing beyond 200,000 instances is a loop, not a fleet. */
const MAX_PAGES = 200;

/** Values in one filter; EC2's maximum. */
const MAX_FILTER_VALUES = 200;

type Deps = { calls: SiteCalls; answers: FleetAnswers; signal: AbortSignal };

/** Every instance with this owner tag; those that `known` holds unchanged are the same objects. Throws `cloud-refused`. */
export async function listByOwner(
  owner: string,
  deps: Deps & { known: KnownInstances },
): Promise<Instance[]> {
  const found = await listPages(tagFilter(TAG.owner, [owner]), deps);
  const listed = found.filter((instance) => instance.tags[TAG.owner] === owner);
  deps.known.keep(listed);
  return listed;
}

/** Every instance of these launches. Throws `cloud-refused`. */
export async function listByLaunch(tokens: readonly string[], deps: Deps): Promise<Instance[]> {
  const wanted = new Set(tokens);
  const found: Instance[] = [];
  for (let from = 0; from < tokens.length; from += MAX_FILTER_VALUES) {
    const part = tokens.slice(from, from + MAX_FILTER_VALUES);
    found.push(...(await listPages(tagFilter(TAG.launch, part), deps)));
  }
  return found.filter((instance) => wanted.has(instance.tags[TAG.launch] ?? ''));
}

async function listPages(filter: Filter, deps: Deps & { known?: KnownInstances }): Promise<Instance[]> {
  const action = 'DescribeInstances';
  const found = new Map<string, Instance>();
  const seen = new Set<string>();
  let token: string | null = null;
  do {
    const input: DescribeInstancesCommandInput = {
      Filters: [filter],
      MaxResults: PAGE,
      ...(token !== null && { NextToken: token }),
    };
    const page: InstancePage = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      deps.answers.describe(clients.describe, input, signal),
    );
    for (const instance of page.instances) found.set(instance.id, deps.known?.same(instance) ?? instance);
    token = page.nextToken;
    if (token !== null && (seen.has(token) || seen.size >= MAX_PAGES))
      throw refusal(action, unreadableAnswer(action, 'pages without end'));
    if (token !== null) seen.add(token);
  } while (token !== null);
  return [...found.values()];
}

/** A filter on one tag's exact values; wildcards in them are escaped. */
export function tagFilter(tag: string, values: readonly string[]): Filter {
  return { Name: `tag:${tag}`, Values: values.map((value) => value.replaceAll(/[\\*?]/g, String.raw`\$&`)) };
}
