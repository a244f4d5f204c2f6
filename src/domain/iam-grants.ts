// What hostler's credentials must be allowed, each with what it is for, and what a configuration uses of it.
// Trap: a call that an adapter makes and that is not in the table is refused in every account with the printed policy; a
// test compares both, in both directions.
import type { Config, PoolSpec } from './config.ts';
import { secretsInSsm } from './queue.ts';

/** What a configuration may use. */
export type Feature =
  | 'base'
  | 'spot'
  | 'run-instances'
  | 'spot-request'
  | 'fleet'
  | 'own-template'
  | 'user-template'
  | 'choice'
  | 'image-name'
  | 'group-names'
  | 'open-groups'
  | 'default-vpc'
  | 'profile'
  | 'kms'
  | 'queue'
  | 'keys-in-ssm'
  | 'token-in-ssm';

/** Statements that the permissions fall into; each has its own resources and conditions. */
export type Part =
  | 'reads'
  | 'launch'
  | 'end'
  | 'cancel'
  | 'new-template'
  | 'templates'
  | 'volumes'
  | 'groups'
  | 'tag-filled'
  | 'images'
  | 'keys'
  | 'tokens'
  | 'queue'
  | 'pass-role'
  | 'spot-role'
  | 'disk-key';

export type Grant = {
  /** `service:Action`. */
  action: string;
  features: readonly Feature[];
  part: Part;
  /** The call in the API behind it, where its name differs; null = EC2 checks it on a call of another name. */
  call?: string | null;
};

const grant = (part: Part, feature: Feature | readonly Feature[], ...actions: readonly string[]): Grant[] =>
  actions.map((action) => ({ action, part, features: typeof feature === 'string' ? [feature] : feature }));

/** Every permission, and what it is for. */
export const grants: readonly Grant[] = [
  ...grant('reads', 'base', 'ec2:DescribeInstances', 'ec2:DescribeImages', 'ec2:DescribeSubnets'),
  ...grant(
    'reads',
    'base',
    'ec2:DescribeVolumes',
    'ec2:DescribeSpotInstanceRequests',
    'ec2:DescribeLaunchTemplates',
  ),
  ...grant('reads', 'group-names', 'ec2:DescribeSecurityGroups'),
  ...grant('reads', 'default-vpc', 'ec2:DescribeVpcs'),
  ...grant('reads', 'choice', 'ec2:DescribeInstanceTypes', 'ec2:DescribeInstanceTypeOfferings'),
  ...grant('reads', 'spot', 'ec2:DescribeSpotPriceHistory'),
  ...grant('reads', 'spot', 'servicequotas:GetServiceQuota'),
  ...grant('reads', ['own-template', 'user-template'], 'ec2:DescribeLaunchTemplateVersions'),
  ...grant('launch', 'run-instances', 'ec2:RunInstances'),
  // An instant fleet launches with the caller's own rights.
  { action: 'ec2:RunInstances', part: 'launch', features: ['fleet'], call: null },
  ...grant('launch', 'fleet', 'ec2:CreateFleet'),
  ...grant('launch', 'spot-request', 'ec2:RequestSpotInstances'),
  ...grant('end', 'base', 'ec2:TerminateInstances', 'ec2:GetConsoleOutput'),
  ...grant('cancel', 'spot', 'ec2:CancelSpotInstanceRequests'),
  ...grant('volumes', 'base', 'ec2:DeleteVolume'),
  ...grant('new-template', 'own-template', 'ec2:CreateLaunchTemplate'),
  ...grant('templates', 'own-template', 'ec2:CreateLaunchTemplateVersion', 'ec2:DeleteLaunchTemplate'),
  ...grant('templates', 'own-template', 'ec2:DeleteLaunchTemplateVersions'),
  ...grant('groups', 'open-groups', 'ec2:CreateSecurityGroup', 'ec2:AuthorizeSecurityGroupIngress'),
  ...grant('tag-filled', 'spot-request', 'ec2:CreateTags'),
  ...grant('images', 'image-name', 'ssm:GetParameter'),
  ...grant('keys', 'keys-in-ssm', 'ssm:GetParameter', 'ssm:PutParameter'),
  ...grant('tokens', 'token-in-ssm', 'ssm:GetParameter'),
  { action: 'sqs:ReceiveMessage', part: 'queue', features: ['queue'] },
  { action: 'sqs:DeleteMessage', part: 'queue', features: ['queue'], call: 'DeleteMessageBatch' },
  { action: 'iam:PassRole', part: 'pass-role', features: ['profile'], call: null },
  { action: 'iam:CreateServiceLinkedRole', part: 'spot-role', features: ['spot'], call: null },
  ...[
    'CreateGrant',
    'Decrypt',
    'DescribeKey',
    'GenerateDataKeyWithoutPlaintext',
    'ReEncryptFrom',
    'ReEncryptTo',
  ].map((name): Grant => ({ action: `kms:${name}`, part: 'disk-key', features: ['kms'], call: null })),
];

function featuresOfPool({ launch, interruptionQueue, queue }: PoolSpec): Feature[] {
  const hasChoice = launch.needs !== null || launch.instanceTypes.length > 1 || launch.subnetIds.length > 1;
  const isFleet =
    launch.way === 'fleet' || (launch.way === 'auto' && (hasChoice || launch.template !== null));
  const hasNames = launch.template === null && launch.securityGroups.some((name) => !name.startsWith('sg-'));
  const isImageNamed = launch.ami?.startsWith('resolve:ssm:') ?? true;
  const isOnDemandBesideRequests = launch.way === 'spot-request' && launch.markets.includes('on-demand');
  const found: [Feature, boolean][] = [
    ['base', true],
    ['spot', launch.markets.includes('spot')],
    // Also where there is a choice: of places that rest all but one may be left.
    ['run-instances', launch.way === 'auto' || launch.way === 'run-instances' || isOnDemandBesideRequests],
    ['spot-request', launch.way === 'spot-request'],
    ['fleet', isFleet],
    ['own-template', isFleet && launch.template === null],
    ['user-template', launch.template !== null],
    ['choice', hasChoice],
    ['image-name', isImageNamed],
    ['group-names', hasNames],
    ['open-groups', hasNames && !launch.securityGroupReadonly],
    ['default-vpc', launch.subnetId === null && launch.vpcId === null],
    ['profile', launch.iamInstanceProfile !== null],
    ['kms', launch.volumeKmsKey !== null],
    ['queue', interruptionQueue !== null],
    ['token-in-ssm', secretsInSsm(queue).length > 0],
  ];
  return found.filter(([, isUsed]) => isUsed).map(([feature]) => feature);
}

/** What this configuration uses. */
export function featuresOf({ settings, pools }: Config): ReadonlySet<Feature> {
  const found = new Set(pools.flatMap(featuresOfPool));
  if (settings.keys.startsWith('ssm:')) found.add('keys-in-ssm');
  return found;
}

/** Each once, in plain order. */
export const sorted = (texts: readonly string[]): string[] =>
  [...new Set(texts)].toSorted((a, b) => (a < b ? -1 : 1));

/** API calls that the policy of this configuration is about: those that EC2 checks on other calls left out. */
export function callsOf(features: ReadonlySet<Feature>): string[] {
  return sorted(
    grants
      .filter((one) => one.call !== null && one.features.some((each) => features.has(each)))
      .map(({ action, call }) => call ?? action.slice(action.indexOf(':') + 1)),
  );
}
