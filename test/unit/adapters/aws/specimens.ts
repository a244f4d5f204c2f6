// Plain values for the tests of this folder: a site, options, a resolution, a silent log that keeps its lines.
import { type CloudSite, type LaunchSpec, Secret } from '../../../../src/domain/config.ts';
import type { ResolvedLaunch } from '../../../../src/domain/launch.ts';
import type { Log } from '../../../../src/ports/log.ts';
import { launchSpec as builtLaunchSpec } from '../../../support/builders.ts';

export function siteAt(endpoint: string | null, more: Partial<CloudSite> = {}): CloudSite {
  return {
    key: 'eu-central-1',
    region: 'eu-central-1',
    endpoint,
    credentials: {
      kind: 'static',
      accessKeyId: 'AKIDTEST',
      secretAccessKey: new Secret('not-for-any-log'),
      sessionToken: null,
    },
    assumeRoleArn: null,
    ...more,
  };
}

/** An on-demand launch with every id named, so that nothing is looked up unless a test asks for it. */
export function launchSpec(more: Partial<LaunchSpec> = {}): LaunchSpec {
  return builtLaunchSpec({
    site: siteAt(null),
    ami: 'ami-0123456789abcdef0',
    vpcId: 'vpc-1',
    zone: null,
    subnetId: 'subnet-1',
    securityGroups: ['runner-hosts'],
    market: 'on-demand',
    ...more,
  });
}

export const resolvedLaunch: ResolvedLaunch = {
  imageId: 'ami-0123456789abcdef0',
  imageFrom: 'ami-0123456789abcdef0',
  rootDevice: '/dev/sda1',
  subnetId: 'subnet-1',
  zone: 'eu-central-1a',
  securityGroupIds: ['sg-1'],
  places: [
    { type: 'm5.large', zone: 'eu-central-1a', market: 'on-demand', subnetId: 'subnet-1', vcpus: null },
  ],
};

export type Line = { level: string; message: string; fields: Readonly<Record<string, unknown>> };

export function keepingLog(): Log & { lines: Line[] } {
  const lines: Line[] = [];
  const make = (bound: Readonly<Record<string, unknown>>): Log & { lines: Line[] } => {
    const at =
      (level: string) =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
        lines.push({ level, message, fields: { ...bound, ...fields } });
      };
    return {
      lines,
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => make({ ...bound, ...fields }),
    };
  };
  return make({});
}

/** Never aborts. */
export const forever = new AbortController().signal;
