// The settings of a queue table through a whole daemon, as people use them: min_age, tokens and webhook secrets that stand
// elsewhere and change, the source at a reload, protected refs, and each version of GitLab that is served.
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmulatedGitlab, startGitlab } from '../../../src/emulator/gitlab/start-gitlab.ts';
import { freePort } from '../../support/live-world.ts';
import {
  everythingSaid,
  type QueueSection,
  type QueueWorld,
  startQueueWorld,
  usualGitlab,
} from '../../support/queue-world.ts';
import type { StandInGitlab } from '../../support/stand-in-gitlab.ts';

const GOOD = 'glpat-good-token-000000';
const OLD = 'glpat-old-token-0000000';
const HOOK = 'plain-secret-of-the-hook';
const NEXT_HOOK = 'next-secret-of-the-hook';
const AGE_S = 12;
const versions = ['16.11.10', '17.11.7', '18.8.2', '19.4.1'] as const;

const tokenFile = join(tmpdir(), `hostler-queue-token-${process.pid}`);
const standIns = new Map<string, StandInGitlab>();
const emulated = new Map<string, EmulatedGitlab>();
let sections: QueueSection[];
let hookPort: number;
/** The runner's own metrics: what it took, and how many fitted it then. */
let runner: Server;
let taken = 1;
let size = 9;
let world: QueueWorld;

function gitlabOf(name: string): StandInGitlab {
  const found = standIns.get(name);
  if (found === undefined) throw new Error(`no GitLab of ${name}`);
  return found;
}

const sectionOf = (name: string, queue: string, more: Partial<QueueSection> = {}): QueueSection => ({
  name,
  gitlab: gitlabOf(name),
  queue,
  ...more,
});

function putParameter(name: string, value: string): void {
  const secure = { type: 'SecureString', tier: 'Standard', overwrite: true } as const;
  world.emulator.world.region('eu-central-1').parameters.put({ name, value, ...secure });
}

beforeAll(async () => {
  hookPort = await freePort();
  runner = createServer((_request, reply) =>
    reply.end(
      `gitlab_runner_jobs_total{runner="away00000"} ${taken}\ngitlab_runner_job_queue_size{runner="away00000"} ${size}\ngitlab_runner_job_queue_depth{runner="away00000"} 2\n`,
    ),
  );
  await new Promise<void>((resolve) => runner.listen(0, '127.0.0.1', resolve));
  for (const name of ['away', 'aged', 'filed', 'ssm', 'guarded', 'hooked', 'changed'])
    standIns.set(name, await usualGitlab(GOOD));
  Object.assign(gitlabOf('guarded').runner ?? {}, { access_level: 'ref_protected' });
  writeFileSync(tokenFile, `${OLD}\n`, { mode: 0o600 });
  gitlabOf('away').fault = () => ({ status: 502, raw: 'bad gateway' });
  sections = [
    sectionOf('away', ''),
    sectionOf('aged', `    min_age = "${AGE_S}s"\n`),
    sectionOf('filed', `    token = "file:${tokenFile}"\n`),
    sectionOf('ssm', '    token = "ssm:/hostler/token"\n'),
    sectionOf('guarded', ''),
    sectionOf('changed', '    source = "rest"\n'),
    sectionOf(
      'hooked',
      `    webhook_listen = "127.0.0.1:${hookPort}"\n    webhook_secret = "ssm:/hostler/hook"\n`,
      { poll: '10m' },
    ),
  ];
  const env: Record<string, string> = {
    HOSTLER_RUNNER_METRICS: `http://127.0.0.1:${(runner.address() as AddressInfo).port}/metrics`,
  };
  for (const name of ['away', 'aged', 'guarded', 'hooked', 'changed'])
    env[`HOSTLER_POOL_${name.toUpperCase()}__QUEUE_TOKEN`] = GOOD;
  for (const version of versions) {
    const gitlab = await startGitlab({ version, token: GOOD });
    emulated.set(version, gitlab);
    gitlab.control('POST', 'projects', { count: 2 });
    gitlab.control('POST', 'runners', { tags: ['docker'], run_untagged: false, projects: [1, 2] });
    const name = `v${version.slice(0, 2)}`;
    sections.push({ name, gitlab, id: 1, queue: '' });
    env[`HOSTLER_POOL_${name.toUpperCase()}__QUEUE_TOKEN`] = GOOD;
  }
  world = await startQueueWorld(sections, { env });
}, 120_000);

afterAll(async () => {
  await world.close();
  await Promise.all([...standIns.values(), ...emulated.values()].map((gitlab) => gitlab.close()));
  rmSync(tokenFile, { force: true });
  runner.closeAllConnections();
  runner.close();
});

const fresh = (pool: string, limitMs = 60_000) =>
  world.until(
    `the queue of ${pool} to be seen`,
    async () => (await world.queue(pool)).state === 'fresh',
    limitMs,
  );
const launched = (pool: string, machines: number) =>
  world.until(
    `${machines} machines of ${pool}`,
    async () => (await world.machines(pool)) === machines,
    60_000,
  );

describe('a pool', () => {
  test('whose GitLab is away at the start launches by the runner’s metrics until it answers', async () => {
    await world.until('the metrics to be used', async () => (await world.queue('away')).source === 'metrics');
    expect((await world.queue('away')).failing).toContain('502');
    taken = 2;
    size = 5;
    await launched('away', 3);
    gitlabOf('away').fault = null;
    await fresh('away', 150_000);
    expect(await world.queue('away')).toMatchObject({ source: 'rest', failing: null });
    const told = await world.hostler('queue', '--pool', 'away');
    expect(told.stdout).toMatch(
      /runner {2}took its last job .* ago, one of 5 that fitted it, 1 of them taken by others/,
    );
  }, 240_000);

  test('with min_age leaves a job to others until it is that old', async () => {
    await fresh('aged');
    const job = gitlabOf('aged').addJob({ project: 1 });
    await world.until('the job to be seen', async () => (await world.queue('aged')).may_take === 1, 30_000);
    expect(await world.machines('aged')).toBe(0);
    await launched('aged', 1);
    expect(Date.now() - job.queuedAt).toBeGreaterThanOrEqual(AGE_S * 1_000);
  });

  test('whose token is in a file takes up another one when the file changes', async () => {
    await world.until(
      'the old token to be refused',
      async () => (await world.queue('filed')).failing?.includes('does not accept the token'),
      60_000,
    );
    writeFileSync(tokenFile, `${GOOD}\n`);
    await fresh('filed');
    gitlabOf('filed').addJob({ project: 1 });
    await launched('filed', 1);
  });

  test('whose token is in SSM waits for it, and takes up another one when GitLab refuses the first', async () => {
    await world.until(
      'the missing parameter to be named',
      async () => (await world.queue('ssm')).failing?.includes('ssm:/hostler/token in eu-central-1'),
      60_000,
    );
    putParameter('/hostler/token', GOOD);
    // It is tried ever more seldom, up to every two minutes.
    await fresh('ssm', 150_000);
    putParameter('/hostler/token', OLD);
    gitlabOf('ssm').token = OLD;
    await world.until(
      'the first token to be refused',
      () => gitlabOf('ssm').asked.some(({ headers }) => headers['private-token'] === OLD),
      60_000,
    );
    gitlabOf('ssm').addJob({ project: 1 });
    await launched('ssm', 1);
  }, 300_000);

  test('of a runner for protected refs launches for these alone, and says why not for the others', async () => {
    await fresh('guarded');
    const gitlab = gitlabOf('guarded');
    gitlab.addJob({ project: 1, ref: 'main' });
    gitlab.addJob({ project: 1, ref: 'topic' });
    await launched('guarded', 1);
    const { projects, pending, may_take: takes } = await world.queue('guarded');
    expect([pending, takes, Object.values(projects[0]?.why_not ?? {})]).toEqual([2, 1, [1]]);
    expect(Object.keys(projects[0]?.why_not ?? {})[0]).toContain('protected');
  });

  test('takes webhooks under a plain secret in SSM, and under the next one', async () => {
    await fresh('hooked');
    expect((await world.queue('hooked')).webhook).toContain('ssm:/hostler/hook');
    putParameter('/hostler/hook', HOOK);
    // It is read again each minute; a reload is sooner.
    expect((await world.hostler('reload')).code).toBe(0);
    await world.until('the address to be open', async () =>
      (await world.queue('hooked')).webhook?.startsWith('taken at'),
    );
    const send = async (secret: string) => {
      const body = JSON.stringify({ object_kind: 'build', build_status: 'pending', project_id: 1 });
      const headers = { 'x-gitlab-token': secret, 'x-gitlab-event': 'Job Hook' };
      return (await fetch(`http://127.0.0.1:${hookPort}/`, { method: 'POST', headers, body })).status;
    };
    gitlabOf('hooked').addJob({ project: 1 });
    expect(await send('not-the-secret-at-all')).toBe(401);
    expect(await world.machines('hooked')).toBe(0);
    expect(await send(HOOK)).toBe(200);
    await launched('hooked', 1);
    putParameter('/hostler/hook', NEXT_HOOK);
    expect(await send(NEXT_HOOK)).toBe(401);
    expect((await world.hostler('reload')).code).toBe(0);
    await world.until('the next secret to be taken', async () => (await send(NEXT_HOOK)) === 200);
    expect(await send(HOOK)).toBe(401);
  }, 120_000);

  test('whose source changes at a reload is read the new way, and keeps what it launched', async () => {
    await fresh('changed');
    gitlabOf('changed').addJob({ project: 1 });
    await launched('changed', 1);
    const next = sections.map((section) =>
      section.name === 'changed' ? { ...section, queue: '    source = "graphql"\n' } : section,
    );
    world.use(next);
    await world.until(
      'GraphQL',
      async () => {
        const { source, state } = await world.queue('changed');
        return source === 'graphql' && state === 'fresh';
      },
      60_000,
    );
    expect(gitlabOf('changed').asked.at(-1)?.path).toBe('/api/graphql');
    expect(await world.machines('changed')).toBe(1);
    expect(world.log()).toContain('because source = \\"graphql\\"');
    world.use(sections);
  });
});

describe.each(versions)('GitLab %s', (version) => {
  test('has its jobs launched for, its version named', async () => {
    const pool = `v${version.slice(0, 2)}`;
    await fresh(pool);
    const gitlab = emulated.get(version);
    gitlab?.control('POST', 'jobs', { project: 2, tags: ['docker'], count: 3 });
    gitlab?.control('POST', 'jobs', { project: 2, tags: ['gpu'] });
    await launched(pool, 3);
    expect(await world.queue(pool)).toMatchObject({ source: 'rest', pending: 4, may_take: 3 });
    const { stdout } = await world.hostler('events', '--json', '--pool', pool);
    expect(stdout).toContain(version);
  });
});

test('no secret of these stands in what the daemon says or keeps', async () => {
  const holes: string[] = [];
  for (const [where, text] of await everythingSaid(world))
    for (const secret of [GOOD, OLD, HOOK, NEXT_HOOK])
      if (text.includes(secret)) holes.push(`${secret} in ${where}`);
  expect(holes).toEqual([]);
});
