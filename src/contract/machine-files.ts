// The files of one machine's folder in docker-machine's store, as `create` is handed them: what gitlab-runner reads,
// what the shell door reads, and a config.json that docker-machine 0.16.2 loads too, so that it can `rm` the machine.
// Pure. Trap: the folder belongs to the runner's user: no AWS credentials and no private key but the client's go in.

import type { HostSpec, PoolSpec } from '../domain/config.ts';
import type { Machine } from '../domain/machine.ts';
import { formatHealth, HEALTH, KNOWN_HOSTS, MACHINES, MARK } from './store-layout.ts';

export type MachineFilesInput = {
  /** The docker-machine name, already checked against NAME_PATTERN. */
  name: string;
  /** Absolute MACHINE_STORAGE_PATH, as the door named it. */
  store: string;
  /** Its address and instance must be known. */
  machine: Machine;
  pool: PoolSpec;
  /** Authority, client certificate and client key in PEM. */
  tls: { ca: string; cert: string; key: string };
  /** Path of the private key that opens the host's SSH; null = leave it to the caller's agent. */
  sshKeyPath: string | null;
  /** Epoch milliseconds until which `config` may answer yes without looking at the host. */
  healthyUntil: number;
};

/** `tcp://ADDRESS:PORT`, IPv6 in brackets. */
export function dockerUrl(address: string, port: number): string {
  return `tcp://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** Every file of the folder by name. The door writes them with mode 0600 as they are. */
export function machineFiles(input: MachineFilesInput): Record<string, string> {
  const { machine, pool, tls } = input;
  return {
    'config.json': `${JSON.stringify(hostConfig(input), null, 4)}\n`,
    'ca.pem': tls.ca,
    'cert.pem': tls.cert,
    'key.pem': tls.key,
    [MARK]: `${dockerUrl(machine.address ?? '', pool.host.dockerPort)}\n${machine.id}\n`,
    [HEALTH]: formatHealth({ kind: 'ok', until: input.healthyUntil }),
    [KNOWN_HOSTS]: knownHosts(machine, pool.host.sshPort),
  };
}

function knownHosts(machine: Machine, port: number): string {
  const host = port === 22 ? machine.address : `[${machine.address}]:${port}`;
  return machine.hostKeys.map((key) => `${host} ${key}\n`).join('');
}

function hostConfig(input: MachineFilesInput): object {
  const driverOptions = { ...driverBase(input), ...amazonDriver(input) };
  const options = { engine: engineOptions(input.pool.host), sans: input.pool.host.tlsSans };
  return hostRecord({ ...input, driver: 'amazonec2', driverOptions }, options);
}

/** config.json of a host that nobody manages (driver none), with the engine and tls options of its create. */
export function plainHostConfig(input: {
  store: string;
  name: string;
  url: string;
  /** `engine-opt=…` and the like, without the leading dashes. */
  options: readonly string[];
}): object {
  const all = (key: string) =>
    input.options
      .filter((option) => option.startsWith(`${key}=`))
      .map((option) => option.slice(key.length + 1));
  const engine = engineOptions({
    engineInstallUrl: all('engine-install-url').at(-1) ?? 'https://get.docker.com',
    engineOptions: all('engine-opt'),
    engineEnv: all('engine-env'),
    engineLabels: all('engine-label'),
    engineRegistryMirrors: all('engine-registry-mirror'),
    engineInsecureRegistries: all('engine-insecure-registry'),
    engineStorageDriver: all('engine-storage-driver').at(-1) ?? null,
  });
  const driverOptions = { ...driverBase(input), URL: input.url };
  return hostRecord({ ...input, driver: 'none', driverOptions }, { engine, sans: all('tls-san') });
}

type HostRecord = { store: string; name: string; driver: string; driverOptions: object };

function hostRecord(host: HostRecord, options: { engine: object; sans: readonly string[] }): object {
  return {
    ConfigVersion: 3,
    Driver: host.driverOptions,
    DriverName: host.driver,
    HostOptions: {
      Driver: '',
      Memory: 0,
      Disk: 0,
      EngineOptions: options.engine,
      SwarmOptions: noSwarm,
      AuthOptions: authOptions(`${host.store}/${MACHINES}/${host.name}`, options.sans),
    },
    Name: host.name,
  };
}

/** What every driver of docker-machine keeps. */
function driverBase({ store, name }: { store: string; name: string }): object {
  return {
    IPAddress: '',
    MachineName: name,
    SSHUser: '',
    SSHPort: 0,
    SSHKeyPath: '',
    StorePath: store,
    SwarmMaster: false,
    SwarmHost: '',
    SwarmDiscovery: '',
  };
}

/** Go has no null for text. */
function given(text: string | null | undefined): string {
  return text ?? '';
}

/**
 * docker-machine's amazonec2 record. ExistingKey keeps its `rm` from deleting an EC2 key pair that hostler never made;
 * credentials stay empty, so that it takes those of its own environment.
 */
function amazonDriver({ machine, pool, sshKeyPath }: MachineFilesInput): object {
  const { launch, host } = pool;
  const onPrivate = launch.privateAddressOnly || launch.usePrivateAddress;
  return {
    IPAddress: given(machine.address),
    SSHUser: host.sshUser,
    SSHPort: host.sshPort,
    SSHKeyPath: given(sshKeyPath),
    Id: '',
    AccessKey: '',
    SecretKey: '',
    SessionToken: '',
    Region: launch.site.region,
    AMI: given(machine.imageId ?? launch.ami),
    SSHKeyID: 0,
    ExistingKey: true,
    KeyName: given(launch.keypairName),
    InstanceId: given(machine.instance),
    InstanceType: machine.offering.type,
    PrivateIPAddress: onPrivate ? given(machine.address) : '',
    SecurityGroupId: '',
    SecurityGroupIds: [],
    SecurityGroupName: '',
    SecurityGroupNames: launch.securityGroups,
    SecurityGroupReadOnly: true,
    OpenPorts: launch.openPorts,
    Tags: '',
    ReservationId: '',
    DeviceName: given(launch.deviceName),
    RootSize: launch.rootSizeGb,
    VolumeType: launch.volumeType,
    VolumeEncrypted: launch.volumeEncrypted,
    VolumeKmsKeyId: given(launch.volumeKmsKey),
    IamInstanceProfile: given(launch.iamInstanceProfile),
    VpcId: given(launch.vpcId),
    SubnetId: given(launch.subnetId),
    Zone: given(machine.offering.zone?.slice(launch.site.region.length)),
    RequestSpotInstance: machine.offering.market === 'spot',
    SpotPrice: given(launch.maxPriceUsd),
    BlockDurationMinutes: 0,
    PrivateIPOnly: launch.privateAddressOnly,
    UsePrivateIP: launch.usePrivateAddress,
    UseEbsOptimizedInstance: launch.ebsOptimized,
    Monitoring: launch.monitoring,
    SSHPrivateKeyPath: '',
    RetryCount: 5,
    Endpoint: given(launch.site.endpoint),
    DisableSSL: false,
    UserDataFile: '',
    MetadataTokenSetting: launch.metadataTokens,
    MetadataTokenResponseHopLimit: launch.metadataHopLimit,
  };
}

type EngineSpec = Pick<
  HostSpec,
  | 'engineInstallUrl'
  | 'engineOptions'
  | 'engineEnv'
  | 'engineLabels'
  | 'engineRegistryMirrors'
  | 'engineInsecureRegistries'
  | 'engineStorageDriver'
>;

function engineOptions(host: EngineSpec): object {
  return {
    ArbitraryFlags: host.engineOptions,
    Dns: null,
    GraphDir: '',
    Env: host.engineEnv,
    Ipv6: false,
    InsecureRegistry: host.engineInsecureRegistries,
    Labels: host.engineLabels,
    LogLevel: '',
    StorageDriver: host.engineStorageDriver ?? '',
    SelinuxEnabled: false,
    TlsVerify: true,
    RegistryMirror: host.engineRegistryMirrors,
    InstallURL: host.engineInstallUrl,
  };
}

/** Swarm as docker-machine writes it for a machine outside any: its loader wants the object. */
const noSwarm = {
  IsSwarm: false,
  Address: '',
  Discovery: '',
  Agent: false,
  Master: false,
  Host: 'tcp://0.0.0.0:3376',
  Image: 'swarm:latest',
  Strategy: 'spread',
  Heartbeat: 0,
  Overcommit: 0,
  ArbitraryFlags: [],
  ArbitraryJoinFlags: [],
  Env: null,
  IsExperimental: false,
};

/**
 * The runner takes StorePath only. The other paths point into the same folder: there is no shared `certs/`, and the
 * authority's key never leaves the daemon.
 */
function authOptions(folder: string, sans: readonly string[]): object {
  return {
    CertDir: folder,
    CaCertPath: `${folder}/ca.pem`,
    CaPrivateKeyPath: `${folder}/ca-key.pem`,
    CaCertRemotePath: '',
    ServerCertPath: `${folder}/server.pem`,
    ServerKeyPath: `${folder}/server-key.pem`,
    ClientKeyPath: `${folder}/key.pem`,
    ServerCertRemotePath: '',
    ServerKeyRemotePath: '',
    ClientCertPath: `${folder}/cert.pem`,
    ServerCertSANs: sans,
    StorePath: folder,
  };
}
