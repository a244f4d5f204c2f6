// `amazonec2-*` options → LaunchSpec: docker-machine's meaning and defaults, but for what hostler decides otherwise
// (root device and image of the day, encrypted gp3 root, IMDSv2).
// Trap: `spot-price` empty, absent and given are three things; so are `zone` with and without a subnet.
import { gzipSync } from 'node:zlib';
import type { CloudSite, LaunchSpec } from '../../domain/config.ts';
import { absolute } from './expand.ts';
import { shown } from './findings.ts';
import type { LaunchChoice } from './launch-choice.ts';
import type { MachineOptions } from './machine-options.ts';
import { type Reading, readSmall } from './reading.ts';

/** EC2's limit on user data, in bytes before base64. */
const MAX_USER_DATA_BYTES = 16 * 1024;

/** Above this no compression helps; bounds the read. */
const MAX_USER_DATA_FILE_BYTES = 1024 * 1024;

/** EC2's own limit: 50 tags a resource, of which hostler and docker-machine's Name take six. */
const MAX_TAGS = 44;

export type LaunchScope = {
  reading: Reading;
  pool: string;
  folder: string;
  site: CloudSite;
  /** Where machines may come from, read before. */
  choice: LaunchChoice;
};

function wrong({ reading, pool }: LaunchScope, options: MachineOptions, name: string, said: string): void {
  reading.findings.error('option-value', `${name} ${said}`, options.spot(name), pool);
}

/** The text of an option if it fits; an empty one counts as absent, as docker-machine has it. */
function fitting(
  scope: LaunchScope,
  options: MachineOptions,
  name: string,
  rule: { pattern: RegExp; right: string },
): string | null {
  const text = options.text(name);
  if (text === null || text === '') return null;
  if (!rule.pattern.test(text)) wrong(scope, options, name, `must be ${rule.right}, is ${shown(text)}`);
  return text;
}

function readZone(scope: LaunchScope, options: MachineOptions): string | null {
  const { region, endpoint } = scope.site;
  const { subnetId: subnet, subnetIds } = scope.choice;
  if (subnetIds.length > 1) return null;
  const zone = options.text('amazonec2-zone');
  // docker-machine would say "a"; behind an endpoint of its own a letter is no zone, so EC2 chooses.
  if (zone === null || zone === '') return subnet === null && endpoint === null ? `${region}a` : null;
  if (endpoint !== null) return zone;
  if (zone.startsWith(region) && zone !== region) {
    const said = `amazonec2-zone takes the letter alone, here "${zone.slice(region.length)}"; read as ${zone}`;
    scope.reading.findings.warn('zone-long', said, options.spot('amazonec2-zone'), scope.pool);
    return zone;
  }
  if (!/^[a-z]$/.test(zone)) wrong(scope, options, 'amazonec2-zone', `must be one letter, is ${shown(zone)}`);
  return `${region}${zone}`;
}

/** `k1,v1,k2,v2`, spaces around a part cut off. */
function readTags(scope: LaunchScope, options: MachineOptions): Record<string, string> {
  const text = options.text('amazonec2-tags');
  if (text === null || text === '') return {};
  const { findings } = scope.reading;
  const spot = options.spot('amazonec2-tags');
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length % 2 === 1) {
    const said = `amazonec2-tags must be pairs "key,value,key,value"; the last, ${shown(parts.pop())}, is left out`;
    findings.warn('tags-odd', said, spot, scope.pool);
  }
  const tags = new Map<string, string>();
  for (let index = 0; index < parts.length; index += 2) {
    const [key = '', value = ''] = [parts[index], parts[index + 1]];
    if (key === '' || key.length > 128 || value.length > 256) {
      findings.error(
        'option-value',
        `amazonec2-tags: ${shown(key)} is not 1 to 128 characters, or its value longer than 256`,
        spot,
        scope.pool,
      );
    } else if (/^(aws|hostler):/i.test(key)) {
      findings.error(
        'option-value',
        `amazonec2-tags: ${shown(key)} is reserved for AWS and hostler`,
        spot,
        scope.pool,
      );
    } else tags.set(key, value);
  }
  if (tags.size > MAX_TAGS) {
    findings.error(
      'option-value',
      `amazonec2-tags: ${tags.size} tags, EC2 leaves room for ${MAX_TAGS}`,
      spot,
      scope.pool,
    );
  }
  return Object.fromEntries(tags);
}

async function readUserData(scope: LaunchScope, options: MachineOptions): Promise<string | null> {
  const path = options.text('amazonec2-userdata');
  if (path === null || path === '') return null;
  const read = await readSmall(scope.reading, absolute(path, scope.folder), MAX_USER_DATA_FILE_BYTES);
  if ('problem' in read) {
    wrong(scope, options, 'amazonec2-userdata', `names a file that is of no use: ${read.problem}`);
    return null;
  }
  const size = Math.min(read.bytes.length, gzipSync(read.bytes).length);
  if (size > MAX_USER_DATA_BYTES) {
    const said = `names a file of ${size} bytes after compression; EC2 takes ${MAX_USER_DATA_BYTES}`;
    wrong(scope, options, 'amazonec2-userdata', said);
  }
  return read.bytes.toString('base64');
}

function readMetadata(scope: LaunchScope, options: MachineOptions, hasProfile: boolean) {
  const tokens = options.text('amazonec2-metadata-token');
  if (tokens !== null && !['', 'required', 'optional'].includes(tokens)) {
    wrong(scope, options, 'amazonec2-metadata-token', `must be required or optional, is ${shown(tokens)}`);
  }
  // With a profile jobs in containers fetch their role's keys: one hop more than the host itself.
  const hops = hasProfile ? 2 : 1;
  return {
    metadataTokens: tokens === 'optional' ? ('optional' as const) : ('required' as const),
    metadataHopLimit: options.whole('amazonec2-metadata-token-response-hop-limit', hops, {
      low: 1,
      high: 64,
    }),
  };
}

function readOpenPorts(scope: LaunchScope, options: MachineOptions): string[] {
  return options.list('amazonec2-open-port').map((written) => {
    const [port = '', proto = 'tcp', ...rest] = written.split('/');
    const isPort = /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535;
    if (!isPort || !/^(tcp|udp)$/.test(proto) || rest.length > 0) {
      wrong(
        scope,
        options,
        'amazonec2-open-port',
        `must be PORT, PORT/tcp or PORT/udp, is ${shown(written)}`,
      );
    }
    return `${port}/${proto}`;
  });
}

function readGroups(scope: LaunchScope, options: MachineOptions): string[] {
  const groups = options.list('amazonec2-security-group').filter((group) => group !== '');
  // docker-machine takes names only and would look for a group called so.
  for (const id of groups.filter((group) => /^sg-[0-9a-f]{8,}$/.test(group))) {
    const said = `amazonec2-security-group takes a name; ${id} is used as the group's id`;
    scope.reading.findings.warn(
      'security-group-id',
      said,
      options.spot('amazonec2-security-group'),
      scope.pool,
    );
  }
  return groups.length === 0 ? ['docker-machine'] : groups;
}

/** Reads all `amazonec2-*` options that decide how instances are launched. */
export async function readLaunchSpec(scope: LaunchScope, options: MachineOptions): Promise<LaunchSpec> {
  const own = (name: string, pattern: RegExp, right: string) =>
    fitting(scope, options, `amazonec2-${name}`, { pattern, right });
  const anyText = (name: string) => own(name, /^[^\s]+$/, 'text without spaces');
  const iamInstanceProfile = own(
    'iam-instance-profile',
    /^[\w+=,.@-]{1,128}$/,
    "an instance profile's name, not its ARN",
  );
  const volumeKmsKey = anyText('volume-kms-key');
  return {
    site: scope.site,
    ami: own(
      'ami',
      /^(ami-[A-Za-z0-9]+|resolve:ssm:[\w./:-]{1,1011})$/,
      'an id such as ami-0123456789abcdef0, or resolve:ssm:NAME',
    ),
    vpcId: own('vpc-id', /^vpc-[A-Za-z0-9]+$/, 'an id such as vpc-0123456789abcdef0'),
    zone: readZone(scope, options),
    securityGroups: readGroups(scope, options),
    securityGroupReadonly: options.isOn('amazonec2-security-group-readonly', false),
    openPorts: readOpenPorts(scope, options),
    tags: readTags(scope, options),
    ...scope.choice,
    deviceName: own('device-name', /^\/dev\/\w+$|^xvd\w+$/, 'a device such as /dev/xvda'),
    rootSizeGb: options.whole('amazonec2-root-size', 16, { low: 1, high: 65_536 }),
    volumeType:
      own(
        'volume-type',
        /^(standard|gp2|gp3|io1|io2|st1|sc1)$/,
        'gp3, gp2, io1, io2, st1, sc1 or standard',
      ) ?? 'gp3',
    volumeEncrypted: options.isOn('amazonec2-volume-encrypted', true),
    volumeKmsKey,
    iamInstanceProfile,
    keypairName: readKeypair(scope, options),
    monitoring: options.isOn('amazonec2-monitoring', false),
    ebsOptimized: options.isOn('amazonec2-use-ebs-optimized-instance', false),
    privateAddressOnly: options.isOn('amazonec2-private-address-only', false),
    usePrivateAddress: options.isOn('amazonec2-use-private-address', false),
    userData: await readUserData(scope, options),
    ...readMetadata(scope, options, iamInstanceProfile !== null),
  };
}

function readKeypair(scope: LaunchScope, options: MachineOptions): string | null {
  const name = options.text('amazonec2-keypair-name');
  if (name === null || name === '') return null;
  if (!options.isGiven('amazonec2-ssh-keypath')) {
    wrong(
      scope,
      options,
      'amazonec2-keypair-name',
      'needs amazonec2-ssh-keypath, the private key that belongs to it',
    );
  }
  return name;
}
