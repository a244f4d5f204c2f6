// DescribeSpotInstanceRequests by owner tag, all pages. One failing page fails the whole listing: half a list would hide
// open requests, which count against the account.
import type { DescribeSpotInstanceRequestsCommandInput } from '@aws-sdk/client-ec2';
import { TAG } from '../../domain/instance.ts';
import { refusal } from '../../domain/outcome.ts';
import type { SpotRequest } from '../../domain/spot-request.ts';
import { unreadableAnswer } from './errors.ts';
import type { FleetAnswers } from './fleet-answers.ts';
import { tagFilter } from './list-instances.ts';
import type { SpotRequestPage } from './read-spot-requests.ts';
import type { SiteCalls } from './site-calls.ts';

/** Requests a page; EC2's maximum. */
const PAGE = 1_000;

/** Pages; beyond 200,000 requests it is a loop. */
const MAX_PAGES = 200;

type Deps = { calls: SiteCalls; answers: FleetAnswers; signal: AbortSignal };

/** Every request with this owner tag that EC2 still shows. Throws `cloud-refused`. */
export async function listSpotRequests(owner: string, deps: Deps): Promise<SpotRequest[]> {
  const action = 'DescribeSpotInstanceRequests';
  const found = new Map<string, SpotRequest>();
  const seen = new Set<string>();
  let token: string | null = null;
  do {
    const input: DescribeSpotInstanceRequestsCommandInput = {
      Filters: [tagFilter(TAG.owner, [owner])],
      MaxResults: PAGE,
      ...(token !== null && { NextToken: token }),
    };
    const page: SpotRequestPage = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      deps.answers.describeRequests(clients.describe, input, signal),
    );
    for (const request of page.requests) found.set(request.id, request);
    token = page.nextToken;
    if (token !== null && (seen.has(token) || seen.size >= MAX_PAGES))
      throw refusal(action, unreadableAnswer(action, 'pages without end'));
    if (token !== null) seen.add(token);
  } while (token !== null);
  // Tag filters take wildcards, so what came back is compared again.
  return [...found.values()].filter((request) => request.tags[TAG.owner] === owner);
}
