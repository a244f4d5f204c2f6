// Things beside instances that this owner's tag finds in EC2: volumes without an instance, open spot requests, launch
// templates; and their removal. Instances are list-instances' business.
// Trap: a volume that is attached is no leftover, whatever its tags say.
import type { Tag } from '@aws-sdk/client-ec2';
import { TAG } from '../../domain/instance.ts';
import type { Leftover } from '../../domain/leftover.ts';
import { type Outcome, refusal } from '../../domain/outcome.ts';
import { isOpenRequest } from '../../domain/spot-request.ts';
import type { RemovalAnswer } from '../../ports/cloud.ts';
import { cancelSpotRequests } from './cancel-spot-requests.ts';
import { isTemplateGone, outcomeOfError, unreadableAnswer } from './errors.ts';
import type { FleetAnswers } from './fleet-answers.ts';
import { tagFilter } from './list-instances.ts';
import { listSpotRequests } from './list-spot-requests.ts';
import type { SiteCalls } from './site-calls.ts';

/** Volumes a page; EC2's maximum is 1,000, the SDK's parser is kept to some 100 ms. */
const VOLUMES_PAGE = 500;

/** Templates a page; EC2's maximum. */
const TEMPLATES_PAGE = 200;

/** Pages; beyond this it is a loop. */
const MAX_PAGES = 100;

type Deps = { calls: SiteCalls; answers: FleetAnswers; signal: AbortSignal };

/** Everything of this owner beside instances that could be removed. Throws `cloud-refused`. */
export async function listLeftovers(owner: string, deps: Deps): Promise<Leftover[]> {
  const [volumes, requests, templates] = await Promise.all([
    listVolumes(owner, deps),
    listSpotRequests(owner, deps),
    listTemplates(owner, deps),
  ]);
  const open = requests.filter(isOpenRequest).map(
    ({ id, state, createdAt, tags }): Leftover => ({
      kind: 'spot-request',
      id,
      detail: state,
      createdAt,
      tags,
    }),
  );
  return [...volumes, ...open, ...templates].filter(({ tags }) => tags[TAG.owner] === owner);
}

/** One answer for each. Never throws. */
export async function removeLeftovers(leftovers: readonly Leftover[], deps: Deps): Promise<RemovalAnswer[]> {
  const requests = leftovers.filter(({ kind }) => kind === 'spot-request').map(({ id }) => id);
  const cancelled = requests.length === 0 ? [] : await cancelSpotRequests(requests, deps);
  // They come from a listing, so one that EC2 no longer knows is gone.
  const answers = cancelled.map((answer): RemovalAnswer => {
    const isOver = answer.kind === 'failed' && answer.outcome.kind === 'not-found';
    return isOver ? { id: answer.id, kind: 'done' } : answer;
  });
  for (const { kind, id } of leftovers) {
    if (kind === 'volume') answers.push(await removeOne(id, deleteVolume(id, deps)));
    if (kind === 'launch-template') answers.push(await removeOne(id, deleteTemplate(id, deps)));
  }
  return answers;
}

const isGone = (outcome: Outcome): boolean => outcome.kind === 'not-found' || isTemplateGone(outcome);

async function removeOne(id: string, removal: Promise<unknown>): Promise<RemovalAnswer> {
  try {
    await removal;
    return { id, kind: 'done' };
  } catch (error) {
    const outcome = outcomeOfError(error);
    return isGone(outcome) ? { id, kind: 'done' } : { id, kind: 'failed', outcome };
  }
}

async function deleteVolume(id: string, { calls, signal }: Deps): Promise<void> {
  const { DeleteVolumeCommand } = await import('@aws-sdk/client-ec2');
  await calls.call({ action: 'DeleteVolume', signal }, (clients, limit) =>
    clients.terminate.send(new DeleteVolumeCommand({ VolumeId: id }), { abortSignal: limit }),
  );
}

async function deleteTemplate(id: string, { calls, signal }: Deps): Promise<void> {
  const { DeleteLaunchTemplateCommand } = await import('@aws-sdk/client-ec2');
  await calls.call({ action: 'DeleteLaunchTemplate', signal }, (clients, limit) =>
    clients.terminate.send(new DeleteLaunchTemplateCommand({ LaunchTemplateId: id }), { abortSignal: limit }),
  );
}

async function listVolumes(owner: string, deps: Deps): Promise<Leftover[]> {
  const action = 'DescribeVolumes';
  const { DescribeVolumesCommand } = await import('@aws-sdk/client-ec2');
  return await allPages(action, async (token) => {
    const command = new DescribeVolumesCommand({
      Filters: [tagFilter(TAG.owner, [owner]), { Name: 'status', Values: ['available', 'error'] }],
      MaxResults: VOLUMES_PAGE,
      ...(token !== undefined && { NextToken: token }),
    });
    const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      clients.describe.send(command, { abortSignal: signal }),
    );
    const things = answer.Volumes?.flatMap(({ VolumeId: id, State, CreateTime, Tags }): Leftover[] =>
      id === undefined
        ? []
        : [
            {
              kind: 'volume',
              id,
              detail: State ?? '',
              createdAt: CreateTime?.getTime() ?? 0,
              tags: tagsOf(Tags),
            },
          ],
    );
    return { things, token: answer.NextToken };
  });
}

async function listTemplates(owner: string, deps: Deps): Promise<Leftover[]> {
  const action = 'DescribeLaunchTemplates';
  const { DescribeLaunchTemplatesCommand } = await import('@aws-sdk/client-ec2');
  return await allPages(action, async (token) => {
    const command = new DescribeLaunchTemplatesCommand({
      Filters: [tagFilter(TAG.owner, [owner])],
      MaxResults: TEMPLATES_PAGE,
      ...(token !== undefined && { NextToken: token }),
    });
    const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      clients.describe.send(command, { abortSignal: signal }),
    );
    const things = answer.LaunchTemplates?.flatMap((one): Leftover[] =>
      one.LaunchTemplateId === undefined
        ? []
        : [
            {
              kind: 'launch-template',
              id: one.LaunchTemplateId,
              detail: one.LaunchTemplateName ?? '',
              createdAt: one.CreateTime?.getTime() ?? 0,
              tags: tagsOf(one.Tags),
            },
          ],
    );
    return { things, token: answer.NextToken };
  });
}

async function allPages<T>(
  action: string,
  page: (token: string | undefined) => Promise<{ things: T[] | undefined; token: string | undefined }>,
): Promise<T[]> {
  const found: T[] = [];
  let token: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const answer = await page(token);
    if (answer.things === undefined) throw refusal(action, unreadableAnswer(action, 'without a list'));
    found.push(...answer.things);
    token = answer.token || undefined;
    if (token === undefined) return found;
  }
  throw refusal(action, unreadableAnswer(action, 'pages without end'));
}

function tagsOf(tags: readonly Tag[] | undefined): Record<string, string> {
  return Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? '']));
}
