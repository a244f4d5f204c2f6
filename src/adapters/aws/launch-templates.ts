// The launch template under hostler's fleets: one for each manager, a version for each kind of launch (what is equal
// for all launches of a pool). Made when first needed, found again by its content's hash, old versions removed.
// Traps: a version must not go while a token that names it may still be sent again; two launches at once must not make
// two versions of the same content.
import { createHash } from 'node:crypto';
import type { LaunchTemplateVersion, RequestLaunchTemplateData } from '@aws-sdk/client-ec2';
import { TAG } from '../../domain/instance.ts';
import type { LaunchRequest } from '../../domain/launch.ts';
import { outcomeOf, refusal } from '../../domain/outcome.ts';
import { type DurationMs, HOUR_MS } from '../../domain/units.ts';
import { isTemplateGone, unreadableAnswer } from './errors.ts';
import type { TemplateRef } from './fleet-input.ts';
import { diskOf, interfaceOf, metadataOf, placesOf, profileOf, tagSpecifications } from './launch-parts.ts';
import type { SiteCalls } from './site-calls.ts';

/** Versions kept; a pool makes a new one with each new image or option. EC2 bears 10,000 of a template. */
export const KEPT_VERSIONS = 20;

/** A version that this process named within this time stays: tokens are sent again for ten minutes. */
const IN_USE_MS: DurationMs = HOUR_MS;

/** Versions a page; EC2's maximum. */
const PAGE = 200;

/** Pages; 10,000 versions are EC2's own limit. */
const MAX_PAGES = 50;

/** Versions in one DeleteLaunchTemplateVersions; EC2's maximum. */
const MAX_DELETE = 200;

type Deps = { site: string; calls: SiteCalls; signal: AbortSignal };

type Known = { version: string; usedAt: DurationMs };

export type LaunchTemplates = {
  /** Name and version of the template for this request, made if need be. Throws `cloud-refused`. */
  ensure(request: LaunchRequest, deps: Deps): Promise<TemplateRef>;
  /** EC2 does not know it any more: look again before the next fleet. */
  forget(site: string, name: string): void;
};

/** What is equal for all launches of a pool. */
export function templateData(request: LaunchRequest): RequestLaunchTemplateData {
  const profile = profileOf(request);
  const { [TAG.owner]: owner, [TAG.manager]: manager, [TAG.pool]: pool } = request.tags;
  const tags = Object.entries({ [TAG.owner]: owner, [TAG.manager]: manager, [TAG.pool]: pool });
  const requestTags = Object.fromEntries(
    tags.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
  return {
    ImageId: request.imageId,
    ...(request.keyName !== null && { KeyName: request.keyName }),
    ...(profile !== null && { IamInstanceProfile: profile }),
    NetworkInterfaces: [interfaceOf(request, null)],
    BlockDeviceMappings: [diskOf(request)],
    Monitoring: { Enabled: request.monitoring },
    ...(request.ebsOptimized && { EbsOptimized: true }),
    MetadataOptions: metadataOf(request),
    InstanceInitiatedShutdownBehavior: 'terminate',
    // CreateFleet cannot tag spot requests itself, and EC2 refuses the tag where no request is made.
    ...(placesOf(request)[0].market === 'spot' && {
      TagSpecifications: tagSpecifications(requestTags, ['spot-instances-request']),
    }),
  };
}

/** 16 hex digits that stand for a template's content. */
export function templateHash(data: RequestLaunchTemplateData): string {
  return createHash('sha256').update(JSON.stringify(data)).digest('hex').slice(0, 16);
}

/** One template a manager, so that no other one's cleaning up takes it away. */
export function templateName(tags: Readonly<Record<string, string>>): string {
  const owner = (tags[TAG.owner] ?? 'unknown').replaceAll(/[^A-Za-z0-9().\-/_]/g, '-').slice(0, 80);
  return `hostler-${owner}-${(tags[TAG.manager] ?? 'manager').replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 12)}`;
}

/** `monotonic` in milliseconds. */
export function createLaunchTemplates(monotonic: () => DurationMs): LaunchTemplates {
  const known = new Map<string, Map<string, Known>>();
  const turns = new Map<string, Promise<unknown>>();

  const find = async (request: LaunchRequest, deps: Deps, key: string): Promise<string> => {
    const data = templateData(request);
    const hash = templateHash(data);
    const versions = known.get(key) ?? new Map<string, Known>();
    known.set(key, versions);
    const found = versions.get(hash);
    if (found !== undefined) {
      versions.set(hash, { ...found, usedAt: monotonic() });
      return found.version;
    }
    const name = templateName(request.tags);
    const shown = await listVersions(name, deps);
    const old = shown?.find((one) => one.VersionDescription === hash)?.VersionNumber;
    const made = old ?? (await make({ name, hash, data, tags: request.tags, isNew: shown === null }, deps));
    const version = String(made);
    versions.set(hash, { version, usedAt: monotonic() });
    const used = new Set(
      [...versions.values()]
        .filter(({ usedAt }) => monotonic() - usedAt < IN_USE_MS)
        .map((one) => one.version),
    );
    if (old === undefined && shown !== null) await prune(name, shown, used, deps);
    return version;
  };

  return {
    ensure: async (request, deps) => {
      const name = templateName(request.tags);
      const key = `${deps.site}/${name}`;
      // One at a time for each template: the second launch finds what the first one made.
      const turn = (turns.get(key) ?? Promise.resolve()).catch(() => undefined);
      const mine = turn.then(async () => await find(request, deps, key));
      turns.set(key, mine);
      return { name, version: await mine };
    },
    forget: (site, name) => {
      known.delete(`${site}/${name}`);
    },
  };
}

/** Every version, the newest first; null when there is no such template. */
async function listVersions(name: string, deps: Deps): Promise<LaunchTemplateVersion[] | null> {
  const action = 'DescribeLaunchTemplateVersions';
  const { DescribeLaunchTemplateVersionsCommand } = await import('@aws-sdk/client-ec2');
  const found: LaunchTemplateVersion[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const command = new DescribeLaunchTemplateVersionsCommand({
      LaunchTemplateName: name,
      MaxResults: PAGE,
      ...(token !== undefined && { NextToken: token }),
    });
    try {
      const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
        clients.describe.send(command, { abortSignal: signal }),
      );
      if (answer.LaunchTemplateVersions === undefined)
        throw refusal(action, unreadableAnswer(action, 'without a list'));
      found.push(...answer.LaunchTemplateVersions);
      token = answer.NextToken || undefined;
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome !== null && isTemplateGone(outcome)) return null;
      throw error;
    }
    if (token === undefined) break;
  }
  return found;
}

type New = {
  name: string;
  hash: string;
  data: RequestLaunchTemplateData;
  tags: Readonly<Record<string, string>>;
  isNew: boolean;
};

async function make({ name, hash, data, tags, isNew }: New, deps: Deps): Promise<number> {
  const { CreateLaunchTemplateCommand, CreateLaunchTemplateVersionCommand } = await import(
    '@aws-sdk/client-ec2'
  );
  const shared = { LaunchTemplateName: name, VersionDescription: hash, LaunchTemplateData: data };
  if (!isNew) {
    const action = 'CreateLaunchTemplateVersion';
    const command = new CreateLaunchTemplateVersionCommand(shared);
    const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      clients.launch.send(command, { abortSignal: signal }),
    );
    const version = answer.LaunchTemplateVersion?.VersionNumber;
    if (version === undefined) throw refusal(action, unreadableAnswer(action, 'without a version'));
    return version;
  }
  const action = 'CreateLaunchTemplate';
  const own = Object.fromEntries(
    [TAG.owner, TAG.manager].flatMap((key) => (tags[key] === undefined ? [] : [[key, tags[key]]])),
  );
  const command = new CreateLaunchTemplateCommand({
    ...shared,
    TagSpecifications: tagSpecifications(own, ['launch-template']),
  });
  const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
    clients.launch.send(command, { abortSignal: signal }),
  );
  const version = answer.LaunchTemplate?.LatestVersionNumber;
  if (version === undefined) throw refusal(action, unreadableAnswer(action, 'without a version'));
  return version;
}

/** Removes the oldest versions beyond those kept. The default version cannot go, and what fails goes next time. */
async function prune(
  name: string,
  shown: readonly LaunchTemplateVersion[],
  used: ReadonlySet<string>,
  deps: Deps,
): Promise<void> {
  const old = shown
    .filter(({ DefaultVersion, VersionNumber }) => DefaultVersion !== true && VersionNumber !== undefined)
    .toSorted((a, b) => (b.VersionNumber ?? 0) - (a.VersionNumber ?? 0))
    .slice(KEPT_VERSIONS)
    .map(({ VersionNumber }) => String(VersionNumber))
    .filter((version) => !used.has(version))
    .slice(-MAX_DELETE);
  if (old.length === 0) return;
  const { DeleteLaunchTemplateVersionsCommand } = await import('@aws-sdk/client-ec2');
  const command = new DeleteLaunchTemplateVersionsCommand({ LaunchTemplateName: name, Versions: old });
  await deps.calls
    .call({ action: 'DeleteLaunchTemplateVersions', signal: deps.signal }, (clients, signal) =>
      clients.terminate.send(command, { abortSignal: signal }),
    )
    .catch(() => undefined);
}
