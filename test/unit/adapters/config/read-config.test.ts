// What a good configuration comes to: files, tables of ours, environment, defaults, and where each value came from.
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ReadResult, readConfig } from '../../../../src/adapters/config/load.ts';
import type { Config, ConfigValue } from '../../../../src/domain/config.ts';
import { createConfigFolder, plainOptions, runnerText, sectionText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

function read(path: string, env: Record<string, string> = {}): Promise<ReadResult> {
  return readConfig({ path, env: { HOME: '/home/ci', ...env }, zone: 'Asia/Tokyo' });
}

async function good(path: string, env: Record<string, string> = {}): Promise<Config> {
  const { config, issues } = await read(path, env);
  if (!config) throw new Error(JSON.stringify(issues));
  return config;
}

const runner = (text = runnerText()): string => folder.write('runner.toml', text);

function ours(text: string, runnersText = runnerText()): string {
  runner(runnersText);
  return folder.write('hostler.toml', `[hostler]\nrunner_config = "runner.toml"\n${text}`);
}

function value(config: Config, key: string): Pick<ConfigValue, 'value' | 'origin'> | undefined {
  const found = config.values.find((each) => each.key === key);
  return found && { value: found.value, origin: found.origin };
}

const codes = (config: Config): string[] => config.warnings.map(({ code }) => code);
const officePeriod =
  '    [[runners.machine.autoscaling]]\n      Periods = ["* * 9-17 * * mon-fri *"]\n      IdleCount = 5\n      IdleTime = 60\n      Timezone = "UTC"\n';

describe('the runner’s own file', () => {
  test('gives a pool for each docker+machine section and passes over the others', async () => {
    const text = runnerText(
      { name: 'Build' },
      { name: 'shell', executor: 'shell' },
      { name: 'Test', token: 'glrt-zzzzzzzzzzzz' },
    );
    const config = await good(runner(text));
    expect(config.pools.map(({ id, runnerName }) => [id, runnerName])).toEqual([
      ['build', 'Build'],
      ['test', 'Test'],
    ]);
    expect(config).toMatchObject({ concurrent: 10, warnings: [] });
    expect(config.pools[0]).toMatchObject({
      limit: 20,
      maxBuilds: 10,
      maxComing: 0,
      machineDriver: 'amazonec2',
    });
  });

  test('gives the owner, the port and the places by default', async () => {
    expect((await good(runner(runnerText({ name: 'AWS Runner' })))).settings).toEqual({
      owner: 'aws-runner',
      takeover: false,
      listenAddress: ':9252',
      socket: '/run/hostler/hostler.sock',
      stateDir: '/var/lib/hostler',
      keys: 'file',
      machineStoragePath: '/home/ci/.docker/machine',
      logLevel: 'info',
      maxMachines: 0,
      maxCostPerHour: 0,
      prices: null,
      runnerMetrics: null,
      compatMetrics: false,
    });
  });

  test('is read in any letter case, as the runner does', async () => {
    const text = runnerText().replace('IdleCount', 'idlecount').replace('MaxBuilds', 'maxbuilds');
    const [pool] = (await good(runner(text))).pools;
    expect([pool?.runnerSchedule.base.idleCount, pool?.maxBuilds]).toEqual([2, 10]);
  });

  test('gives equal names one number each, and says when machines cannot be told apart', async () => {
    const config = await good(runner(runnerText({}, {})));
    expect(config.pools.map(({ id }) => id)).toEqual(['build', 'build-2']);
    expect(codes(config)).toEqual(['names-shared']);
  });

  test('has variables in token and url only; unknown ones leave the token out', async () => {
    const text = runnerText({ token: '${TOKEN}' });
    const config = await good(runner(text), { TOKEN: 'glrt-frommyenvironment' });
    expect(config.pools[0]?.namePrefixes).toContain('runner-frommyenv-ci-');
    const without = await good(runner(text));
    expect(without.pools[0]?.namePrefixes).toEqual([]);
    expect(codes(without)).toEqual(['variable-unset', 'token-missing']);
  });

  test('may hold tables of ours, which it loses when the runner writes it', async () => {
    const after = '  [runners.hostler]\n    idle_count = 7\n[hostler]\nlog_level = "debug"\n';
    const text = runnerText({ after });
    const config = await good(runner(text));
    expect(config.settings.logLevel).toBe('debug');
    expect(config.pools[0]?.ownSchedule.base.idleCount).toBe(7);
    expect(codes(config)).toEqual(['own-tables-in-runner-file']);
    expect(value(config, 'hostler.log_level')).toEqual({ value: 'debug', origin: 'runner-file' });
  });
});

describe('a file of ours', () => {
  test('names pools by their runner’s name or by their own id', async () => {
    const path = ours('[[pools]]\nname = "build"\npool = "spot-builds"\nidle_count = 3\nidle_time = "15m"\n');
    const [pool] = (await good(path)).pools;
    expect(pool).toMatchObject({
      id: 'spot-builds',
      ownSchedule: { base: { idleCount: 3, idleTimeMs: 900_000 } },
    });
    expect(pool?.runnerSchedule.base).toMatchObject({ idleCount: 2, idleTimeMs: 600_000 });
  });

  test('takes [runners.hostler] below the runner’s name as well', async () => {
    const path = ours(
      '[[runners]]\nname = "build"\n[runners.hostler]\nmax_coming = 4\nprepull = ["alpine:3"]\n',
    );
    expect((await good(path)).pools[0]).toMatchObject({ maxComing: 4, host: { prepull: ['alpine:3'] } });
  });

  test('keeps lengths of time as numbers of seconds or as text', async () => {
    const path = ours(
      '[[pools]]\nname = "build"\ncreate_wait = 90\nboot_timeout = "1m30s"\nmax_age = "2h"\ndead_man = "1.5h"\n',
    );
    expect((await good(path)).pools[0]).toMatchObject({
      createWaitMs: 90_000,
      bootTimeoutMs: 90_000,
      maxAgeMs: 7_200_000,
      deadManMs: 5_400_000,
      maxMachineLifeMs: 86_400_000,
    });
  });

  test('leaves the runner’s periods standing unless it brings its own', async () => {
    const text = runnerText({ after: officePeriod });
    const kept = await good(ours('[[pools]]\nname = "build"\nidle_count = 1\n', text));
    expect(kept.pools[0]?.ownSchedule.periods).toHaveLength(1);
    expect(codes(kept)).toEqual(['own-base-under-periods']);
    const none = await good(ours('[[pools]]\nname = "build"\nautoscaling = []\n', text));
    expect(none.pools[0]?.ownSchedule.periods).toEqual([]);
    expect(none.pools[0]?.runnerSchedule.periods).toHaveLength(1);
    const own = await good(
      ours(
        '[[pools]]\nname = "build"\n[[pools.autoscaling]]\nperiods = ["* * 8 * * * *"]\nidle_count = 9\nidle_time = "5m"\ntimezone = "Local"\n',
        text,
      ),
    );
    expect(own.pools[0]?.ownSchedule.periods).toMatchObject([
      { cron: ['* * 8 * * * *'], idleCount: 9, idleTimeMs: 300_000, timezone: 'Asia/Tokyo' },
    ]);
  });

  test('goes before tables of ours in the runner’s file, key by key', async () => {
    const text = runnerText({ after: '  [runners.hostler]\n    max_builds = 7\n    max_coming = 7\n' });
    const config = await good(ours('[[pools]]\nname = "build"\nmax_coming = 3\n', text));
    expect(config.pools[0]).toMatchObject({ maxBuilds: 7, maxComing: 3 });
  });

  test('has its variables replaced, and its paths taken from its own folder', async () => {
    const path = ours('owner = "ci-${STAGE}"\nsocket = "run/h.sock"\nmax_machines = 5\n');
    const { settings } = await good(path, { STAGE: 'prod' });
    expect(settings).toMatchObject({
      owner: 'ci-prod',
      socket: join(folder.path, 'run/h.sock'),
      maxMachines: 5,
    });
  });

  test('bounds the cost of an hour', async () => {
    expect((await good(ours('max_cost_per_hour = 3.5\n'))).settings.maxCostPerHour).toBe(3.5);
  });

  test('carries the role to assume to every site', async () => {
    const role = 'arn:aws:iam::123456789012:role/ci';
    const [pool] = (await good(ours(`assume_role_arn = "${role}"\n`))).pools;
    expect(pool?.launch.site).toMatchObject({ assumeRoleArn: role, key: 'eu-central-1 123456789012' });
  });

  test('and all it names are watched', async () => {
    const path = ours('');
    expect((await good(path)).files).toEqual([path, join(folder.path, 'runner.toml')]);
  });
});

describe('the environment', () => {
  test('goes before the file, and the file before the default, for every key', async () => {
    const path = ours(
      'log_level = "warn"\nstate_dir = "/srv/state"\n[[pools]]\nname = "build"\nidle_count = 3\nmax_builds = 4\n',
    );
    const config = await good(path, {
      HOSTLER_LOG_LEVEL: 'debug',
      HOSTLER_SOCKET: '/tmp/h.sock',
      HOSTLER_MAX_MACHINES: '12',
      HOSTLER_TAKEOVER: 'true',
      HOSTLER_POOL_BUILD__IDLE_COUNT: '9',
      HOSTLER_POOL_BUILD__IDLE_SCALE_FACTOR: '0.5',
      HOSTLER_POOL_BUILD__IDLE_TIME: '20m',
      HOSTLER_POOL_BUILD__PREPULL: 'alpine:3, node:24',
      HOSTLER_POOL_BUILD__WAIT_USER_DATA: 'false',
      HOSTLER_POOL_BUILD__AUTOSCALING:
        '[{"periods":["* * 9 * * * *"],"timezone":"UTC","idle_count":2,"idle_time":60}]',
    });
    expect(config.settings).toMatchObject({
      logLevel: 'debug',
      socket: '/tmp/h.sock',
      maxMachines: 12,
      takeover: true,
      stateDir: '/srv/state',
    });
    expect(config.pools[0]).toMatchObject({
      maxBuilds: 4,
      ownSchedule: {
        base: { idleCount: 9, idleScaleFactor: 0.5, idleTimeMs: 1_200_000 },
        periods: [{ idleCount: 2 }],
      },
      host: { prepull: ['alpine:3', 'node:24'], waitUserData: false },
    });
    expect(value(config, 'hostler.log_level')).toEqual({ value: 'debug', origin: 'environment' });
    expect(value(config, 'hostler.state_dir')).toEqual({ value: '/srv/state', origin: 'file' });
    expect(value(config, 'hostler.listen_address')).toEqual({ value: ':9252', origin: 'default' });
    expect(value(config, 'pools.build.idle_count')).toEqual({ value: 9, origin: 'environment' });
    expect(value(config, 'pools.build.max_builds')).toEqual({ value: 4, origin: 'file' });
    expect(value(config, 'pools.build.limit')).toEqual({ value: 20, origin: 'runner-file' });
    expect(value(config, 'pools.build.boot_timeout')).toEqual({ value: 600, origin: 'default' });
    expect(value(config, 'pools.build.amazonec2-region')).toEqual({
      value: 'eu-central-1',
      origin: 'runner-file',
    });
  });

  test('counts as not set where it is empty', async () => {
    expect((await good(ours(''), { HOSTLER_LOG_LEVEL: '' })).settings.logLevel).toBe('info');
  });

  test('can name the runner’s file', async () => {
    const path = folder.write('alone.toml', '[hostler]\nowner = "me"\n');
    const config = await good(path, { HOSTLER_RUNNER_CONFIG: runner() });
    expect([config.settings.owner, config.pools.length]).toEqual(['me', 1]);
  });

  test('with a wrong value is named', async () => {
    const { issues } = await read(ours(''), {
      HOSTLER_MAX_MACHINES: 'many',
      HOSTLER_POOL_BUILD__AUTOSCALING: '{',
    });
    expect(issues.map(({ where, message }) => `${where}: ${message}`)).toEqual([
      'environment HOSTLER_MAX_MACHINES: must be a whole number from 0 to 1000000, is "many"',
      'environment HOSTLER_POOL_BUILD__AUTOSCALING: must be an array of tables, is "{"',
    ]);
  });

  test('with a misspelt name is named, with the nearest', async () => {
    const { issues } = await read(ours(''), {
      HOSTLER_POOL_BUILD__IDLE_CUONT: '1',
      HOSTLER_POOL_BUIDL__IDLE_COUNT: '1',
      HOSTLER_SOKET: '/x',
      HOSTLER_ANYTHING_ELSE: 'x',
    });
    expect(issues.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      'error: unknown key IDLE_CUONT; did you mean IDLE_COUNT?',
      'warning: names no pool: there is HOSTLER_POOL_BUILD; did you mean HOSTLER_POOL_BUILD?',
      'warning: is not read; did you mean HOSTLER_SOCKET?',
    ]);
  });

  test('says where machines are kept, as it says it to docker-machine', async () => {
    const store = async (env: Record<string, string>) =>
      (await good(ours(''), env)).settings.machineStoragePath;
    expect(await store({ MACHINE_STORAGE_PATH: '/srv/machines' })).toBe('/srv/machines');
    expect(
      await store({ MACHINE_STORAGE_PATH: '/srv/machines', HOSTLER_MACHINE_STORAGE_PATH: '/other' }),
    ).toBe('/other');
    const { config } = await readConfig({ path: ours(''), env: {} });
    expect(config?.settings.machineStoragePath).toBe('/.docker/machine');
    expect(config?.warnings.map(({ code }) => code)).toEqual(['no-home']);
  });
});

describe('the metrics port', () => {
  const claimed = `listen_address = "0.0.0.0:9252"\n${runnerText()}`;

  test('is left to a runner that claims it, with a word that names both', async () => {
    const config = await good(runner(claimed));
    expect(config.settings.listenAddress).toBe(':9253');
    expect(config.warnings[0]).toMatchObject({ code: 'listen-claimed', key: 'listen_address' });
    expect(config.warnings[0]?.message).toMatch(/0\.0\.0\.0:9252.*:9253/);
  });

  test('is taken when it is asked for by name, with a word', async () => {
    const config = await good(runner(claimed), { HOSTLER_LISTEN_ADDRESS: ':9252' });
    expect([config.settings.listenAddress, ...codes(config)]).toEqual([':9252', 'listen-claimed']);
  });

  test('is ours when the runner has another', async () => {
    const config = await good(runner(claimed.replace('9252', '9400')));
    expect([config.settings.listenAddress, ...codes(config)]).toEqual([':9252']);
  });
});

describe('settings that are allowed and rarely meant', () => {
  const period = (lines: string): string => `    [[runners.machine.autoscaling]]\n${lines}`;
  const at = (cron: string, more = 'IdleCount = 1\nIdleTime = 60\nTimezone = "UTC"\n'): string =>
    period(`Periods = ["${cron}"]\n${more}`);

  test.each<[string, string, Parameters<typeof sectionText>[0]]>([
    ['IdleCount above limit', 'idle-above-limit', { limit: 1 }],
    [
      'a period’s IdleCount above limit',
      'idle-above-limit',
      { after: at('* * 9 * * * *', 'IdleCount = 30\nIdleTime = 60\nTimezone = "UTC"\n') },
    ],
    ['one create a job', 'one-job-one-create', { machine: 'IdleCount = 0\nMaxBuilds = 1' }],
    ['OffPeak keys', 'off-peak', { machine: 'IdleCount = 1\nOffPeakPeriods = ["* * * * * sat,sun *"]' }],
    [
      'MachineOptionsWithName',
      'options-with-name',
      { machine: 'IdleCount = 1\nMachineOptionsWithName = ["amazonec2-tags=n,%s"]' },
    ],
    ['IdleCountMin alone', 'idle-min-alone', { machine: 'IdleCount = 1\nIdleCountMin = 1' }],
    ['a factor without bound', 'idle-factor-unbounded', { machine: 'IdleCount = 0\nIdleScaleFactor = 1.5' }],
    ['a factor without IdleCountMin', 'idle-min-zero', { machine: 'IdleCount = 5\nIdleScaleFactor = 1.5' }],
    ['a misspelt key of the runner', 'runner-key-unknown', { machine: 'IdelCount = 1' }],
    ['periods of five fields', 'period-short', { after: at('* 9-17 * * mon-fri') }],
    ['periods of six fields', 'period-short', { after: at('* 9-17 * * mon-fri 2030') }],
    ['weekdays that run backwards', 'period-backwards', { after: at('* * * * * fri-mon *') }],
    ['a day that no year has', 'period-never', { after: at('* * * 30 2 * *') }],
    ['periods for single seconds', 'period-seconds', { after: at('0 * 9 * * * *') }],
    ['periods without zone', 'period-zone', { after: at('* * 9 * * * *', 'IdleCount = 1\nIdleTime = 60\n') }],
    [
      'periods without IdleTime',
      'period-idle-time',
      { after: at('* * 9 * * * *', 'IdleCount = 1\nTimezone = "UTC"\n') },
    ],
    [
      'a section without periods',
      'period-empty',
      { after: period('IdleCount = 1\nIdleTime = 60\nTimezone = "UTC"\n') },
    ],
    ['no token', 'token-missing', { token: '' }],
    ['no name', 'name-missing', { name: '' }],
  ])('%s is said, with its place', async (_, code, section) => {
    const config = await good(runner(`concurrent = 10\n${sectionText(section)}`));
    const found = config.warnings.filter((issue) => issue.code === code);
    expect(found).toHaveLength(1);
    expect(found[0]?.where).toMatch(/runner\.toml:\d+:\d+$/);
  });

  test('a dead-man timer shorter than its renewal, an age beyond the life, no jobs at all', async () => {
    const path = ours(
      '[[pools]]\nname = "build"\ndead_man = "10m"\nmax_age = "30h"\n',
      runnerText().replace('concurrent = 10', 'concurrent = 0'),
    );
    expect(codes(await good(path)).toSorted()).toEqual(['concurrent-zero', 'dead-man-short', 'max-age-long']);
  });
});

describe('what is shown of a configuration', () => {
  test('holds no secret, wherever it stands', async () => {
    const text = runnerText({
      token: 'glrt-topsecrettoken99',
      options: [
        ...plainOptions,
        'amazonec2-access-key=AKIATOPSECRET',
        'amazonec2-secret-key=topsecretkey',
        'engine-env=HTTP_PROXY=http://u:topsecretpass@p',
      ],
    });
    const config = await good(runner(text));
    const said = JSON.stringify([config.values, config.warnings, config.pools.map(({ options }) => options)]);
    expect(said).not.toMatch(/topsecretkey|AKIATOPSECRET|topsecrettoken99/);
    expect(JSON.stringify(config.values)).not.toContain('topsecretpass');
    expect(value(config, 'pools.build.amazonec2-secret-key')).toEqual({
      value: '[secret]',
      origin: 'runner-file',
    });
  });
});
