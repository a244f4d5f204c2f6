// Every create option and the field of LaunchSpec or HostSpec that it sets.
import { afterAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../../../src/adapters/config/load.ts';
import { optionNames, optionTable } from '../../../../src/adapters/config/option-table.ts';
import type { HostSpec, LaunchSpec, PoolSpec } from '../../../../src/domain/config.ts';
import { createConfigFolder, plainOptions, runnerText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

type Read = { pool: PoolSpec; warnings: string[]; codes: string[] };

async function read(options: readonly string[], env: Record<string, string> = {}): Promise<Read> {
  const path = folder.write('r.toml', runnerText({ options }));
  const { config, issues } = await readConfig({ path, env: { HOME: '/nowhere', ...env }, zone: 'UTC' });
  const [pool] = config?.pools ?? [];
  if (!pool) throw new Error(JSON.stringify(issues));
  return { pool, warnings: issues.map(({ message }) => message), codes: issues.map(({ code }) => code) };
}

/** The plain options with `more` after them. */
const withMore = (...more: string[]) => read([...plainOptions, ...more]);

const key = folder.write('id_ed25519', '-----BEGIN OPENSSH PRIVATE KEY-----\n');
const script = folder.write('boot.sh', '#!/bin/sh\necho up\n');

describe('each option reaches its field', () => {
  const launch: [string, Partial<LaunchSpec>][] = [
    ['amazonec2-ami=ami-0123456789abcdef0', { ami: 'ami-0123456789abcdef0' }],
    ['amazonec2-ami=resolve:ssm:/our/image', { ami: 'resolve:ssm:/our/image' }],
    ['amazonec2-vpc-id=vpc-0a1b2c3d', { vpcId: 'vpc-0a1b2c3d' }],
    ['amazonec2-zone=b', { zone: 'eu-central-1b' }],
    ['amazonec2-security-group=hosts', { securityGroups: ['hosts'] }],
    ['amazonec2-security-group-readonly=true', { securityGroupReadonly: true }],
    ['amazonec2-security-group-readonly', { securityGroupReadonly: true }],
    ['amazonec2-open-port=8080', { openPorts: ['8080/tcp'] }],
    ['amazonec2-open-port=53/udp', { openPorts: ['53/udp'] }],
    ['amazonec2-tags=team,ci, stage ,prod', { tags: { team: 'ci', stage: 'prod' } }],
    ['amazonec2-device-name=/dev/xvda', { deviceName: '/dev/xvda' }],
    ['amazonec2-root-size=80', { rootSizeGb: 80 }],
    ['amazonec2-volume-type=gp2', { volumeType: 'gp2' }],
    ['amazonec2-volume-encrypted=false', { volumeEncrypted: false }],
    ['amazonec2-volume-kms-key=alias/ci', { volumeKmsKey: 'alias/ci' }],
    ['amazonec2-iam-instance-profile=ci-hosts', { iamInstanceProfile: 'ci-hosts', metadataHopLimit: 2 }],
    ['amazonec2-request-spot-instance=true', { market: 'spot', maxPriceUsd: '0.50' }],
    ['amazonec2-use-fleet=true', { way: 'fleet' }],
    ['amazonec2-launch-template=ci-hosts', { template: { name: 'ci-hosts', overrides: [] } }],
    ['amazonec2-instance-type=c5.large', { instanceTypes: ['m5.large', 'c5.large'] }],
    ['amazonec2-subnet-id=subnet-0b', { subnetIds: ['subnet-0a1b2c3d', 'subnet-0b'] }],
    ['amazonec2-monitoring=true', { monitoring: true }],
    ['amazonec2-use-ebs-optimized-instance=true', { ebsOptimized: true }],
    ['amazonec2-private-address-only=true', { privateAddressOnly: true }],
    ['amazonec2-use-private-address=T', { usePrivateAddress: true }],
    ['amazonec2-metadata-token=optional', { metadataTokens: 'optional' }],
    ['amazonec2-metadata-token-response-hop-limit=3', { metadataHopLimit: 3 }],
    [`amazonec2-userdata=${script}`, { userData: Buffer.from('#!/bin/sh\necho up\n').toString('base64') }],
  ];

  test.each(launch)('%s', async (option, fields) => {
    expect((await withMore(option)).pool.launch).toMatchObject(fields);
  });

  const host: [string, Partial<HostSpec>][] = [
    ['amazonec2-ssh-user=admin', { sshUser: 'admin' }],
    ['amazonec2-ssh-port=2222', { sshPort: 2222 }],
    [`amazonec2-ssh-keypath=${key}`, { sshKeyPath: key }],
    [
      'engine-install-url=https://mirror.example/docker.sh',
      { engineInstallUrl: 'https://mirror.example/docker.sh' },
    ],
    ['engine-registry-mirror=https://mirror.example', { engineRegistryMirrors: ['https://mirror.example'] }],
    ['engine-insecure-registry=10.0.0.0/8', { engineInsecureRegistries: ['10.0.0.0/8'] }],
    ['engine-opt=log-driver=journald', { engineOptions: ['log-driver=journald'] }],
    ['engine-env=HTTP_PROXY=http://proxy:3128', { engineEnv: ['HTTP_PROXY=http://proxy:3128'] }],
    ['engine-label=tier=ci', { engineLabels: ['tier=ci'] }],
    ['engine-storage-driver=vfs', { engineStorageDriver: 'vfs' }],
    ['tls-san=ci.example', { tlsSans: ['ci.example'] }],
  ];

  test.each(host)('%s', async (option, fields) => {
    expect((await withMore(option)).pool.host).toMatchObject(fields);
  });

  test('region, endpoint, subnet, type and keys make the site and the offering', async () => {
    const { pool } = await read([
      'amazonec2-region=ap-northeast-1',
      'amazonec2-endpoint=http://127.0.0.1:4566',
      'amazonec2-subnet-id=subnet-1',
      'amazonec2-instance-type=c5.large',
      'amazonec2-access-key=AKIAEXAMPLE',
      'amazonec2-secret-key=example',
      'amazonec2-session-token=token',
    ]);
    const { site, subnetId, instanceType } = pool.launch;
    expect({ subnetId, instanceType }).toEqual({ subnetId: 'subnet-1', instanceType: 'c5.large' });
    expect(site).toMatchObject({ region: 'ap-northeast-1', endpoint: 'http://127.0.0.1:4566' });
    if (site.credentials.kind !== 'static') throw new Error('keys were not taken');
    expect(site.credentials.secretAccessKey.reveal()).toBe('example');
    expect(site.credentials.sessionToken?.reveal()).toBe('token');
    expect(JSON.stringify(pool)).not.toContain('secret-key');
  });

  test('a key pair comes with its key', async () => {
    const { pool } = await withMore('amazonec2-keypair-name=ops', `amazonec2-ssh-keypath=${key}`);
    expect(pool.launch.keypairName).toBe('ops');
  });

  test('insecure transport turns an address without scheme into http', async () => {
    const { pool } = await withMore('amazonec2-endpoint=127.0.0.1:4566', 'amazonec2-insecure-transport=true');
    expect(pool.launch.site.endpoint).toBe('http://127.0.0.1:4566');
  });

  test('lists add up', async () => {
    const { pool } = await withMore(
      'engine-opt=a=1',
      'engine-opt=b=2',
      'amazonec2-security-group=x',
      'amazonec2-security-group=y',
    );
    expect(pool.host.engineOptions).toEqual(['a=1', 'b=2']);
    expect(pool.launch.securityGroups).toEqual(['x', 'y']);
  });

  test('no option of the table is without a field or a reason', async () => {
    const spoken = [...launch, ...host].map(([option]) => option.split('=')[0] ?? '');
    const elsewhere = [
      'region',
      'endpoint',
      'subnet-id',
      'instance-type',
      'access-key',
      'secret-key',
      'session-token',
      'keypair-name',
      'insecure-transport',
      'spot-price',
    ];
    const covered = new Set([...spoken, ...elsewhere.map((name) => `amazonec2-${name}`)]);
    expect(optionNames.filter((name) => !covered.has(name) && !optionTable[name]?.idle)).toEqual([]);
  });
});

describe('defaults', () => {
  test('are docker-machine’s, but for image, root device, volume and metadata', async () => {
    const { pool } = await read([]);
    expect(pool.launch).toMatchObject({
      site: { key: 'us-east-1', region: 'us-east-1', endpoint: null, credentials: { kind: 'chain' } },
      ami: null,
      zone: 'us-east-1a',
      securityGroups: ['docker-machine'],
      instanceType: 't2.micro',
      market: 'on-demand',
      maxPriceUsd: null,
      deviceName: null,
      rootSizeGb: 16,
      volumeType: 'gp3',
      volumeEncrypted: true,
      metadataTokens: 'required',
      metadataHopLimit: 1,
    });
    expect(pool.host).toMatchObject({ sshUser: 'ubuntu', sshPort: 22, dockerPort: 2376 });
  });

  test('the zone is the subnet’s when a subnet is given and no zone is', async () => {
    expect((await withMore()).pool.launch.zone).toBeNull();
  });

  test('behind an endpoint a zone is taken as it is, and none is guessed', async () => {
    const endpoint = ['amazonec2-endpoint=http://127.0.0.1:1', 'amazonec2-region=eu-central-1'];
    expect((await read(endpoint)).pool.launch.zone).toBeNull();
    expect((await read([...endpoint, 'amazonec2-zone=eu-central-1c'])).pool.launch.zone).toBe(
      'eu-central-1c',
    );
  });

  test('docker-machine’s environment variables stand in for absent options, and options go first', async () => {
    const env = {
      AWS_DEFAULT_REGION: 'eu-west-1',
      AWS_INSTANCE_TYPE: 'c5.large',
      AWS_SECURITY_GROUP: 'a, b',
    };
    const { pool } = await read(['amazonec2-region=eu-central-1'], env);
    expect(pool.launch).toMatchObject({
      site: { region: 'eu-central-1' },
      instanceType: 'c5.large',
      securityGroups: ['a', 'b'],
    });
  });

  test('secret options may name a file', async () => {
    const file = folder.write('secret', 'from-a-file\n');
    const { pool } = await withMore('amazonec2-access-key=AKIAEXAMPLE', `amazonec2-secret-key=file:${file}`);
    const { credentials } = pool.launch.site;
    expect(credentials.kind === 'static' && credentials.secretAccessKey.reveal()).toBe('from-a-file');
  });
});

describe('the price of spot', () => {
  const price = async (...options: string[]) =>
    (await withMore('amazonec2-request-spot-instance=true', ...options)).pool.launch.maxPriceUsd;

  test('absent is docker-machine’s cap, empty is none, a number is the cap', async () => {
    expect(await price()).toBe('0.50');
    expect(await price('amazonec2-spot-price=')).toBeNull();
    expect(await price('amazonec2-spot-price=0.03')).toBe('0.03');
  });

  test('means nothing without spot, and that is said', async () => {
    const { pool, codes } = await withMore('amazonec2-spot-price=0.03');
    expect(pool.launch).toMatchObject({ market: 'on-demand', maxPriceUsd: null });
    expect(codes).toEqual(['spot-price-alone']);
  });
});

describe('options that are taken with a word', () => {
  test.each<[string, string, RegExp]>([
    [
      'amazonec2-block-duration-minutes=60',
      'option-idle',
      /no longer offers spot instances for a fixed time/,
    ],
    ['amazonec2-retries=9', 'option-idle', /by its own rules/],
    ['swarm-master=true', 'option-idle', /Swarm/],
    [
      'amazonec2-instance-typ=m5.large',
      'option-unknown',
      /on which docker-machine's create fails; did you mean amazonec2-instance-type\?/,
    ],
    ['amazonec2-region=eu-central-2', 'option-repeated', /the last one counts/],
    ['amazonec2-tags=team,ci,odd', 'tags-odd', /the last, "odd", is left out/],
    ['amazonec2-security-group=sg-0123456789', 'security-group-id', /is used as the group's id/],
    ['amazonec2-zone=eu-central-1b', 'zone-long', /takes the letter alone, here "b"/],
    ['amazonec2-device-name=${DEVICE}', 'option-placeholder', /does not expand variables in MachineOptions/],
    ['amazonec2-endpoint=http://ec2.example', 'endpoint-plain', /plain http/],
    ['amazonec2-session-token=x', 'credentials-half', /has no effect without/],
  ])('%s', async (option, code, words) => {
    const path = folder.write('r.toml', runnerText({ options: [...plainOptions, option] }));
    const { issues } = await readConfig({ path, env: { HOME: '/nowhere' } });
    const found = issues.find((issue) => issue.code === code);
    expect(found).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(words),
      pool: 'build',
    });
    expect(found?.where).toMatch(/r\.toml:\d+:\d+$/);
  });

  test('a region that is new to hostler is used', async () => {
    const { pool, codes } = await read(['amazonec2-region=eu-central-7']);
    expect([pool.launch.site.region, ...codes]).toEqual(['eu-central-7', 'region-unknown']);
  });
});

describe('sites', () => {
  async function keysOf(...credentials: string[][]): Promise<string[]> {
    const sections = credentials.map((options, index) => ({
      name: `r${index}`,
      token: `glrt-${index}aaaaaaaaaaaaa`,
      options: [...plainOptions, ...options],
    }));
    const path = folder.write('r.toml', runnerText(...sections));
    const { config } = await readConfig({ path, env: { HOME: '/nowhere' } });
    return config?.pools.map(({ launch }) => launch.site.key) ?? [];
  }
  const account = (id: string) => [`amazonec2-access-key=${id}`, 'amazonec2-secret-key=x'];

  test('two accounts in one region are two sites, one account is one', async () => {
    expect(await keysOf(account('A'), account('B'), account('A'))).toEqual([
      'eu-central-1',
      'eu-central-1 account2',
      'eu-central-1',
    ]);
  });

  test('a site keeps its key when its access key is rotated or gives way to a role', async () => {
    expect(await keysOf(account('OLD'))).toEqual(await keysOf(account('NEW')));
    expect(await keysOf(account('OLD'))).toEqual(await keysOf([]));
  });
});
