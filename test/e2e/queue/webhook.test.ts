// A whole daemon between an emulated EC2 and an emulated GitLab: a webhook becomes a launch call within two seconds, and
// what the daemon sees can be read. The poll interval is ten minutes here, so that nothing is seen by polling.
import { afterEach, describe, expect, test } from 'vitest';
import { type EmulatedGitlab, startGitlab } from '../../../src/emulator/gitlab/start-gitlab.ts';
import { freePort, type LiveWorld, startWorld } from '../../support/live-world.ts';

let gitlab: EmulatedGitlab;
let world: LiveWorld | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
  await gitlab.close();
});

const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=';
const SLOW_BOOT_MS = 600_000;

async function start(): Promise<LiveWorld> {
  gitlab = await startGitlab();
  const hook = await freePort();
  gitlab.control('POST', 'projects', { count: 3 });
  gitlab.control('POST', 'runners', { tags: ['docker'], run_untagged: false, projects: [1, 2, 3] });
  gitlab.control('POST', 'hooks', { url: `http://127.0.0.1:${hook}/`, token: SECRET });
  const queue = `url = "${gitlab.url}"\nsource = "rest"\npoll_interval = "10m"\nwebhook_listen = "127.0.0.1:${hook}"\nwebhook_secret = "${SECRET}"\n`;
  world = await startWorld({
    emulator: { bootMs: SLOW_BOOT_MS },
    concurrent: 200,
    runner: 'limit = 200\n  id = 1',
    machine: 'IdleCount = 0\n    IdleTime = 600',
    own: `[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\n[pools.queue]\n${queue}`,
    env: { HOSTLER_GITLAB_TOKEN: 'glpat-emulated0000' },
  });
  const here = world;
  await here.until(
    'every project to be looked at once',
    async () => {
      const [queue_] = await here.client.queue();
      return queue_?.state === 'fresh' && (gitlab.calls()['jobs'] ?? 0) >= 3;
    },
    60_000,
  );
  return here;
}

describe('a job that turns pending while nobody polls', () => {
  test('is launched for by its webhook alone, and 200 of them by a handful of looks', async () => {
    const here = await start();
    const looks = gitlab.calls()['jobs'] ?? 0;
    gitlab.control('POST', 'jobs', { project: 2, tags: ['docker'] });
    await here.until('a machine', async () => (await here.client.machines()).length === 1, 60_000);
    gitlab.control('POST', 'jobs', { project: 3, tags: ['docker'], count: 199 });
    await here.until('200 machines', async () => (await here.client.machines()).length >= 200, 120_000);
    expect((await here.client.machines()).length).toBe(200);
    expect((gitlab.calls()['jobs'] ?? 0) - looks).toBeLessThanOrEqual(40);
    expect(gitlab.calls()['429']).toBeUndefined();
  }, 240_000);

  test('can be read with all that waits, and why not the rest', async () => {
    const here = await start();
    gitlab.control('POST', 'jobs', { project: 2, tags: ['docker'], name: 'compile' });
    gitlab.control('POST', 'jobs', { project: 2, tags: ['gpu'] });
    await here.until(
      'both jobs to be seen',
      async () => (await here.client.queue())[0]?.pending === 2,
      60_000,
    );
    const [queue] = await here.client.queue();
    expect(queue).toMatchObject({ source: 'rest', may_take: 1, watched: 3 });
    expect(queue?.projects).toMatchObject([
      { path: 'group/project-2', pending: 2, may_take: 1, why_not: { 'the runner lacks gpu': 1 } },
    ]);
    expect(queue?.webhook).toMatch(/^taken at http:\/\/127\.0\.0\.1:\d+, the last came \d+ s ago: /);
    const shown = await here.hostler('queue', '--jobs');
    expect(shown.stdout).toContain('the runner lacks gpu');
    expect(shown.stdout).toContain('compile');
    expect((await here.hostler('explain', 'test-runner')).stdout).toContain('compile');
    expect(`${shown.stdout}${JSON.stringify(queue)}`).not.toContain(SECRET);
  }, 240_000);
});
