import { afterEach, describe, expect, test } from 'vitest';
import type { CliIo } from '../../../../src/doors/cli/io.ts';
import { runProgram } from '../../../../src/doors/cli/program.ts';
import {
  aLease,
  aMachine,
  anEvent,
  aPool,
  aStatus,
  NOW,
  planSize,
  type Script,
  startScriptedDaemon,
} from '../../../support/scripted-daemon.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

type Extras = { isTty?: boolean; answer?: string; env?: Record<string, string> };

/** Runs one command line against a scripted daemon. */
async function run(line: string, script: Script, extras: Extras = {}) {
  const daemon = await startScriptedDaemon(script);
  ends.push(daemon.close);
  const said = { out: '', err: '', questions: [] as string[] };
  const { answer } = extras;
  const io: CliIo = {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    env: { HOSTLER_SOCKET: daemon.socket, ...extras.env },
    isTty: extras.isTty ?? false,
    now: () => NOW,
    ...(answer === undefined
      ? {}
      : {
          ask: (question: string) => {
            said.questions.push(question);
            return Promise.resolve(answer);
          },
        }),
  };
  const code = await runProgram(line.split(' '), io);
  return { code, ...said, asked: daemon.asked, bodies: daemon.bodies };
}

const plan = (size: object = {}) => ({
  body: {
    at: new Date(NOW - 3_000).toISOString(),
    wake_at: new Date(NOW + 2_000).toISOString(),
    pools: [{ ...planSize, ...size }],
    actions: ['launch 7 machines demand: jobs wait for a machine'],
  },
});
const pools = (...list: object[]) => ({ body: { pools: list } });
const done = (message: string) => ({ body: { done: true, message } });
const rest = {
  what: 'offering:m5.large:any:spot',
  kind: 'insufficient-capacity',
  code: 'InsufficientInstanceCapacity',
  message: 'none left',
  until: new Date(NOW + 90_000).toISOString(),
  failures: 3,
};

describe('json', () => {
  const reads: [string, Script, unknown][] = [
    ['status', { 'GET /v1/status': { body: aStatus } }, aStatus],
    ['machines', { 'GET /v1/machines': { body: { machines: [aMachine] } } }, [aMachine]],
    ['machines', { 'GET /v1/machines': { body: { machines: [] } } }, []],
    ['leases', { 'GET /v1/leases': { body: { leases: [aLease] } } }, [aLease]],
    ['events', { 'GET /v1/events': { body: { events: [anEvent] } } }, [anEvent]],
    ['explain', { 'GET /v1/plan': plan(), 'GET /v1/pools': pools(aPool) }, plan().body],
    [
      'explain build',
      { 'GET /v1/plan': plan(), 'GET /v1/pools': pools(aPool), 'GET /v1/events': { body: { events: [] } } },
      { pool: aPool, plan: planSize, events: [], jobs: [] },
    ],
  ];
  test.each(reads)('%s prints what the socket said', async (line, script, expected) => {
    const { code, out, err } = await run(`${line} --json`, script);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(expected);
    expect(err).toBe('');
  });

  test('json is never coloured', async () => {
    const { out } = await run('status --json', { 'GET /v1/status': { body: aStatus } }, { isTty: true });
    expect(out).not.toContain('\u001b');
  });
});

describe('status', () => {
  test('shows the daemon, its pools and no alarms when all is well', async () => {
    const { out } = await run('status', { 'GET /v1/status': { body: aStatus } });
    expect(out).toBe(
      [
        'hostler 0.1.0  owner build-runner  manager 0b9e  pid 4242  up 3h 5m',
        'config     /etc/gitlab-runner/config.toml, read 1m ago',
        'loop       last round 2s ago, 99 rounds',
        'EC2 calls  11 (RunInstances 2, DescribeInstances 9)',
        '',
        'POOL   TYPE      MARKET  WANTED  IDLE  BUSY  HELD  READY  COMING  LEAVING  WAITING  LIMIT  STATE  NEXT CHANGE',
        'build  m5.large  spot         -     0     -     -      -       -        -        -     20  ok     2026-11-23 09:00 Asia/Tokyo',
        '',
      ].join('\n'),
    );
  });

  test('a refused configuration, a stale source, a warning and a rest are said', async () => {
    const { out } = await run('status', {
      'GET /v1/status': {
        body: {
          ...aStatus,
          config_error: 'config.toml:3:1: no such key',
          sources: [{ source: 'instances', state: 'stale', age_s: 95, why: 'throttled' }],
          warnings: [
            {
              severity: 'warning',
              code: 'x',
              message: 'IdleCount above limit',
              where: 'c.toml:9:2',
              key: null,
              pool: null,
            },
          ],
          pools: [{ ...aPool, paused: true, size: planSize, rests: [rest] }],
        },
      },
    });
    expect(out).toContain('configuration refused, the old one stays: config.toml:3:1: no such key');
    expect(out).toContain('source instances stale for 1m 35s: throttled');
    expect(out).toContain('warning: c.toml:9:2: IdleCount above limit');
    expect(out).toContain(
      'build: offering:m5.large:any:spot rests until 16:01 Asia/Tokyo (in 1m 30s) after 3 failures: InsufficientInstanceCapacity: none left',
    );
    expect(out).toMatch(/build +m5\.large +spot +15 +3 +2 +1 +1 +4 +0 +12 +20 +paused/);
  });

  test('a terminal gets colour unless NO_COLOR or a dumb terminal says otherwise', async () => {
    const script = { 'GET /v1/status': { body: aStatus } };
    expect((await run('status', script, { isTty: true })).out).toContain('\u001b[');
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }])
      expect((await run('status', script, { isTty: true, env })).out).not.toContain('\u001b');
  });

  test('escape sequences from outside do not reach the terminal', async () => {
    const evil = '\u001b]0;owned\u0007\u009b2J\nline';
    const { out } = await run('machines', {
      'GET /v1/machines': { body: { machines: [{ ...aMachine, failure: evil, address: evil }] } },
    });
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(out.trim().split('\n')).toHaveLength(2);
  });
});

describe('machines and leases', () => {
  test('machines are one line each, figures to the right', async () => {
    const failed = {
      ...aMachine,
      id: 'm-b',
      phase: 'terminating',
      lease: null,
      builds: 12,
      ending: 'unhealthy',
      healthy: false,
    };
    const { out } = await run('machines', { 'GET /v1/machines': { body: { machines: [aMachine, failed] } } });
    expect(out).toBe(
      [
        'ID            POOL   PHASE        FOR     INSTANCE             TYPE      ZONE             MARKET  ADDRESS   BUILDS  LEASE         NOTE',
        'm-abcdefghij  build  leased       1m 15s  i-0123456789abcdef0  m5.large  ap-northeast-1a  spot    10.0.0.7       3  runner-abc-1',
        'm-b           build  terminating  1m 15s  i-0123456789abcdef0  m5.large  ap-northeast-1a  spot    10.0.0.7      12  -             unhealthy',
        '',
      ].join('\n'),
    );
  });

  test('no machines says why and until when', async () => {
    const empty = { 'GET /v1/machines': { body: { machines: [] } } };
    const { out } = await run('machines', {
      ...empty,
      'GET /v1/pools': pools({ ...aPool, next_change: new Date(NOW + 3_600_000).toISOString() }),
    });
    expect(out).toBe('no machines: pool build wants 0 idle until 17:00 Asia/Tokyo\n');
    const paused = await run('machines', {
      ...empty,
      'GET /v1/pools': pools({ ...aPool, paused: true, next_change: null }),
    });
    expect(paused.out).toBe('no machines: pool build wants 0 idle, but it is paused\n');
    const none = await run('machines', { ...empty, 'GET /v1/pools': pools() });
    expect(none.out).toBe('no machines: there are no pools\n');
  });

  test('one pool can be chosen, and a wrong one is named', async () => {
    const script = {
      'GET /v1/machines': { body: { machines: [aMachine, { ...aMachine, id: 'm-2', pool: 'other' }] } },
      'GET /v1/pools': pools(aPool),
    };
    expect(JSON.parse((await run('machines --json --pool other', script)).out)).toHaveLength(1);
    const wrong = await run('machines --pool bild', script);
    expect([wrong.code, wrong.err]).toEqual([3, 'hostler: no pool bild; there are: build (pool-unknown)\n']);
  });

  test('leases show state, place and jobs', async () => {
    const waiting = { ...aLease, name: 'runner-abc-2', state: 'waiting', machine: null, jobs: [], place: 2 };
    const { out } = await run('leases', { 'GET /v1/leases': { body: { leases: [aLease, waiting] } } });
    expect(out.split('\n')[1]).toMatch(/^runner-abc-1 +build +busy +m-abcdefghij +1m 20s +4s +77 +1001$/);
    expect(out.split('\n')[2]).toMatch(/^runner-abc-2 +build +waiting \(2\.\) +- +1m 20s +4s +77$/);
    const none = await run('leases', { 'GET /v1/leases': { body: { leases: [] } } });
    expect(none.out).toBe('no leases: no runner holds a machine and no create waits\n');
  });
});

describe('explain', () => {
  test('tells the arithmetic of a pool, why, and what comes next', async () => {
    const { out } = await run('explain', {
      'GET /v1/plan': plan(),
      'GET /v1/pools': pools({ ...aPool, rests: [rest] }),
    });
    expect(out).toBe(
      [
        'pool build  build-runner, m5.large spot in ap-northeast-1',
        '  wants   15 = 2 busy + 10 demand + 3 idle (limit 20)',
        '  demand  10: 12 creates waiting - 2 by which the runner fills its own idle',
        '  idle    3: period "base" wants 3, the runner itself 3',
        '  has     8 = 2 busy + 1 held idle + 1 ready + 4 coming, 7 missing',
        '  because demand: jobs wait for a machine (machines=7)',
        "  next    the schedule's wish changes at 2026-11-23 09:00 Asia/Tokyo",
        '          offering:m5.large:any:spot rests until 16:01 Asia/Tokyo (in 1m 30s) after 3 failures: InsufficientInstanceCapacity: none left',
        '',
        'last plan 3s ago, next look in 2s at the latest:',
        '  launch 7 machines demand: jobs wait for a machine',
        '',
      ].join('\n'),
    );
  });

  test('says what holds a pool down, and that it is held by a person', async () => {
    const { out } = await run('explain', {
      'GET /v1/plan': plan({ demand: 30, wanted: 20, lines: ['limit: of the runner', 'enough: x'] }),
      'GET /v1/pools': pools({ ...aPool, paused: true, next_change: null }),
    });
    expect(out).toContain('wants   20 = 2 busy + 30 demand + 3 idle (35), held at 20 (limit 20)');
    expect(out).toContain('  because limit: of the runner\n          enough: x\n');
    expect(out).toContain(
      'no change by the schedule\n          paused by a person: "hostler resume" ends it',
    );
  });

  test('before the first round it says so', async () => {
    const { code, out } = await run('explain', {
      'GET /v1/plan': { body: { at: null, wake_at: null, pools: [], actions: [] } },
      'GET /v1/pools': pools(aPool),
    });
    expect(code).toBe(0);
    expect(out).toContain('no plan yet');
  });

  test('finds a machine by id, instance and address, also one that is gone', async () => {
    const script = {
      'GET /v1/pools': pools(aPool),
      'GET /v1/machines': { body: { machines: [aMachine] } },
      'GET /v1/machines/m-abcdefghij': { body: { machine: aMachine, events: [anEvent] } },
      'GET /v1/machines/m-gone': { body: { machine: { ...aMachine, id: 'm-gone' }, events: [] } },
    };
    for (const name of ['m-abcdefghij', 'i-0123456789abcdef0', '10.0.0.7']) {
      const { out } = await run(`explain ${name}`, script);
      expect(out).toContain('m-abcdefghij');
      expect(out).toContain('EC2 accepted the launch of 4');
    }
    expect((await run('explain m-gone', script)).out).toContain('no events');
  });

  test('tells what a failed boot showed on its console, also when its machine is forgotten', async () => {
    const console = '[    0.1] Linux\r\nhost login: \u001b[31mstuck\r\n';
    const text = `still booting after boot_timeout; connect: no answer; console: ${console}`;
    const events = [anEvent, { ...anEvent, code: 'boot-timeout', text }];
    const { code, out } = await run('explain m-forgotten', {
      'GET /v1/pools': pools(aPool),
      'GET /v1/machines': { body: { machines: [] } },
      'GET /v1/events': { body: { events } },
    });
    expect(code).toBe(0);
    const lines = out.split('\n');
    expect(lines[0]).toBe('the machine is gone');
    expect(lines.find((line) => line.includes('boot-timeout'))).toMatch(/connect: no answer$/);
    const at = lines.indexOf('end of its console:');
    expect(lines.slice(at + 1, at + 3)).toEqual(['  [    0.1] Linux', '  host login:  [31mstuck']);
  });

  test('finds a lease that has ended by its events, and says when nothing is known', async () => {
    const base = {
      'GET /v1/pools': pools(aPool),
      'GET /v1/machines': { body: { machines: [] } },
      'GET /v1/leases': { body: { leases: [] } },
    };
    const known = await run('explain runner-old', {
      ...base,
      'GET /v1/events': { body: { events: [anEvent] } },
    });
    expect(known.out).toContain('the lease has ended');
    const unknown = await run('explain nothing', { ...base, 'GET /v1/events': { body: { events: [] } } });
    expect(unknown.code).toBe(3);
    expect(unknown.err).toMatch(
      /^hostler: nothing is no pool, machine, instance or lease .* \(not-found\)\n$/,
    );
  });
});

describe('events', () => {
  test('are one line each and can be filtered', async () => {
    const { out, asked } = await run('events --pool build --machine m-1 --lease l -n 5', {
      'GET /v1/events': { body: { events: [anEvent] } },
    });
    expect(asked).toEqual(['GET /v1/events?pool=build&machine=m-1&lease=l&limit=5']);
    expect(out).toMatch(
      /^2026-11-2\d \d\d:\d\d:\d\d {2}launched {6}build m-abcdefghij {2}EC2 accepted the launch of 4\n$/,
    );
  });

  test('no events are said in words', async () => {
    expect((await run('events', { 'GET /v1/events': { body: { events: [] } } })).out).toMatch(/^no events/);
  });
});

describe('changes', () => {
  const script = {
    'GET /v1/pools': pools(aPool, { ...aPool, id: 'test' }),
    'GET /v1/machines': { body: { machines: [aMachine] } },
    'GET /v1/status': { body: aStatus },
    'POST /v1/pools/build/pause': done('build is paused'),
    'POST /v1/pools/test/pause': done('test is paused'),
    'POST /v1/pools/build/resume': done('build goes on'),
    'POST /v1/pools/build/drain': done('build is being drained'),
    'POST /v1/machines/m-abcdefghij/retire': done('m-abcdefghij ends'),
    'POST /v1/reload': done('read again: 2 pools'),
    'POST /v1/cleanup': {
      body: {
        terminated: ['i-1', 'i-2'],
        kept: [{ instance: 'i-3', why: 'another manager owns it' }],
        left: 0,
      },
    },
  };
  const changes = (asked: string[]) => asked.filter((line) => !line.startsWith('GET'));

  test.each([
    ['pause build', 'build is paused\n'],
    ['pause --all', 'build is paused\ntest is paused\n'],
    ['resume build', 'build goes on\n'],
    ['drain build --yes', 'build is being drained\n'],
    ['retire m-abcdefghij -y', 'm-abcdefghij ends\n'],
    ['retire runner-abc-1 10.0.0.7 -y', 'm-abcdefghij ends\n'],
    ['reload', 'read again: 2 pools\n'],
    [
      'cleanup --yes',
      'terminated 2: i-1 i-2\nkept i-3: another manager owns it\nleft: 0\nall pools are drained now; hostler resume POOL opens one again\n',
    ],
  ])('%s does it and prints the answer', async (line, out) => {
    const result = await run(line, script);
    expect([result.code, result.out, result.err]).toEqual([0, out, '']);
  });

  test.each(['drain build', 'retire m-abcdefghij', 'cleanup'])(
    '%s needs --yes where nobody can answer',
    async (line) => {
      const result = await run(line, script);
      expect(result.code).toBe(64);
      expect(result.err).toMatch(/add --yes to do it \(usage\)\n$/);
      expect(changes(result.asked)).toEqual([]);
    },
  );

  test.each(['drain build', 'retire m-abcdefghij', 'cleanup'])(
    '%s asks a person and does nothing on no',
    async (line) => {
      const no = await run(line, script, { answer: '' });
      expect(no.questions[0]).toMatch(/Go on\? \[y\/N\] $/);
      expect([no.code, changes(no.asked)]).toEqual([64, []]);
      const yes = await run(line, script, { answer: ' Yes ' });
      expect([yes.code, changes(yes.asked).length]).toEqual([0, 1]);
    },
  );

  test.each([
    ['pause', 64, /name a pool \(build, test\) or say --all/],
    ['pause build --all', 64, /not both/],
    ['pause build nope', 3, /no pool nope; there are: build, test/],
    ['drain nope --yes', 3, /no pool nope/],
    ['retire m-abcdefghij i-none --yes', 3, /no machine i-none/],
  ])('%s is refused before anything changes', async (line, code, words) => {
    const result = await run(line, script);
    expect(result.code).toBe(code);
    expect(result.err).toMatch(words);
    expect(changes(result.asked)).toEqual([]);
  });

  test('force and all managers reach the daemon only when said', async () => {
    const lastBody = async (line: string) => (await run(line, script)).bodies.at(-1);
    expect(await lastBody('retire m-abcdefghij --yes')).toBe('{"force":false}');
    expect(await lastBody('retire m-abcdefghij --yes --force')).toBe('{"force":true}');
    expect(await lastBody('cleanup --yes')).toBe('{"allManagers":false}');
    expect(await lastBody('cleanup --yes --all-managers')).toBe('{"allManagers":true}');
  });

  test('a cleanup that leaves something fails', async () => {
    const left = { ...script, 'POST /v1/cleanup': { body: { terminated: [], kept: [], left: 2 } } };
    const result = await run('cleanup --yes', left);
    expect(result.code).toBe(5);
    expect(result.err).toContain('2 things of owner build-runner are left');
  });
});

describe('failures', () => {
  test.each([
    ['', 64],
    ['nope', 64],
    ['status --nope', 64],
    ['status extra', 64],
    ['retire', 64],
    ['explain a b', 64],
    ['events -n 0', 64],
    ['events -n x', 64],
    ['events -n 5001', 64],
    ['status --watch --every 0', 64],
    ['status --watch --every soon', 64],
    ['help', 0],
    ['--help', 0],
    ['status --help', 0],
    ['--version', 0],
    ['version', 0],
  ])('%j ends with %i', async (line, code) => {
    const result = await run(line, {});
    expect(result.code).toBe(code);
    expect(result.err + result.out).not.toMatch(/\n\s+at /);
    if (code !== 0 && line !== '') expect(result.err).toMatch(/^hostler: .*\(usage\)\n$/);
  });

  test("the daemon's refusal becomes one line and its exit code", async () => {
    const refusal = { error: { code: 'config-syntax', message: 'not TOML', where: '/etc/c.toml:3:1' } };
    const result = await run('reload', { 'POST /v1/reload': { status: 422, body: refusal } });
    expect([result.code, result.out, result.err]).toEqual([
      2,
      '',
      'hostler: /etc/c.toml:3:1: not TOML (config-syntax)\n',
    ]);
  });

  test.each([
    'status',
    'machines',
    'leases',
    'queue',
    'explain',
    'events',
    'pause --all',
    'resume --all',
    'drain --all --yes',
    'retire m-1 --yes',
    'reload',
    'cleanup --yes',
  ])('%s without a daemon ends with 69 and the socket', async (line) => {
    const result = await run(`${line} --socket /nowhere/h.sock`, {});
    expect(result.code).toBe(69);
    expect(result.err).toMatch(
      /^hostler: no daemon at \/nowhere\/h\.sock: is it running\? .*\(daemon-away\)\n$/,
    );
  });

  test('an error nobody expected is one line, with a stack only on demand', async () => {
    const script = { 'GET /v1/status': { body: { ...aStatus, pools: null } } };
    const result = await run('status', script);
    expect(result.code).toBe(70);
    expect(result.err).toMatch(/^hostler: unexpected: .*HOSTLER_DEBUG=1 shows the stack\n$/);
    expect((await run('status', script, { env: { HOSTLER_DEBUG: '1' } })).err).toMatch(/\n\s+at /);
  });
});
