// `hostler iam-policy` and `hostler event-rules`: JSON on stdout alone, remarks on stderr, no daemon and no cloud.
import { afterAll, describe, expect, test } from 'vitest';
import { runProgram } from '../../../../src/doors/cli/program.ts';
import { createConfigFolder, plainOptions, runnerText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

async function run(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const exit = await runProgram(args, {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    env: { HOME: '/home/ci' },
    isTty: false,
    now: () => 0,
  });
  return { exit, ...said };
}

type Statement = { Sid: string; Action: string[]; Resource: string[]; Condition?: Record<string, unknown> };
type Policy = { Version: string; Statement: Statement[] };

async function policyOf(options: readonly string[]): Promise<{ policy: Policy; err: string }> {
  const { exit, out, err } = await run(
    'iam-policy',
    '--config',
    folder.write('r.toml', runnerText({ options })),
  );
  expect(exit).toBe(0);
  return { policy: JSON.parse(out) as Policy, err };
}

const actions = ({ Statement }: Policy) => new Set(Statement.flatMap(({ Action }) => Action));
const statement = (policy: Policy, sid: string) =>
  policy.Statement.find(({ Sid }) => Sid === `Hostler${sid}`);

describe('iam-policy', () => {
  test('of a plain file pins what is named and binds the rest to the owner', async () => {
    const { policy, err } = await policyOf([
      ...plainOptions,
      'amazonec2-ami=ami-0123456789abcdef0',
      'amazonec2-security-group=sg-0123456789abcdef0',
    ]);
    expect(err).toBe('');
    expect(policy.Version).toBe('2012-10-17');
    expect(statement(policy, 'LaunchFrom')).toEqual({
      Sid: 'HostlerLaunchFrom',
      Effect: 'Allow',
      Action: ['ec2:RunInstances'],
      Resource: [
        'arn:aws:ec2:eu-central-1::image/ami-0123456789abcdef0',
        'arn:aws:ec2:eu-central-1::snapshot/*',
        'arn:aws:ec2:eu-central-1:*:subnet/subnet-0a1b2c3d',
        'arn:aws:ec2:eu-central-1:*:security-group/sg-0123456789abcdef0',
      ],
    });
    expect(statement(policy, 'EndOwn')).toMatchObject({
      Action: ['ec2:GetConsoleOutput', 'ec2:TerminateInstances'],
      Condition: { StringEquals: { 'aws:ResourceTag/hostler:owner': 'build' } },
    });
    expect(
      [...actions(policy)].filter((action) =>
        /^(iam|sqs|ssm|kms):|Fleet|Spot(?!InstanceRequests)/.test(action),
      ),
    ).toEqual([]);
  });

  test('with an instance profile passes its role to EC2 alone, and says what it assumed', async () => {
    const { policy, err } = await policyOf([
      ...plainOptions,
      'amazonec2-iam-instance-profile=instance-profile-of-runner-machine',
    ]);
    expect(statement(policy, 'PassRole')).toEqual({
      Sid: 'HostlerPassRole',
      Effect: 'Allow',
      Action: ['iam:PassRole'],
      Resource: ['arn:aws:iam::*:role/instance-profile-of-runner-machine'],
      Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
    });
    expect(err).toMatch(/names the role instance-profile-of-runner-machine as its instance profile/);
  });

  test('of a fleet pool has the template, of spot the role, each only then', async () => {
    const { policy } = await policyOf([
      ...plainOptions,
      'amazonec2-instance-type=m6i.large',
      'amazonec2-request-spot-instance=true',
      'amazonec2-spot-price=',
    ]);
    const found = actions(policy);
    for (const action of ['ec2:CreateFleet', 'ec2:CreateLaunchTemplate', 'iam:CreateServiceLinkedRole'])
      expect(found).toContain(action);
    expect(found).not.toContain('ec2:RequestSpotInstances');
    expect(statement(policy, 'TagAtLaunch')).toMatchObject({
      Action: ['ec2:CreateTags'],
      Condition: {
        StringEquals: {
          'aws:RequestTag/hostler:owner': 'build',
          'ec2:CreateAction': ['RunInstances', 'CreateFleet', 'CreateLaunchTemplate'],
        },
      },
    });
  });

  test('of a GitLab token and a webhook’s secret in SSM reads those parameters alone', async () => {
    const runner = folder.write('r.toml', runnerText({ options: plainOptions }));
    const own = `[hostler]\nrunner_config = "${runner}"\n[[pools]]\nname = "build"\n[pools.queue]\ntoken = "ssm:/ci/token"\nwebhook_listen = ":9260"\nwebhook_secret = "ssm:/ci/hook"\n`;
    const { exit, out, err } = await run('iam-policy', '--config', folder.write('token.toml', own));
    expect(exit, err).toBe(0);
    expect(statement(JSON.parse(out) as Policy, 'GitlabTokens')).toEqual({
      Sid: 'HostlerGitlabTokens',
      Effect: 'Allow',
      Action: ['ssm:GetParameter'],
      Resource: ['hook', 'token'].map((name) => `arn:aws:ssm:eu-central-1:*:parameter/ci/${name}`),
    });
    expect(err).toContain('kms:Decrypt');
  });

  test('speaks of the right part of AWS', async () => {
    const options = [
      'amazonec2-region=cn-north-1',
      ...plainOptions.slice(1),
      'amazonec2-iam-instance-profile=ci',
    ];
    const { policy } = await policyOf(options);
    const arns = policy.Statement.flatMap(({ Resource }) => Resource).filter((arn) => arn !== '*');
    expect(arns.every((arn) => arn.startsWith('arn:aws-cn:'))).toBe(true);
    expect(JSON.stringify(statement(policy, 'PassRole'))).toContain('ec2.amazonaws.com.cn');
  });

  test('stays within what IAM takes of one policy', async () => {
    const { policy } = await policyOf([
      ...plainOptions,
      'amazonec2-instance-type=m6i.large',
      'amazonec2-request-spot-instance=true',
      'amazonec2-spot-price=',
      'amazonec2-volume-kms-key=alias/ci',
      'amazonec2-iam-instance-profile=ci',
    ]);
    // 6,144 characters without white space: the limit of a managed policy.
    expect(JSON.stringify(policy).length).toBeLessThan(6_144);
  });

  test('of a file that is refused says what the daemon would say', async () => {
    const { exit, out, err } = await run('iam-policy', '--config', folder.write('bad.toml', '[[runners]\n'));
    expect([exit, out]).toEqual([2, '']);
    expect(err).toMatch(/^hostler: .*bad\.toml:1:/);
  });
});

describe('event-rules', () => {
  test('of an ARN need no configuration', async () => {
    const arn = 'arn:aws:sqs:eu-central-1:123456789012:hostler';
    const { exit, out } = await run('event-rules', '--queue', arn);
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject([{ queueArn: arn, rules: { length: 4 } }]);
  });

  test('of a configuration are for its queues', async () => {
    const url = 'https://sqs.eu-central-1.amazonaws.com/123456789012/hostler';
    const runner = folder.write('runner.toml', runnerText());
    const own = folder.write(
      'own.toml',
      `[hostler]\nrunner_config = "${runner}"\ninterruption_queue = "${url}"\n`,
    );
    const { exit, out } = await run('event-rules', '--config', own);
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject([{ queueArn: 'arn:aws:sqs:eu-central-1:123456789012:hostler' }]);
  });

  test.each([
    [['--queue', 'hostler'], /takes an ARN/],
    [['--config', 'runner.toml'], /no pool has an interruption_queue/],
  ])('%j are refused in words', async (args, words) => {
    const at = args.map((arg) => (arg === 'runner.toml' ? folder.write('runner.toml', runnerText()) : arg));
    const { exit, err } = await run('event-rules', ...at);
    expect([exit, err]).toEqual([64, expect.stringMatching(words)]);
  });
});
