// `hostler check` and `hostler config`, on real files, through the program's own way of parsing and failing.
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { register as registerCheck } from '../../../../src/doors/cli/check.ts';
import { register as registerConfig } from '../../../../src/doors/cli/config.ts';
import { reportFailure } from '../../../../src/doors/cli/report-failure.ts';
import { createConfigFolder, plainOptions, runnerText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

async function run(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const io = {
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
    env: { HOME: '/home/ci' },
    isTty: false,
    now: () => Date.parse('2026-11-23T08:30:00Z'),
  };
  const program = new Command('hostler').exitOverride();
  registerCheck(program, io);
  registerConfig(program, io);
  try {
    await program.parseAsync(args, { from: 'user' });
    return { exit: 0, ...said };
  } catch (error) {
    return { exit: reportFailure(error, io), ...said };
  }
}

const seeds = runnerText({
  name: 'gitlab-aws-autoscaler',
  machine: 'IdleCount = 1\n    IdleTime = 1800\n    MaxBuilds = 100',
  after: `    [[runners.machine.autoscaling]]
      Periods = ["* * 9-17 * * mon-fri *"]
      IdleCount = 50
      IdleTime = 3600
      Timezone = "UTC"
    [[runners.machine.autoscaling]]
      Periods = ["* * * * * sat,sun *"]
      IdleCount = 5
      IdleTime = 60
      Timezone = "UTC"
`,
});

describe('check', () => {
  test('says what a pool with a choice may launch', async () => {
    const runner = folder.write('runner.toml', seeds);
    const own = (keys: string) =>
      folder.write(
        'own.toml',
        `[hostler]\nrunner_config = "${runner}"\n[[pools]]\nname = "gitlab-aws-autoscaler"\n${keys}\n`,
      );
    const launches = async (keys: string) =>
      (await run('check', '--config', own(keys))).out.split('\n').find((line) => line.includes('launches'));
    expect(
      await launches(
        'instance_types = ["m5.large", "m6i.large", "m6a.large", "m7i.large", "m7a.large"]\nsubnets = ["subnet-0a", "subnet-0b"]\nmarkets = ["spot", "on-demand"]',
      ),
    ).toBe(
      '  launches      m5.large, m6i.large, m6a.large, m7i.large and 1 more spot (up to the on-demand price), on-demand for jobs that wait 1m in eu-central-1, 2 subnets',
    );
    expect(await launches('vcpus = "4-8"\nmemory_gib = "16-"\nmarkets = ["spot"]')).toBe(
      '  launches      any x86_64 type of 4 to 8 vCPUs, 16 to any GiB, spot (up to the on-demand price) in eu-central-1, subnet subnet-0a1b2c3d',
    );
  });

  test('says what each pool launches, its bounds, the period in force and the next three changes', async () => {
    const { exit, out, err } = await run('check', '--config', folder.write('r.toml', seeds));
    expect([exit, err]).toEqual([0, '']);
    expect(
      out.replaceAll(folder.path, ''),
    ).toBe(`pool gitlab-aws-autoscaler for runner "gitlab-aws-autoscaler"
  launches      m5.large on-demand in eu-central-1, subnet subnet-0a1b2c3d
  image         current Ubuntu LTS, root 16 GB gp3 encrypted
  bounds        limit 20, MaxBuilds 100, MaxGrowthRate none
  now           IdleCount 1, IdleTime 30m (outside all periods)
  next changes  09:00 UTC (in 30m): IdleCount 50, IdleTime 1h, period * * 9-17 * * mon-fri *
                18:00 UTC (in 9h 30m): IdleCount 1, IdleTime 30m, outside all periods
                2026-11-24 09:00 UTC (in 1d): IdleCount 50, IdleTime 1h, period * * 9-17 * * mon-fri *

warning /r.toml:21:19: runners[0].machine.autoscaling[0].IdleCount: IdleCount 50 is above limit 20: never more than 20 machines will stand
good: 1 pool, 1 warning; owner gitlab-aws-autoscaler, metrics on :9252, 10 jobs at once
`);
  });

  test('tells a change in the zone of its period', async () => {
    const path = folder.write('r.toml', seeds.replaceAll('"UTC"', '"Asia/Tokyo"'));
    const { out } = await run('check', '--config', path, '--json', '--at', '2026-11-22T20:00:00+09:00');
    const [pool] = (JSON.parse(out) as { pools: { next_changes: unknown[] }[] }).pools;
    expect(pool).toMatchObject({
      period: '* * * * * sat,sun *',
      timezone: 'Asia/Tokyo',
      idle_count: 5,
      idle_time_s: 60,
    });
    expect(pool?.next_changes).toMatchObject([
      {
        at: '2026-11-22T15:00:00.000Z',
        local: '2026-11-23T00:00:00',
        timezone: 'Asia/Tokyo',
        period: null,
        idle_count: 1,
      },
      { at: '2026-11-23T00:00:00.000Z', local: '2026-11-23T09:00:00', idle_count: 50 },
      { at: '2026-11-23T09:00:00.000Z', local: '2026-11-23T18:00:00', idle_count: 1 },
    ]);
  });

  test('says when a period is over for good', async () => {
    const path = folder.write('r.toml', seeds.replace('mon-fri *', 'mon-fri 2020'));
    expect((await run('check', '--config', path)).out).toMatch(
      /warning period \* \* 9-17 \* \* mon-fri 2020 is over/,
    );
  });

  test('says what the runner itself asks for where ours differs', async () => {
    folder.write('r.toml', runnerText());
    const path = folder.write(
      'h.toml',
      '[hostler]\nrunner_config = "r.toml"\n[[pools]]\nname = "build"\nidle_count = 7\n',
    );
    expect((await run('check', '--config', path)).out).toMatch(
      /IdleCount 7, IdleTime 10m \(outside all periods\); the runner itself asks for 2/,
    );
  });

  test('ends with 2 and one line for each error', async () => {
    const options = [...plainOptions, 'amazonec2-ami=x', 'amazonec2-root-size=y'];
    const path = folder.write('r.toml', runnerText({ options }));
    const { exit, out, err } = await run('check', '--config', path);
    expect([exit, out]).toEqual([2, '']);
    expect(err.replaceAll(`${folder.path}/`, '').split('\n')).toEqual([
      expect.stringMatching(/^hostler: r\.toml:18:5: .*amazonec2-ami must be .* \(config-invalid\)$/),
      expect.stringMatching(/^hostler: r\.toml:19:5: .*amazonec2-root-size must be .* \(config-invalid\)$/),
      '',
    ]);
  });

  test('with --json gives the errors as data too', async () => {
    const { exit, out, err } = await run('check', '--json', '--config', join(folder.path, 'none.toml'));
    expect(exit).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      pools: [],
      issues: [{ severity: 'error', code: 'unreadable' }],
    });
    expect(err).toMatch(/^hostler: .*no such file \(config-unreadable\)\n$/);
  });

  test('takes no moment that is none', async () => {
    const { exit, err } = await run('check', '--config', folder.write('r.toml', seeds), '--at', 'tomorrow');
    expect([exit, err]).toEqual([64, expect.stringMatching(/--at takes a time such as/)]);
  });
});

describe('config', () => {
  test('prints every value with its origin and place', async () => {
    const { exit, out } = await run('config', '--config', folder.write('r.toml', seeds));
    expect(exit).toBe(0);
    expect(out).toMatch(/^pools\.gitlab-aws-autoscaler\.idle_count +1 +runner-file +\S+r\.toml:11:17$/m);
    expect(out).toMatch(/^hostler\.socket +\/run\/hostler\/hostler\.sock +default +-$/m);
  });

  test('with --json gives them as the socket does', async () => {
    const { out } = await run('config', '--json', '--config', folder.write('r.toml', seeds));
    const reply = JSON.parse(out) as { values: { key: string }[]; warnings: { code: string }[] };
    expect(reply.values.find(({ key }) => key === 'concurrent')).toMatchObject({
      value: 10,
      origin: 'runner-file',
    });
    expect(reply.warnings.map(({ code }) => code)).toEqual(['idle-above-limit']);
  });

  test('fails on a file that the daemon would refuse', async () => {
    expect(await run('config', '--config', folder.write('r.toml', 'x = \n'))).toMatchObject({
      exit: 2,
      out: '',
    });
  });
});
