// The least that hostler's credentials must be allowed, as an IAM policy for exactly what a configuration uses: the table
// of iam-grants.ts as statements, bound to the owner's tag wherever EC2 lets a policy be.
// Trap: a launch is checked against every resource it touches; a condition that one of them cannot meet refuses it all.
import type { Config, PoolSpec } from './config.ts';
import { type Feature, featuresOf, grants, type Part, sorted } from './iam-grants.ts';
import { TAG } from './instance.ts';
import { secretsInSsm } from './queue.ts';

type Condition = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

export type PolicyStatement = {
  Sid: string;
  Effect: 'Allow';
  Action: readonly string[];
  Resource: readonly string[];
  Condition?: Condition;
};

export type IamPolicy = { Version: '2012-10-17'; Statement: readonly PolicyStatement[] };

/** Where the resources of a configuration are. */
type Ground = {
  config: Config;
  features: ReadonlySet<Feature>;
  /** `arn:aws:SERVICE:REGION:ACCOUNT:REST` for every region of the pools. */
  arns(service: string, rest: string, account?: string): string[];
  partition: string;
};

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

function groundOf(config: Config, features: ReadonlySet<Feature>): Ground {
  const sites = config.pools.map(({ launch }) => launch.site);
  const accounts = sorted(
    sites.map(({ assumeRoleArn }) => /:iam::(\d{12}):/.exec(assumeRoleArn ?? '')?.[1] ?? '*'),
  );
  const account = accounts.length === 1 ? (accounts[0] ?? '*') : '*';
  const regions = sorted(sites.map(({ region }) => region));
  const partition = partitionOf(regions[0] ?? '');
  return {
    config,
    features,
    partition,
    arns: (service, rest, of = account) =>
      regions.map((region) => `arn:${partition}:${service}:${region}:${of}:${rest}`),
  };
}

/** The values of all pools, or `*` when one of them names none. */
function pinned(config: Config, of: (pool: PoolSpec) => readonly (string | null)[]): string[] {
  const all = config.pools.flatMap(of);
  return all.some((one) => one === null) ? ['*'] : sorted(all.filter((one) => one !== null));
}

const ofOwner = (config: Config): Condition => ({
  StringEquals: { [`aws:ResourceTag/${TAG.owner}`]: config.settings.owner },
});

const withOwner = (config: Config, more: Condition[string] = {}): Condition => ({
  StringEquals: { [`aws:RequestTag/${TAG.owner}`]: config.settings.owner, ...more },
});

type Draft = Omit<PolicyStatement, 'Effect' | 'Action'>;

function ec2Arns({ arns }: Ground, kinds: readonly string[]): string[] {
  return kinds.flatMap((kind) => arns('ec2', `${kind}/*`));
}

/** What a launch uses, makes and tags. */
function launchDrafts(ground: Ground): Draft[] {
  const { config, features, arns } = ground;
  const subnets = pinned(config, ({ launch }) =>
    launch.subnetIds.length > 0 ? launch.subnetIds : [launch.subnetId],
  );
  const images = pinned(config, ({ launch }) => [launch.ami?.startsWith('ami-') ? launch.ami : null]);
  const groups = pinned(config, ({ launch }) =>
    launch.securityGroups.map((name) => (name.startsWith('sg-') ? name : null)),
  );
  const keyPairs = sorted(config.pools.flatMap(({ launch }) => launch.keypairName ?? []));
  const made = ['instance', 'volume', 'network-interface'];
  if (features.has('spot')) made.push('spot-instances-request');
  if (features.has('fleet')) made.push('fleet');
  const tagged = features.has('own-template') ? [...made, 'launch-template'] : made;
  const calls = ['RunInstances'];
  if (features.has('fleet')) calls.push('CreateFleet');
  if (features.has('own-template')) calls.push('CreateLaunchTemplate');
  if (features.has('spot-request')) calls.push('RequestSpotInstances');
  const drafts: Draft[] = [
    {
      Sid: 'LaunchFrom',
      Resource: [
        ...images.flatMap((id) => arns('ec2', `image/${id}`, '')),
        ...arns('ec2', 'snapshot/*', ''),
        ...subnets.flatMap((id) => arns('ec2', `subnet/${id}`)),
        ...groups.flatMap((id) => arns('ec2', `security-group/${id}`)),
        ...keyPairs.flatMap((name) => arns('ec2', `key-pair/${name}`)),
      ],
    },
    { Sid: 'LaunchTagged', Resource: ec2Arns(ground, made), Condition: withOwner(config) },
    {
      Sid: 'TagAtLaunch',
      Resource: ec2Arns(ground, tagged),
      Condition: withOwner(config, { 'ec2:CreateAction': calls }),
    },
  ];
  const templates = ec2Arns(ground, ['launch-template']);
  // A template's name does not stand in its ARN, so one of the user's own cannot be told by it.
  if (features.has('user-template')) drafts.push({ Sid: 'LaunchByTemplate', Resource: templates });
  else if (features.has('own-template'))
    drafts.push({ Sid: 'LaunchByTemplate', Resource: templates, Condition: ofOwner(config) });
  return drafts;
}

function keysDraft({ config, arns }: Ground): Draft {
  const path = config.settings.keys.slice('ssm:'.length);
  return { Sid: 'Keys', Resource: arns('ssm', `parameter${path}/*`) };
}

/** The parameters with GitLab tokens and secrets of webhooks, each where its pool is. */
function tokensDraft({ config, partition, arns }: Ground): Draft {
  const [anywhere = ''] = arns('ssm', '');
  const account = anywhere.split(':')[4] ?? '*';
  const named = config.pools
    .flatMap(({ queue }) => secretsInSsm(queue))
    .map(
      ({ name, site }) =>
        `arn:${partition}:ssm:${site.region}:${account}:parameter/${name.replace(/^\//, '')}`,
    );
  return { Sid: 'GitlabTokens', Resource: sorted(named) };
}

function imageDraft({ config, arns }: Ground): Draft {
  const names = config.pools.map(({ launch }) => {
    const name = launch.ami?.startsWith('resolve:ssm:') ? launch.ami.slice('resolve:ssm:'.length) : null;
    return name === null || name.startsWith('/aws/service/') ? null : name.replace(/:[\w.-]+$/, '');
  });
  const own = names.flatMap((name) => name ?? []).map((name) => (name.startsWith('/') ? name : `/${name}`));
  const isPublic = names.includes(null);
  return {
    Sid: 'ImageNames',
    Resource: [
      ...(isPublic ? arns('ssm', 'parameter/aws/service/*', '') : []),
      ...sorted(own).flatMap((name) => arns('ssm', `parameter${name}`)),
    ],
  };
}

function queueArnOf(url: string, partition: string): string {
  const found = /^https?:\/\/(?:[^/]+\.)?sqs\.([a-z0-9-]+)\.[^/]+\/(\d{12})\/([\w.-]+)$/.exec(url);
  const name = url.slice(url.lastIndexOf('/') + 1);
  return found === null
    ? `arn:${partition}:sqs:*:*:${name}`
    : `arn:${partition}:sqs:${found[1] ?? '*'}:${found[2] ?? '*'}:${found[3] ?? name}`;
}

/** The statements of every part but the launch. */
const drafts: Readonly<Record<Exclude<Part, 'launch'>, (ground: Ground) => Draft>> = {
  reads: ({ config }) => ({
    Sid: 'Look',
    Resource: ['*'],
    Condition: {
      StringEquals: { 'aws:RequestedRegion': sorted(config.pools.map(({ launch }) => launch.site.region)) },
    },
  }),
  end: (ground) => ({
    Sid: 'EndOwn',
    Resource: ec2Arns(ground, ['instance']),
    Condition: ofOwner(ground.config),
  }),
  cancel: (ground) => ({
    Sid: 'CancelOwn',
    Resource: ec2Arns(ground, ['spot-instances-request']),
    Condition: ofOwner(ground.config),
  }),
  volumes: (ground) => ({
    Sid: 'DeleteOwnVolumes',
    Resource: ec2Arns(ground, ['volume']),
    Condition: ofOwner(ground.config),
  }),
  'new-template': (ground) => ({
    Sid: 'MakeTemplate',
    Resource: ec2Arns(ground, ['launch-template']),
    Condition: withOwner(ground.config),
  }),
  templates: (ground) => ({
    Sid: 'KeepTemplate',
    Resource: ec2Arns(ground, ['launch-template']),
    Condition: ofOwner(ground.config),
  }),
  groups: (ground) => ({ Sid: 'OpenGroups', Resource: ec2Arns(ground, ['security-group', 'vpc']) }),
  // Only what carries no owner yet: the machines that EC2 leaves untagged.
  'tag-filled': (ground) => ({
    Sid: 'TagFilledRequests',
    Resource: ec2Arns(ground, ['instance']),
    Condition: { ...withOwner(ground.config), Null: { [`aws:ResourceTag/${TAG.owner}`]: 'true' } },
  }),
  images: imageDraft,
  keys: keysDraft,
  tokens: tokensDraft,
  queue: ({ config, partition }) => ({
    Sid: 'Events',
    Resource: sorted(config.pools.flatMap(({ interruptionQueue }) => interruptionQueue ?? [])).map((url) =>
      queueArnOf(url, partition),
    ),
  }),
  'pass-role': ({ config, arns, partition }) => ({
    Sid: 'PassRole',
    Resource: sorted(
      config.pools
        .flatMap(({ launch }) => launch.iamInstanceProfile ?? [])
        .flatMap((name) => arns('iam', `role/${name}`).map((arn) => arn.replace(/:iam:[^:]*:/, ':iam::'))),
    ),
    Condition: {
      StringEquals: { 'iam:PassedToService': `ec2.amazonaws.com${partition === 'aws-cn' ? '.cn' : ''}` },
    },
  }),
  'spot-role': ({ partition }) => ({
    Sid: 'SpotRole',
    Resource: [`arn:${partition}:iam::*:role/aws-service-role/spot.amazonaws.com/*`],
    Condition: { StringEquals: { 'iam:AWSServiceName': 'spot.amazonaws.com' } },
  }),
  'disk-key': ({ config, arns }) => ({
    Sid: 'DiskKey',
    Resource: sorted(
      config.pools
        .flatMap(({ launch }) => launch.volumeKmsKey ?? [])
        // An alias is no resource of these actions: the key behind it is.
        .flatMap((key) =>
          key.startsWith('arn:') ? [key] : arns('kms', key.startsWith('alias/') ? 'key/*' : `key/${key}`),
        ),
    ),
    Condition: {
      StringLike: { 'kms:ViaService': 'ec2.*' },
    },
  }),
};

const parts: readonly Part[] = [
  'reads',
  'launch',
  ...(Object.keys(drafts) as Part[]).filter((part) => part !== 'reads'),
];

/** The policy for exactly what this configuration uses. */
export function iamPolicy(config: Config): IamPolicy {
  const features = featuresOf(config);
  const ground = groundOf(config, features);
  const statements = parts.flatMap((part): PolicyStatement[] => {
    const wanted = grants.filter(
      (one) => one.part === part && one.features.some((each) => features.has(each)),
    );
    const actions = sorted(wanted.map(({ action }) => action));
    if (actions.length === 0) return [];
    if (part !== 'launch') return [{ Effect: 'Allow', Action: actions, ...drafts[part](ground) }];
    return launchDrafts(ground).map((draft) => ({
      Effect: 'Allow',
      Action: draft.Sid === 'TagAtLaunch' ? ['ec2:CreateTags'] : actions,
      ...draft,
    }));
  });
  return {
    Version: '2012-10-17',
    Statement: statements.map(({ Sid, Effect, Action, Resource, Condition }) => ({
      Sid: `Hostler${Sid}`,
      Effect,
      Action,
      Resource,
      ...(Condition !== undefined && { Condition }),
    })),
  };
}
