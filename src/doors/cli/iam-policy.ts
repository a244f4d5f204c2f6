// `hostler iam-policy`: the least-privilege policy for exactly what a configuration uses, as JSON for IAM. Reads the
// files as the daemon would; needs no daemon and no AWS.
// Trap: stdout is the policy alone, so that it can be piped; what a person must still look at goes to stderr.
import type { Command } from 'commander';
import type { Config } from '../../domain/config.ts';
import { iamPolicy } from '../../domain/iam-policy.ts';
import { secretsInSsm } from '../../domain/queue.ts';
import type { CliIo } from './io.ts';
import { plain } from './paint.ts';

/** What the policy cannot know. */
function remarks({ pools, settings }: Config): string[] {
  const profiles = [...new Set(pools.flatMap(({ launch }) => launch.iamInstanceProfile ?? []))];
  const roles = [...new Set(pools.flatMap(({ launch }) => launch.site.assumeRoleArn ?? []))];
  return [
    ...profiles.map(
      (name) =>
        `iam:PassRole names the role ${name} as its instance profile is named: correct it if the role is called otherwise`,
    ),
    ...roles.map(
      (role) => `this is the policy of ${role}; the manager's own credentials need sts:AssumeRole on it`,
    ),
    ...(settings.keys.startsWith('ssm:') || pools.some(({ queue }) => secretsInSsm(queue).length > 0)
      ? [
          'with a KMS key of your own for the parameters, kms:Decrypt on it (for keys also kms:Encrypt) is needed besides',
        ]
      : []),
  ];
}

/** Registers `iam-policy`. */
export function register(program: Command, io: CliIo): void {
  program
    .command('iam-policy')
    .description('print the least-privilege IAM policy for what a configuration uses')
    .option(
      '-c, --config <file>',
      "hostler's own file, or the runner's config.toml",
      '/etc/hostler/config.toml',
    )
    .action(async (options: { config: string }) => {
      const { loadConfig } = await import('../../adapters/config/load.ts');
      const config = await loadConfig({ path: options.config, env: io.env });
      io.out(`${JSON.stringify(iamPolicy(config), null, 2)}\n`);
      for (const remark of remarks(config)) io.err(`hostler: ${plain(remark)}\n`);
    });
}
