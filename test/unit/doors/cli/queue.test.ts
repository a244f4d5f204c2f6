// What `hostler queue` prints for what a daemon said.
import { describe, expect, test } from 'vitest';
import type { QueueReply } from '../../../../src/contract/api.ts';
import { runProgram } from '../../../../src/doors/cli/program.ts';
import { startScriptedDaemon } from '../../../support/scripted-daemon.ts';

const aQueue: QueueReply = {
  pool: 'build',
  source: 'rest',
  state: 'fresh',
  age_s: 4,
  why: '1 project takes one call',
  gitlab: 'https://gitlab.example.com',
  remarks: ['the token may not read the runner'],
  failing: null,
  seen_within_s: { busy: 10, quiet: 300 },
  webhook: 'taken at :9260, last one 3s ago',
  runner_told: { queue_size: 7, queue_depth: 3, age_s: 12 },
  watched: 12,
  pending: 3,
  may_take: 2,
  oldest_s: 41,
  coming: 1,
  forecast: [{ from: '2026-11-23T09:00:00.000Z', jobs: 14 }],
  projects: [
    {
      id: 7,
      path: 'group/app',
      pending: 3,
      may_take: 2,
      coming: 1,
      oldest_s: 41,
      why_not: { 'the runner lacks gpu': 1 },
      hidden: null,
    },
  ],
  jobs: [
    {
      id: 901,
      name: 'compile',
      project: 'group/app',
      stage: 'build',
      ref: 'main',
      tags: ['docker', 'gpu'],
      waited_s: 41,
      url: null,
      takes: false,
      why_not: 'tags',
      detail: 'gpu',
    },
  ],
};

async function run(line: string, queues: readonly unknown[]) {
  const daemon = await startScriptedDaemon({ 'GET /v1/queue': { body: { queues } } });
  let [out, err] = ['', ''];
  const io = {
    env: { HOSTLER_SOCKET: daemon.socket },
    now: () => Date.parse('2026-11-23T09:00:00Z'),
    isTty: false,
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
  };
  try {
    const code = await runProgram(line.split(' '), io);
    return { code, out, err, asked: daemon.asked };
  } finally {
    await daemon.close();
  }
}

describe('hostler queue', () => {
  test('shows source, the wait to be seen, projects and why not', async () => {
    const { out, code, asked } = await run('queue', [aQueue]);
    expect(code).toBe(0);
    expect(asked).toEqual(['GET /v1/queue']);
    expect(out.split('\n')).toEqual([
      'pool build  fresh, by REST, one call a project at https://gitlab.example.com, seen 4s ago',
      '  why     1 project takes one call',
      '  note    the token may not read the runner',
      '  seen    within 10s where jobs were pending lately, within 5m in a quiet project (12 projects)',
      '  webhook taken at :9260, last one 3s ago',
      '  jobs    3 pending, 2 of them for this pool, the oldest for 41s; 1 more when their stage begins',
      '  rush    14 unannounced jobs within a boot are usual at this hour of the week',
      '  runner  took its last job 12s ago, one of 7 that fitted it, 2 of them taken by others just then, or ended',
      '  PROJECT    PENDING  MAY TAKE  COMING  OLDEST  WHY NOT',
      '  group/app        3         2       1  41s     1: the runner lacks gpu',
      '',
    ]);
  });

  test('names jobs when asked to, and says how many it leaves out', async () => {
    const { out, asked } = await run('queue --jobs 1', [aQueue]);
    expect(asked).toEqual(['GET /v1/queue?jobs=1']);
    expect(out).toContain('#901  compile  group/app  main  docker,gpu  41s    no: tags (gpu)');
    expect(out).toContain('2 more; --jobs N names more of them');
  });

  test('prints the documented JSON, and only the pool that is asked for', async () => {
    const other = { ...aQueue, pool: 'other' };
    expect(JSON.parse((await run('queue --json', [aQueue, other])).out)).toEqual([aQueue, other]);
    expect(JSON.parse((await run('queue --json --pool other', [aQueue, other])).out)).toEqual([other]);
    const none = await run('queue --pool nothing', [aQueue]);
    expect(none.err).toContain('no pool with a job queue is named nothing');
  });

  test('says in words that nothing is looked at, or that it is lost', async () => {
    expect((await run('queue', [])).out).toBe('no pool looks at a job queue\n');
    const lost = { ...aQueue, source: null, state: 'failed' as const, why: 'GitLab is away', jobs: [] };
    const { out } = await run('queue', [{ ...lost, seen_within_s: null, projects: [], remarks: [] }]);
    expect(out).toContain('failed, not looked at');
    expect(out).toContain('why     GitLab is away');
  });

  test('says at once that looks fail, while the last good one still counts', async () => {
    const { out } = await run('queue', [{ ...aQueue, failing: 'GitLab answered jobs with status 500' }]);
    expect(out).toContain('fresh, by REST');
    expect(out).toContain('  failing GitLab answered jobs with status 500');
    const old = await run('queue', [{ ...aQueue, failing: undefined }]);
    expect(old.out).not.toContain('failing');
  });

  test("shows the runner's own figures as in use, with their number", async () => {
    const told = { ...aQueue, source: 'metrics' as const, state: 'off' as const, pending: 7, jobs: [] };
    const { out } = await run('queue', [{ ...told, seen_within_s: null, projects: [], gitlab: null }]);
    expect(out).toContain("pool build  in use, by the runner's own metrics, seen 4s ago");
    const meanwhile = { ...told, failing: 'GitLab does not answer', seen_within_s: null, projects: [] };
    const lines = (await run('queue', [meanwhile])).out.split('\n');
    expect(lines[0]).toBe("pool build  in use, by the runner's own metrics, seen 4s ago");
    expect(lines).toContain('  failing GitLab does not answer');
    expect(out).toContain('  jobs    7 waited when the runner last took one, within the last minute');
  });

  test('says what GitLab told the runner, also where it tells nothing or an older daemon does', async () => {
    const lines = async (told: QueueReply['runner_told'] | undefined) =>
      (await run('queue', [{ ...aQueue, runner_told: told }])).out
        .split('\n')
        .filter((line) => line.startsWith('  runner'));
    expect(await lines({ queue_size: 4, queue_depth: 1, age_s: 2 })).toEqual([
      '  runner  took its last job 2s ago, one of 4 that fitted it',
    ]);
    expect(await lines({ queue_size: 0, queue_depth: 0, age_s: 2 })).toEqual([
      '  runner  took its last job 2s ago; GitLab did not say how many fitted it',
    ]);
    expect([await lines(null), await lines(undefined)]).toEqual([[], []]);
  });

  test('refuses a number of jobs that is none', async () => {
    expect((await run('queue --jobs many', [])).err).toContain('--jobs takes a whole number from 1 to 5000');
  });

  test('cannot be made to write escape sequences by the name of a job', async () => {
    const [job] = aQueue.jobs;
    const { out } = await run('queue --jobs', [
      { ...aQueue, jobs: [{ ...job, name: '\u001b[31mred\nsecond' }] },
    ]);
    expect(out).not.toContain('\u001b');
    expect(out.split('\n').filter((line) => line.includes('second'))).toHaveLength(1);
  });
});
