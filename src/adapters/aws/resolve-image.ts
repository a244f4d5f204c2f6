// Which image a pool launches: an id, an SSM parameter, or the current Ubuntu LTS; and how that image names its root
// device. The id is looked up by us, not by EC2, so that it can be logged, compared for drift and stored with the intent.
import type { Image } from '@aws-sdk/client-ec2';
import type { LaunchSpec } from '../../domain/config.ts';
import { type Architecture, architectureOf } from '../../domain/offering.ts';
import { outcomeOf, refusal } from '../../domain/outcome.ts';
import type { Log } from '../../ports/log.ts';
import { unreadableAnswer } from './errors.ts';
import type { SiteCalls } from './site-calls.ts';

export type ResolvedImage = { imageId: string; imageFrom: string; rootDevice: string };

type Deps = { calls: SiteCalls; log: Log; signal: AbortSignal };

const SSM_PREFIX = 'resolve:ssm:';

/** docker-machine's default root device; right for Ubuntu and Debian, wrong for Amazon Linux, so only the last resort. */
const DEFAULT_ROOT_DEVICE = '/dev/sda1';

/** Canonical's public parameter for the current image of the LTS that hostler is tested with. */
export function defaultImageParameter(architecture: Architecture): string {
  const canonical = architecture === 'arm64' ? 'arm64' : 'amd64';
  return `/aws/service/canonical/ubuntu/server/24.04/stable/current/${canonical}/hvm/ebs-gp3/ami-id`;
}

/** Throws `cloud-refused`; an image that EC2 does not show is `invalid`. */
export async function resolveImage(spec: LaunchSpec, deps: Deps): Promise<ResolvedImage> {
  const source = spec.ami ?? (await imageOfTemplate(spec, deps)) ?? defaultImage(spec);
  const imageId = source.startsWith(SSM_PREFIX)
    ? await readParameter(source.slice(SSM_PREFIX.length), deps)
    : source;
  const image = await describeImage(imageId, deps);
  const named = image?.RootDeviceName ?? null;
  if (spec.deviceName !== null && named !== null && spec.deviceName !== named) {
    deps.log.warn(
      'amazonec2-device-name is not the root device of the image: the host gets a second, empty disk',
      {
        image: imageId,
        device: spec.deviceName,
        root: named,
      },
    );
  }
  return { imageId, imageFrom: source, rootDevice: spec.deviceName ?? named ?? DEFAULT_ROOT_DEVICE };
}

function defaultImage({ needs, instanceType }: LaunchSpec): string {
  return SSM_PREFIX + defaultImageParameter(needs?.architecture ?? architectureOf(instanceType));
}

/** What the user's own launch template names; null without a template, or where it names none. */
async function imageOfTemplate({ template }: LaunchSpec, deps: Deps): Promise<string | null> {
  if (template === null) return null;
  const action = 'DescribeLaunchTemplateVersions';
  const { DescribeLaunchTemplateVersionsCommand } = await import('@aws-sdk/client-ec2');
  const command = new DescribeLaunchTemplateVersionsCommand({
    LaunchTemplateName: template.name,
    Versions: ['$Latest'],
  });
  const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
    clients.describe.send(command, { abortSignal: signal }),
  );
  const [version] = answer.LaunchTemplateVersions ?? [];
  if (version === undefined) throw refusal(action, unreadableAnswer(action, 'without a version'));
  return version.LaunchTemplateData?.ImageId || null;
}

async function readParameter(name: string, deps: Deps): Promise<string> {
  const { GetParameterCommand } = await import('@aws-sdk/client-ssm');
  const answer = await deps.calls.call({ action: 'GetParameter', signal: deps.signal }, (clients, signal) =>
    clients.ssm.send(new GetParameterCommand({ Name: name }), { abortSignal: signal }),
  );
  const value = answer.Parameter?.Value?.trim();
  if (value === undefined)
    throw refusal('GetParameter', unreadableAnswer('GetParameter', `without a value for ${name}`));
  if (/^ami-[0-9a-z]{1,32}$/.test(value)) return value;
  throw refusal('GetParameter', {
    kind: 'invalid',
    scope: 'pool',
    code: 'Hostler.NotAnImage',
    message: `the SSM parameter ${name} holds no image id (ami-…); name a parameter that does in amazonec2-ami`,
  });
}

/** null: EC2 does not let us look (policies made for docker-machine lack DescribeImages), and the launch may still work. */
async function describeImage(imageId: string, deps: Deps): Promise<Image | null> {
  const { DescribeImagesCommand } = await import('@aws-sdk/client-ec2');
  try {
    const answer = await deps.calls.call(
      { action: 'DescribeImages', signal: deps.signal },
      (clients, signal) =>
        clients.describe.send(new DescribeImagesCommand({ ImageIds: [imageId] }), { abortSignal: signal }),
    );
    if (answer.Images === undefined)
      throw refusal('DescribeImages', unreadableAnswer('DescribeImages', 'without an image list'));
    const image = answer.Images.find((one) => one.ImageId === imageId);
    if (image !== undefined) return image;
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome?.kind !== 'denied' || outcome.scope !== 'pool') throw error;
    deps.log.warn('EC2 does not allow DescribeImages; the root device name is guessed', { image: imageId });
    return null;
  }
  throw refusal('DescribeImages', {
    kind: 'invalid',
    scope: 'pool',
    code: 'InvalidAMIID.NotFound',
    message: `the image ${imageId} does not exist in this region or is not shared with this account (amazonec2-ami)`,
  });
}
