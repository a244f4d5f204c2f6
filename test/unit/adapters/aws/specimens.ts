// Plain values for the tests of this folder: a site, options, a resolution, a silent log that keeps its lines.
import { type CloudSite, type HostSpec, type LaunchSpec, Secret } from '../../../../src/domain/config.ts';
import type { ResolvedLaunch } from '../../../../src/domain/launch.ts';
import type { Log } from '../../../../src/ports/log.ts';

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

export function launchSpec(more: Partial<LaunchSpec> = {}): LaunchSpec {
  return {
    site: siteAt(null),
    ami: 'ami-0123456789abcdef0',
    vpcId: 'vpc-1',
    zone: null,
    subnetId: 'subnet-1',
    securityGroups: ['runner-hosts'],
    securityGroupReadonly: false,
    openPorts: [],
    tags: {},
    instanceType: 'm5.large',
    market: 'on-demand',
    maxPriceUsd: null,
    deviceName: null,
    rootSizeGb: 16,
    volumeType: 'gp3',
    volumeEncrypted: true,
    volumeKmsKey: null,
    iamInstanceProfile: null,
    keypairName: null,
    monitoring: false,
    ebsOptimized: false,
    privateAddressOnly: false,
    usePrivateAddress: true,
    userData: null,
    metadataTokens: 'required',
    metadataHopLimit: 1,
    ...more,
  };
}

export function hostSpec(more: Partial<HostSpec> = {}): HostSpec {
  return {
    sshUser: 'ubuntu',
    sshPort: 22,
    sshKeyPath: null,
    dockerPort: 2376,
    engineInstallUrl: 'https://get.docker.com',
    engineOptions: [],
    engineEnv: [],
    engineLabels: [],
    engineRegistryMirrors: [],
    engineInsecureRegistries: [],
    engineStorageDriver: null,
    tlsSans: [],
    prepull: [],
    waitUserData: true,
    ...more,
  };
}

export const resolvedLaunch: ResolvedLaunch = {
  imageId: 'ami-0123456789abcdef0',
  imageFrom: 'ami-0123456789abcdef0',
  rootDevice: '/dev/sda1',
  subnetId: 'subnet-1',
  zone: 'eu-central-1a',
  securityGroupIds: ['sg-1'],
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
