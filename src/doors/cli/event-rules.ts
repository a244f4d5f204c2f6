// `hostler event-rules`: the EventBridge rules that fill the configured queue with what hostler wants to hear, and the
// queue's own policy, as JSON. Prints only; making them is for people or their Terraform.
import type { Command } from 'commander';
import { HostlerError } from '../../domain/error.ts';
import { eventRules, queueArn } from '../../domain/event-rules.ts';
import { printJson } from './daemon-call.ts';
import type { CliIo } from './io.ts';

/** Registers `event-rules`. */
export function register(program: Command, io: CliIo): void {
  program
    .command('event-rules')
    .description('print the EventBridge rules and the queue policy for interruption_queue')
    .option(
      '-c, --config <file>',
      "hostler's own file, or the runner's config.toml",
      '/etc/hostler/config.toml',
    )
    .option('--queue <arn>', 'the queue by its ARN, without a configuration')
    .action(async (options: { config: string; queue?: string }) => {
      if (options.queue !== undefined) {
        if (!/^arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[\w.-]{1,80}$/.test(options.queue)) {
          throw new HostlerError(
            'usage',
            '--queue takes an ARN such as arn:aws:sqs:eu-central-1:123456789012:NAME',
          );
        }
        printJson(io, [eventRules(options.queue)]);
        return;
      }
      const { loadConfig } = await import('../../adapters/config/load.ts');
      const { pools } = await loadConfig({ path: options.config, env: io.env });
      const urls = [...new Set(pools.flatMap(({ interruptionQueue }) => interruptionQueue ?? []))];
      if (urls.length === 0) {
        throw new HostlerError(
          'usage',
          'no pool has an interruption_queue; set it, or name a queue by --queue ARN',
        );
      }
      printJson(
        io,
        urls.map((url) => {
          const arn = queueArn(url);
          if (arn !== null) return eventRules(arn);
          throw new HostlerError(
            'usage',
            `the URL ${url} does not tell region and account; name the queue by --queue ARN`,
          );
        }),
      );
    });
}
