import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/adapters/config/load.ts';
import { runProgram } from '../../src/doors/cli/program.ts';
import { runPolicy } from '../../src/simulator/report/run-policy.ts';
import { withSettings } from '../../src/simulator/report/settings.ts';
import { makeWorkload } from '../../src/simulator/report/workloads.ts';

const MONDAY = Date.UTC(2026, 10, 23);
const folder = mkdtempSync(join(tmpdir(), 'hostler-simulate-'));
const file = join(folder, 'config.toml');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  writeFileSync(
    file,
    `concurrent = 10
check_interval = 0
[[runners]]
name = "autoscaler"
url = "https://gitlab.example.com"
token = "glrt-simulated00000000"
executor = "docker+machine"
limit = 20
[runners.machine]
IdleCount = 1
IdleTime = 1800
MaxBuilds = 100
MachineDriver = "amazonec2"
MachineName = "gitlab-docker-machine-%s"
MachineOptions = [
"amazonec2-region=eu-central-1",
"amazonec2-vpc-id=vpc-0a1b2c3d",
"amazonec2-subnet-id=subnet-0a1b2c3d",
"amazonec2-use-private-address=true",
"amazonec2-instance-type=m4.2xlarge",
]
[[runners.machine.autoscaling]]
Periods = ["* * 9-17 * * mon-fri *"]
IdleCount = 50
IdleTime = 3600
Timezone = "UTC"
`,
  );
});

async function hostler(...args: readonly string[]) {
  const said = { out: '', err: '' };
  const code = await runProgram(args, {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    env: {},
    isTty: false,
    now: () => 0,
  });
  return { code, ...said };
}

const bounds = ['--set', 'concurrent=250', '--set', 'limit=250'];
const burst = ['--workload', 'burst:200@0', '--boot', '40', '--days', '0.02', '--no-periods'];

type Figures = {
  wait_s: { p50: number; p95: number; p99: number; max: number };
  machine_hours: { busy: number; idle: number };
  cost_usd: number;
  ec2_calls: number;
  machines: number;
  jobs: number;
  interruptions: number;
};

describe('hostler simulate', () => {
  test('brings 200 jobs hosts after one boot, docker+machine many boots later', async () => {
    const ten = ['--set', 'IdleCount=10', '--compare', 'docker-machine', '--json'];
    const { code, out, err } = await hostler('simulate', file, ...burst, ...bounds, ...ten);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const told = JSON.parse(out) as { hostler: Figures; 'docker-machine': Figures };
    const last = told.hostler.wait_s.max;
    expect(told.hostler.jobs).toBe(200);
    expect(last).toBeLessThanOrEqual(45);
    expect(told['docker-machine'].wait_s.max / last).toBeGreaterThanOrEqual(15);
    const config = withSettings(await loadConfig({ path: file, env: {} }), {
      concurrent: '250',
      limit: '250',
      IdleCount: '0',
      autoscaling: 'none',
    });
    const none = await runPolicy('docker-machine', config, {
      workload: makeWorkload('burst:200@0', { startAt: MONDAY, days: 1, seed: 1 }),
      bootMs: 40_000,
      runner: 'on-demand',
      flavour: 'gitlab',
      startAt: MONDAY,
      days: 0.02,
      seed: 1,
      reclaimsPerHour: 0,
      prices: [],
      peerMarket: null,
    });
    expect(last).toBeLessThanOrEqual(none.figures.wait_s.max);
  }, 240_000);

  test('says the same twice, to the last digit', async () => {
    const args = [
      'simulate',
      file,
      '--workload',
      'burst:5@60+poisson:30/h',
      '--days',
      '0.05',
      '--json',
      '--seed',
      '7',
    ];
    const [one, other] = [await hostler(...args), await hostler(...args)];
    expect(other.out).toBe(one.out);
    expect(Object.keys((JSON.parse(one.out) as { hostler: Figures }).hostler).slice(0, 4)).toEqual([
      'wait_s',
      'machine_hours',
      'cost_usd',
      'ec2_calls',
    ]);
  });

  test.each(['on-demand', 'standing', 'drop-in'])('runs with a runner that is %s', async (way) => {
    const { code, out } = await hostler(
      'simulate',
      file,
      '--runner',
      way,
      '--workload',
      'burst:3@30,1m',
      '--at',
      'tue 03:00',
      '--json',
    );
    expect(code).toBe(0);
    expect((JSON.parse(out) as { hostler: Figures & { jobs_unserved: number } }).hostler).toMatchObject({
      jobs: 3,
      jobs_unserved: 0,
    });
  });

  test('applies the periods that hold at its time', async () => {
    const idle = async (...at: string[]) => {
      const { out } = await hostler(
        'simulate',
        file,
        '--workload',
        'burst:1@0,1m',
        '--days',
        '0.02',
        '--json',
        ...at,
      );
      return (JSON.parse(out) as { hostler: Figures }).hostler.machines;
    };
    expect(await idle('--at', '03:00')).toBeLessThan(5);
    expect(await idle('--at', '10:00', ...bounds)).toBeGreaterThanOrEqual(50);
  });

  test('takes spot machines back at the rate that was asked for', async () => {
    const { out } = await hostler(
      'simulate',
      file,
      '--market',
      'spot',
      '--reclaim',
      '90%',
      '--workload',
      'burst:10@0,50m',
      '--days',
      '0.05',
      '--set',
      'concurrent=20',
      '--json',
    );
    expect((JSON.parse(out) as { hostler: Figures }).hostler.interruptions).toBeGreaterThan(0);
  });

  test('replays a recorded queue from a file', async () => {
    const trace = join(folder, 'jobs.csv');
    writeFileSync(
      trace,
      'queued_at,duration,tags\n2026-11-24T10:00:00Z,30,docker\n2026-11-24T10:01:00Z,45,\n',
    );
    const { code, out } = await hostler('simulate', file, '--jobs', trace, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ hostler: { jobs: 2 }, start_at: '2026-11-24T10:00:00.000Z' });
  });

  test('plays docker+machine alone where asked', async () => {
    const { code, out } = await hostler(
      'simulate',
      file,
      '--policy',
      'docker-machine',
      '--workload',
      'burst:3@30,1m',
      '--json',
    );
    expect(code).toBe(0);
    const told = JSON.parse(out) as Record<string, unknown>;
    expect(told).toMatchObject({ 'docker-machine': { jobs: 3, jobs_unserved: 0 } });
    expect(told).not.toHaveProperty('hostler');
  });

  test('looks ahead at the stages of a recorded pipeline, and leaves the first days to be learned from', async () => {
    const trace = join(folder, 'stages.csv');
    const pipeline = (at: number) =>
      [
        `${at},300,,${at},build,compile,group/app`,
        ...[1, 2, 3, 4].map((n) => `${at + 301},60,,${at},test,unit ${n},group/app`),
      ].join('\n');
    const header = 'queued_at,duration,tags,pipeline,stage,name,project\n';
    writeFileSync(trace, `${header}${[0, 3_600, 5_400].map(pipeline).join('\n')}\n`);
    const set = 'lookahead=true IdleCount=20 IdleCountMin=1 IdleScaleFactor=0.01 IdleTime=60'.split(' ');
    const span = ['--learn', '0.03', '--days', '0.06'];
    const args = ['--jobs', trace, ...span, '--queue', 'on', '--no-periods', '--json'];
    const { out } = await hostler('simulate', file, ...args, ...set.flatMap((one) => ['--set', one]));
    const told = JSON.parse(out) as { hostler: Figures & { lookahead_hits: number }; learn_days: number };
    expect(told.learn_days).toBe(0.03);
    expect(told.hostler.jobs).toBe(10);
    expect(told.hostler.lookahead_hits).toBe(1);
    // The second pipeline's tests find machines, only the first one's wait for a boot.
    expect(told.hostler.wait_s.p50).toBeLessThan(15);
  });

  test('draws the course into a file that stands alone', async () => {
    for (const name of ['course.html', 'course.svg']) {
      const { code } = await hostler(
        'simulate',
        file,
        '--workload',
        'burst:4@60,1m',
        '--plot',
        join(folder, name),
      );
      expect(code).toBe(0);
      expect(readFileSync(join(folder, name), 'utf8')).toMatch(/<svg [^]*Jobs waiting[^]*<\/svg>/);
    }
  });

  test.each([
    [['--workload', 'burst'], /workload "burst/],
    [['--workload', 'tide:3'], /no such kind/],
    [['--jobs', '/nowhere/jobs.csv'], /--jobs \/nowhere\/jobs.csv/],
    [['--jobs', 'a', '--workload', 'week'], /exclude each other/],
    [['--set', 'Idle=1'], /no key "Idle"/],
    [['--set', 'lookahead=maybe'], /true or false/],
    [['--policy', 'swarm'], /hostler or docker-machine/],
    [['--at', 'noon'], /time like/],
    [['--compare', 'swarm'], /docker-machine/],
    [['--plot', 'a.png'], /\.html or \.svg/],
    [['--pool', 'other'], /no pool "other"; there are autoscaler/],
    [['--reclaim', '500%'], /share an hour/],
    [['--runner', 'fast'], /on-demand, standing, drop-in/],
  ])('refuses %j in one line', async (args, words) => {
    const { code, out, err } = await hostler('simulate', file, ...args);
    expect(code).toBeGreaterThan(1);
    expect(out).toBe('');
    expect(err).toMatch(words);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});

describe('hostler advise', () => {
  const jobs = ['--workload', 'poisson:60/h,2m', '--days', '1'];

  test('names the cheapest idle policy that keeps the wait, and what other waits cost', async () => {
    const { code, out } = await hostler('advise', file, ...jobs, '--wait-p95', '20s', '--json');
    expect(code).toBe(0);
    const told = JSON.parse(out) as {
      advice: { IdleCount: number; estimate: { wait_s: { p95: number } } };
      curve: { wait_p95_s: number }[];
    };
    expect(told.advice.IdleCount).toBeGreaterThan(0);
    expect(told.advice.estimate.wait_s.p95).toBeLessThanOrEqual(20);
    expect(told.curve.map((point) => point.wait_p95_s)).toEqual([10, 20, 40, 80]);
  });

  test("writes it as it would stand in the runner's file", async () => {
    const { out } = await hostler('advise', file, ...jobs, '--wait-p95', '60s');
    expect(out).toMatch(/\[runners\.machine\]\n {4}IdleCount = 0\n/);
  });

  test('draws the curve, and says what of the queue there is nothing to learn about', async () => {
    const drawn = join(folder, 'curve.html');
    const more = ['--wait-p95', '60s', '--ahead', '--plot', drawn];
    const { code, out } = await hostler(
      'advise',
      file,
      '--workload',
      'poisson:60/h,2m',
      '--days',
      '0.1',
      ...more,
    );
    expect(code).toBe(0);
    expect(out).toMatch(/not tried: look-ahead: .*\nnot tried: forecast: /);
    expect(out).toMatch(/nothing with the queue keeps the wait with fewer idle hours/);
    expect(readFileSync(drawn, 'utf8')).toMatch(/<svg class="curve"[\s\S]*asked: 60 s[\s\S]*IdleCount = 0/);
  });

  test('refuses a wait that nothing keeps in one line', async () => {
    const { code, err } = await hostler('advise', file, ...jobs, '--wait-p95', '0s');
    expect(code).toBe(64);
    expect(err).toMatch(/^hostler: nothing tried keeps p95 ≤ 0 s.*\n$/);
  });
});
