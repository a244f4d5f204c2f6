// What `[pools.queue]` comes to: where each value comes from, how the token stays hidden, what is refused.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ReadResult, readConfig } from '../../../../src/adapters/config/load.ts';
import type { QueueSettings } from '../../../../src/domain/queue.ts';
import { createConfigFolder, runnerText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

const TOKEN = 'glpat-abcdefgh12345678';

/** Our file with this queue table, beside a runner's file with these lines in its section. */
function read(queue: string, env: Record<string, string> = {}, section = ''): Promise<ReadResult> {
  const head = `url = "https://gitlab.example.com/"\n  ${section}`;
  folder.write('runner.toml', runnerText().replace('token =', `${head}\n  token =`));
  const own = `[hostler]\nrunner_config = "runner.toml"\n[[pools]]\nname = "build"\n[pools.queue]\n${queue}\n`;
  return readConfig({
    path: folder.write('hostler.toml', own),
    env: { HOME: '/home/ci', ...env },
    zone: 'UTC',
  });
}

async function settings(...given: Parameters<typeof read>): Promise<QueueSettings> {
  const { config, issues } = await read(...given);
  const [pool] = config?.pools ?? [];
  if (pool?.queue === undefined) throw new Error(JSON.stringify(issues));
  return pool.queue;
}

async function errorsOf(...given: Parameters<typeof read>): Promise<string[]> {
  const { issues } = await read(...given);
  return issues.filter(({ severity }) => severity === 'error').map(({ message }) => message);
}

const secretOf = ({ token }: QueueSettings) => (token?.kind === 'value' ? token.value.reveal() : null);

const hookSecretOf = (webhook: QueueSettings['webhook'] | undefined): string | null =>
  webhook?.secret.kind === 'value' ? webhook.secret.value.reveal() : null;

describe('the queue of a pool', () => {
  test('without a table takes what the runner says of GitLab', async () => {
    expect(await settings('', {}, 'id = 4711')).toEqual({
      source: 'auto',
      url: 'https://gitlab.example.com',
      token: null,
      ca: null,
      runnerId: 4_711,
      projects: [],
      group: null,
      pollIntervalMs: 10_000,
      share: 1,
      minAgeMs: 0,
      assumeProtected: false,
      tags: null,
      runUntagged: null,
      protectedOnly: null,
      lookahead: false,
      forecast: false,
      forecastShare: 0.8,
      webhook: null,
    });
  });

  test('takes every key of its table', async () => {
    const table = `
source = "graphql"
token = "${TOKEN}"
url = "https://git.example.com/root/"
runner_id = 12345678
projects = [7, "group/project"]
group = "top/sub"
poll_interval = "30s"
share = 0.5
min_age = "1m"
assume_protected = true
tags = ["docker", "linux"]
run_untagged = false
protected_only = true`;
    const found = await settings(table);
    expect(secretOf(found)).toBe(TOKEN);
    expect(found).toMatchObject({
      source: 'graphql',
      url: 'https://git.example.com/root',
      runnerId: 12_345_678,
      projects: [7, 'group/project'],
      group: 'top/sub',
      pollIntervalMs: 30_000,
      share: 0.5,
      minAgeMs: 60_000,
      assumeProtected: true,
      tags: ['docker', 'linux'],
      runUntagged: false,
      protectedOnly: true,
    });
  });

  test('may stand in [runners.hostler.queue]', async () => {
    folder.write('runner.toml', runnerText());
    const own =
      '[hostler]\nrunner_config = "runner.toml"\n[[runners]]\nname = "build"\n[runners.hostler.queue]\nsource = "rest"\n';
    const { config } = await readConfig({
      path: folder.write('other.toml', own),
      env: { HOME: '/' },
      zone: 'UTC',
    });
    expect(config?.pools[0]?.queue?.source).toBe('rest');
  });

  test('takes the environment before the file', async () => {
    const env = {
      HOSTLER_GITLAB_TOKEN: 'glpat-fromenvironment',
      HOSTLER_POOL_BUILD__QUEUE_SOURCE: 'rest',
      HOSTLER_POOL_BUILD__QUEUE_PROJECTS: '7, group/p',
      HOSTLER_POOL_BUILD__QUEUE_SHARE: '0.25',
    };
    const found = await settings(`token = "${TOKEN}"\nsource = "graphql"`, env);
    expect(found).toMatchObject({ source: 'rest', projects: [7, 'group/p'], share: 0.25 });
    expect(secretOf(found)).toBe('glpat-fromenvironment');
    const own = await settings('', { ...env, HOSTLER_POOL_BUILD__QUEUE_TOKEN: 'glpat-forthispool' });
    expect(secretOf(own)).toBe('glpat-forthispool');
  });

  test('sends the token of the environment to one GitLab only: that of the first pool', async () => {
    const section = (name: string, host: string) =>
      runnerText()
        .slice(runnerText().indexOf('[[runners]]'))
        .replace(/name = "[^"]*"/, `name = "${name}"`)
        .replace('token =', `url = "https://${host}"\n  token =`)
        .replace(/token = "[^"]*"/, `token = "glrt-${name}${'0'.repeat(16)}"`);
    const hosts = { one: 'gitlab.example.com', two: 'other.example.com', three: 'gitlab.example.com' };
    const sections = Object.entries(hosts).map(([name, host]) => section(name, host));
    const runner = folder.write('runners.toml', `concurrent = 9\n${sections.join('\n')}`);
    const env = { HOME: '/home/ci', HOSTLER_GITLAB_TOKEN: 'glpat-fromenvironment' };
    const { config, issues } = await readConfig({ path: runner, env, zone: 'UTC' });
    const tokens = config?.pools.map(({ queue }) => queue && secretOf(queue));
    expect(tokens).toEqual(['glpat-fromenvironment', null, 'glpat-fromenvironment']);
    expect(issues.map(({ message }) => message).join('\n')).toContain(
      'HOSTLER_GITLAB_TOKEN is for https://gitlab.example.com and is not sent to https://other.example.com: set token in the pool',
    );
  });

  test('takes webhooks where it is told an address and a secret, also one in a file or in the environment', async () => {
    const { webhook } = await settings('webhook_listen = ":9260"\nwebhook_secret = "a-secret-of-the-hook"');
    expect(webhook?.listen).toBe(':9260');
    expect(hookSecretOf(webhook)).toBe('a-secret-of-the-hook');
    const path = folder.write('hook-secret', 'whsec_MDEyMzQ1Njc4OWFiY2RlZg==\n');
    const named = await settings(`webhook_listen = "[::1]:1"\nwebhook_secret = "file:${path}"`);
    expect(hookSecretOf(named.webhook)).toBe('whsec_MDEyMzQ1Njc4OWFiY2RlZg==');
    const env = {
      HOSTLER_POOL_BUILD__QUEUE_WEBHOOK_LISTEN: ':9261',
      HOSTLER_POOL_BUILD__QUEUE_WEBHOOK_SECRET: 'from-the-environment',
    };
    expect(hookSecretOf((await settings('', env)).webhook)).toBe('from-the-environment');
  });

  test('leaves a secret of webhooks in SSM for the daemon to read, in the pool’s account', async () => {
    const line = 'webhook_listen = ":9260"\nwebhook_secret = "ssm:/hostler/hook"';
    const { config } = await read(line);
    expect(config?.pools[0]?.queue?.webhook).toMatchObject({
      listen: ':9260',
      secret: { kind: 'ssm', name: '/hostler/hook', site: { region: 'eu-central-1' } },
    });
    const shown = config?.values.find(({ key }) => key === 'pools.build.queue.webhook_secret');
    expect(shown?.value).toBe('in SSM');
    expect(await errorsOf('webhook_listen = ":9260"\nwebhook_secret = "ssm:/a b"')).toEqual([
      '"ssm:" is followed by the name of an SSM parameter, such as "ssm:/hostler/gitlab-token"',
    ]);
  });

  test('hides the secret of webhooks wherever it is shown', async () => {
    const read_ = await read('webhook_listen = ":9260"\nwebhook_secret = "a-secret-of-the-hook"');
    expect(JSON.stringify(read_)).not.toContain('a-secret-of-the-hook');
    const short = await errorsOf('webhook_listen = ":9260"\nwebhook_secret = "shortsecret"');
    expect(short).toEqual(['must have at least 12 characters']);
  });

  test('refuses to take webhooks without a secret', async () => {
    expect(await errorsOf('webhook_listen = ":9260"')).toEqual([
      'needs webhook_secret: the secret or signing token that GitLab shows for the webhook',
    ]);
    expect(await errorsOf('webhook_listen = "9260"\nwebhook_secret = "a-secret-of-the-hook"')).toHaveLength(
      1,
    );
  });

  test('names the nearest key for a slip', async () => {
    expect(await errorsOf('sorce = "rest"')).toEqual(['unknown key sorce; did you mean source?']);
    expect(await errorsOf('', { HOSTLER_POOL_BUILD__QUEUE_SHAER: '1' })).toEqual([
      'unknown key QUEUE_SHAER; did you mean QUEUE_SHARE?',
    ]);
  });

  test.each([
    ['share = 0', 'must be above 0 and at most 1, such as 0.5, is 0'],
    ['share = 1.5', 'must be above 0 and at most 1, such as 0.5, is 1.5'],
    ['poll_interval = "1s"', 'must be at least 5 s'],
    ['poll_interval = "1h"', 'must be at most 600 s'],
    ['source = "webhook"', 'must be one of auto, rest, graphql, instance, metrics, none'],
    ['projects = "a/b"', 'must be a list of numbers or full paths'],
    ['projects = ["a b"]', 'must be a number or a full path such as "group/project"'],
    ['runner_id = 0', 'must be the number that GitLab shows, such as 42'],
    ['url = "gitlab.example.com"', 'must be an address such as "https://gitlab.example.com"'],
    [
      'token = "ssm:"',
      '"ssm:" is followed by the name of an SSM parameter, such as "ssm:/hostler/gitlab-token"',
    ],
    ['token = "shorter"', "the token has fewer than 8 characters, and GitLab's have 20 and more"],
    ['token = "two words"', 'the token holds blanks or characters that no token of GitLab has'],
  ])('%s is refused', async (line, said) => {
    const [first = ''] = await errorsOf(line);
    expect(first).toContain(said);
  });
});

describe('the token', () => {
  test('is never shown: not in values, not in findings, not as JSON', async () => {
    const result = await read(`token = "${TOKEN}"\nshare = "${TOKEN}"\ngroup = ["${TOKEN}"]`);
    expect(result.config).toBe(null);
    expect(JSON.stringify(result)).not.toContain(TOKEN);
    const good = await read(`token = "${TOKEN}"`);
    expect(JSON.stringify(good)).not.toContain(TOKEN);
    const shown = good.config?.values.find(({ key }) => key === 'pools.build.queue.token');
    expect(shown?.value).toBe('hidden');
  });

  test('is read from a file, whose change is a reason to read again', async () => {
    const path = folder.write('token', `${TOKEN}\n`);
    const result = await read(`token = "file:${path}"`);
    const [pool] = result.config?.pools ?? [];
    expect(pool?.queue && secretOf(pool.queue)).toBe(TOKEN);
    expect(result.config?.files).toContain(path);
  });

  test('in SSM is left for the daemon to read, in the pool’s account', async () => {
    const { token } = await settings('token = "ssm:/hostler/gitlab-token"');
    expect(token).toMatchObject({
      kind: 'ssm',
      name: '/hostler/gitlab-token',
      site: { region: 'eu-central-1' },
    });
  });

  test('is missed where the table needs one, and over plain http it is warned about', async () => {
    const warned = async (...given: Parameters<typeof read>) =>
      (await read(...given)).config?.warnings.map(({ code }) => code);
    expect(await warned('source = "rest"')).toEqual(['queue-token']);
    expect(await warned('tags = ["a"]')).toEqual(['queue-token']);
    expect(await warned('source = "metrics"')).toEqual([]);
    expect(await warned('')).toEqual([]);
    expect(await warned(`token = "${TOKEN}"\nurl = "http://gitlab.lan"`)).toEqual(['queue-plain']);
    expect(await warned(`token = "${TOKEN}"\nurl = "http://127.0.0.1:80"`)).toEqual([]);
  });
});

describe('the authorities', () => {
  const token = `token = "${TOKEN}"`;

  test('are those of tls-ca-file, below the folder of the runner’s file', async () => {
    folder.write('ca.pem', 'PEM of ours');
    expect((await settings(token, {}, 'tls-ca-file = "ca.pem"')).ca).toBe('PEM of ours');
  });

  test('are those that the runner finds by the host’s name', async () => {
    mkdirSync(join(folder.path, 'certs'), { recursive: true });
    folder.write('certs/gitlab.example.com.crt', 'PEM by name');
    expect((await settings(token)).ca).toBe('PEM by name');
  });

  test('that cannot be read are warned about', async () => {
    const { config } = await read(token, {}, 'tls-ca-file = "/nowhere/ca.pem"');
    expect(config?.warnings.map(({ code }) => code)).toEqual(['queue-ca']);
  });
});
