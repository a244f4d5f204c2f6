// `hostler emulate`: an EC2 on this machine, with a host behind every instance (a small one in this process, or a real
// one in a container), to try hostler without AWS.
// It listens on loopback only and takes any credentials; it keeps nothing.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { HostlerError } from '../../domain/error.ts';
import { isQuotaClass } from '../../domain/offering.ts';
import type { DockerHosts } from '../../emulator/docker-hosts/start-docker-hosts.ts';
import type { EmulatedGitlab } from '../../emulator/gitlab/start-gitlab.ts';
import type { CapacityRule, Emulator, EmulatorOptions, QuotaRule } from '../../emulator/start-emulator.ts';
import type { CliIo } from './io.ts';

type Fault = NonNullable<EmulatorOptions['faults']>[number];

type Flags = {
  port: number;
  hosts: 'in-process' | 'docker';
  hostImage?: string;
  hostDisk?: number;
  sshPort?: number;
  boot?: number;
  unseen: number;
  seed: number;
  capacity: CapacityRule[];
  quota: QuotaRule[];
  fail: Fault[];
  requireAccessKey?: string;
  strict?: true;
  gitlabPort?: number;
  gitlabVersion: string;
};

const wholeNumber =
  (what: string, atMost: number) =>
  (text: string): number => {
    if (!/^\d{1,10}$/.test(text) || Number(text) > atMost) {
      throw new InvalidArgumentError(`${what} is a whole number from 0 to ${atMost}.`);
    }
    return Number(text);
  };

/** MB; below 64 no Docker starts. */
function diskSize(text: string): number {
  const mb = wholeNumber('--host-disk', 1_000_000)(text);
  if (mb < 64) throw new InvalidArgumentError('--host-disk is 64 MB or more.');
  return mb;
}

const seconds =
  (what: string) =>
  (text: string): number => {
    if (!/^\d{1,5}(\.\d{1,3})?$/.test(text)) {
      throw new InvalidArgumentError(`${what} is a number of seconds, like 5 or 0.5.`);
    }
    return Number(text);
  };

/** `TYPE:ZONE=N` or `TYPE:ZONE:MARKET=N`, added to those before. */
function readCapacity(text: string, before: CapacityRule[]): CapacityRule[] {
  const [, type = '', zone = '', market = '', count = ''] =
    /^([a-z0-9-]+\.[a-z0-9-]+):([a-z0-9-]+)(?::(spot|on-demand))?=(\d{1,6})$/.exec(text) ?? [];
  if (type === '') {
    throw new InvalidArgumentError(
      'a capacity is TYPE:ZONE=N or TYPE:ZONE:MARKET=N, like m5.large:eu-central-1a=3.',
    );
  }
  const one = market === 'spot' || market === 'on-demand' ? market : null;
  return [...before, { type, zone, market: one, count: Number(count) }];
}

/** `MARKET=VCPU` or `MARKET:CLASS=VCPU`, added to those before. */
function readQuota(text: string, before: QuotaRule[]): QuotaRule[] {
  const [, market = '', name = 'standard', vcpus = ''] =
    /^(spot|on-demand)(?::([a-z-]{1,20}))?=(\d{1,7})$/.exec(text) ?? [];
  if (!isQuotaClass(name) || (market !== 'spot' && market !== 'on-demand')) {
    throw new InvalidArgumentError(
      'a quota is MARKET=VCPU or MARKET:CLASS=VCPU, like spot=32 or on-demand:g=8.',
    );
  }
  return [...before, { market, class: name, vcpus: Number(vcpus) }];
}

/** `CODE:RATE` or `CODE@ACTION:RATE`, added to those before. */
function readFault(text: string, before: Fault[]): Fault[] {
  const [, code = '', action = '', rate = ''] =
    /^([A-Za-z][A-Za-z0-9.-]*)(?:@([A-Za-z]+))?:(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (code === '' || Number(rate) > 1) {
    throw new InvalidArgumentError(
      'a failure is CODE:RATE or CODE@ACTION:RATE with a rate from 0 to 1, like InsufficientInstanceCapacity:0.2.',
    );
  }
  return [...before, { code, rate: Number(rate), action: action === '' ? null : action }];
}

/** `17` or `17.3.1`: answers differ from 16 to 19. */
function readVersion(text: string): string {
  if (/^1[6-9](\.\d{1,3}){0,2}$/.test(text)) return text;
  throw new InvalidArgumentError("GitLab's version is 16 to 19, like 17 or 17.3.1.");
}

/** The emulated GitLab, where one is asked for. */
async function startGitlab(flags: Flags, io: CliIo): Promise<EmulatedGitlab | null> {
  if (flags.gitlabPort === undefined) return null;
  const gitlab = await import('../../emulator/gitlab/start-gitlab.ts');
  return gitlab.startGitlab({
    port: flags.gitlabPort,
    version: flags.gitlabVersion,
    seed: flags.seed,
    onTrouble: (line) => io.err(`hostler emulate: ${line}\n`),
  });
}

/** SSH port and seconds until a host is there, by its kind. A container boots by itself after that, for some 4 s. */
const kinds = { 'in-process': { sshPort: 2222, boot: 5 }, docker: { sshPort: 22, boot: 1 } } as const;

/** Flags of one kind of host given with the other. Throws `usage`. */
function checkKind(flags: Flags): void {
  if (flags.hosts === 'in-process' && flags.hostImage !== undefined) {
    throw new HostlerError('usage', '--host-image goes with --hosts docker', { where: '--host-image' });
  }
  if (flags.hosts === 'in-process' && flags.hostDisk !== undefined) {
    throw new HostlerError('usage', '--host-disk goes with --hosts docker', { where: '--host-disk' });
  }
  if (flags.hosts === 'docker' && flags.sshPort !== undefined && flags.sshPort !== kinds.docker.sshPort) {
    throw new HostlerError(
      'usage',
      `hosts in containers have sshd on port ${kinds.docker.sshPort}; leave --ssh-port out`,
      { where: '--ssh-port' },
    );
  }
}

/** Makes ready for hosts in containers, or null for the other kind. */
async function dockerHosts(flags: Flags, io: CliIo): Promise<DockerHosts | null> {
  if (flags.hosts !== 'docker') return null;
  const { startDockerHosts } = await import('../../emulator/docker-hosts/start-docker-hosts.ts');
  const hosts = await startDockerHosts({
    env: io.env,
    ...(flags.hostImage === undefined ? {} : { image: flags.hostImage }),
    diskMb: flags.hostDisk ?? null,
  });
  if (hosts.removed > 0)
    io.err(`hostler emulate: removed ${hosts.removed} host(s) that a killed emulator left\n`);
  return hosts;
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process as usual. */
function asked(): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      process.off('SIGTERM', end);
      process.off('SIGINT', end);
      resolve();
    };
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
  });
}

const readyLine = (
  emulator: Emulator,
  gitlab: EmulatedGitlab | null,
  flags: { boot: number; seed: number },
): string =>
  `${JSON.stringify({
    endpoint: emulator.endpoint,
    port: emulator.port,
    ssh_port: emulator.sshPort,
    docker_port: emulator.dockerPort,
    boot_s: flags.boot,
    seed: flags.seed,
    ...(gitlab === null ? {} : { gitlab: gitlab.url }),
  })}\n`;

/** Registers `emulate`. */
export function register(program: Command, io: CliIo): void {
  program
    .command('emulate')
    .description('serve an emulated EC2 with hosts on this machine; prints one JSON line when ready')
    .option(
      '-p, --port <port>',
      'port of the EC2 endpoint, 0 for a free one',
      wholeNumber('a port', 65_535),
      0,
    )
    .addOption(
      new Option('--hosts <kind>', 'small hosts in this process, or real ones in containers (Linux, Docker)')
        .choices(['in-process', 'docker'])
        .default('in-process'),
    )
    .option('--host-image <name>', 'image of hosts in containers (default: hostler-host)')
    .option(
      '--host-disk <mb>',
      "size of a disk of its own, in memory, for each container's Docker (default: none)",
      diskSize,
    )
    .option(
      '--ssh-port <port>',
      'SSH port of the hosts (default: 2222; in containers always 22)',
      wholeNumber('a port', 65_535),
    )
    .option(
      '--boot <seconds>',
      'from launch until a host answers (default: 5), or its container starts (1)',
      seconds('--boot'),
    )
    .option('--unseen <seconds>', 'how long EC2 does not know a new instance', seconds('--unseen'), 0.25)
    .option('--capacity <type:zone[:market]=n>', 'machines of a type in a zone; repeatable', readCapacity, [])
    .option('--quota <market=vcpu>', 'vCPU quota of spot or on-demand; repeatable', readQuota, [])
    .option('--fail <code:rate>', 'share of calls that fail with a code; repeatable', readFault, [])
    .option('--require-access-key <key>', 'let in this access key only')
    .option(
      '--gitlab-port <port>',
      'serve an emulated GitLab with a job queue as well, 0 for a free port',
      wholeNumber('a port', 65_535),
    )
    .option('--gitlab-version <version>', "GitLab's version, 16 to 19", readVersion, '19.4.1')
    .option('--strict', 'subnets, groups and images that nobody made do not exist')
    .option('--seed <n>', 'makes failures and ids repeat', wholeNumber('a seed', 4_294_967_295), 1)
    .action(async (flags: Flags) => {
      checkKind(flags);
      const { sshPort = kinds[flags.hosts].sshPort, boot = kinds[flags.hosts].boot } = flags;
      const { startEmulator } = await import('../../emulator/start-emulator.ts');
      const hosts = await dockerHosts(flags, io);
      const emulator = await startEmulator({
        ...(hosts === null ? {} : { startHost: hosts.startHost, addresses: hosts.addresses }),
        port: flags.port,
        sshPort,
        bootMs: Math.round(boot * 1000),
        unseenMs: Math.round(flags.unseen * 1000),
        seed: flags.seed,
        capacity: flags.capacity,
        quotas: flags.quota,
        faults: flags.fail,
        accessKey: flags.requireAccessKey ?? null,
        strict: flags.strict === true,
        onTrouble: (line) => {
          io.err(`hostler emulate: ${line}\n`);
        },
      }).catch(async (error: unknown) => {
        await hosts?.addresses.close();
        throw error;
      });
      const gitlab = await startGitlab(flags, io).catch(async (error: unknown) => {
        await emulator.close();
        throw error;
      });
      io.out(readyLine(emulator, gitlab, { boot, seed: flags.seed }));
      await asked();
      await gitlab?.close();
      await emulator.close();
    });
}
