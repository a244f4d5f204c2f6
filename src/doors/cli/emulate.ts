// `hostler emulate`: an EC2 on this machine, with a small host behind every instance, to try hostler without AWS.
// It listens on loopback only and takes any credentials; it keeps nothing.
import { type Command, InvalidArgumentError } from 'commander';
import type { CapacityRule, Emulator, EmulatorOptions } from '../../emulator/start-emulator.ts';
import type { CliIo } from './io.ts';

type Fault = NonNullable<EmulatorOptions['faults']>[number];

type Flags = {
  port: number;
  sshPort: number;
  boot: number;
  unseen: number;
  seed: number;
  capacity: CapacityRule[];
  fail: Fault[];
  requireAccessKey?: string;
  strict?: true;
};

const wholeNumber =
  (what: string, atMost: number) =>
  (text: string): number => {
    if (!/^\d{1,10}$/.test(text) || Number(text) > atMost) {
      throw new InvalidArgumentError(`${what} is a whole number from 0 to ${atMost}.`);
    }
    return Number(text);
  };

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

const readyLine = (emulator: Emulator, flags: Flags): string =>
  `${JSON.stringify({
    endpoint: emulator.endpoint,
    port: emulator.port,
    ssh_port: emulator.sshPort,
    docker_port: emulator.dockerPort,
    boot_s: flags.boot,
    seed: flags.seed,
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
    .option('--ssh-port <port>', 'SSH port of the hosts', wholeNumber('a port', 65_535), 2222)
    .option('--boot <seconds>', 'from launch until a host answers', seconds('--boot'), 5)
    .option('--unseen <seconds>', 'how long EC2 does not know a new instance', seconds('--unseen'), 0.25)
    .option('--capacity <type:zone=n>', 'machines of a type in a zone; repeatable', readCapacity, [])
    .option('--fail <code:rate>', 'share of calls that fail with a code; repeatable', readFault, [])
    .option('--require-access-key <key>', 'let in this access key only')
    .option('--strict', 'subnets, groups and images that nobody made do not exist')
    .option('--seed <n>', 'makes failures and ids repeat', wholeNumber('a seed', 4_294_967_295), 1)
    .action(async (flags: Flags) => {
      const { startEmulator } = await import('../../emulator/start-emulator.ts');
      const emulator = await startEmulator({
        port: flags.port,
        sshPort: flags.sshPort,
        bootMs: Math.round(flags.boot * 1000),
        unseenMs: Math.round(flags.unseen * 1000),
        seed: flags.seed,
        capacity: flags.capacity,
        faults: flags.fail,
        accessKey: flags.requireAccessKey ?? null,
        strict: flags.strict === true,
        onTrouble: (line) => {
          io.err(`hostler emulate: ${line}\n`);
        },
      });
      io.out(readyLine(emulator, flags));
      await asked();
      await emulator.close();
    });
}
