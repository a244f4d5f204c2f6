// The compose setup: docker compose's own judgement where the client is there; its files, names and places where a YAML
// reader (Python's) is; the runner's configuration with its placeholders filled in always.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../../src/adapters/config/load.ts';
import { environmentOf, readStages } from './dockerfile-reader.ts';

const root = join(import.meta.dirname, '../../..');
const compose = join(root, 'deploy/compose');
const file = join(compose, 'docker-compose.yaml');

/** The parts of a service that are looked at here. */
type Service = {
  image?: string;
  build?: { context: string; dockerfile: string };
  user?: string;
  volumes?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string; required?: boolean }> | string[];
  profiles?: string[];
  ports?: string[];
  network_mode?: string;
  stop_signal?: string;
};
type Project = { services: Record<string, Service>; volumes: Record<string, unknown> };

function readYaml(path: string): unknown {
  const script = 'import sys, json, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))';
  const { status, stdout, stderr } = spawnSync('python3', ['-c', script, path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const hasClient = spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' }).status === 0;
const hasReader = spawnSync('python3', ['-c', 'import yaml'], { stdio: 'ignore' }).status === 0;
if (!hasClient)
  console.warn('docker compose is not installed: the compose file is read, not validated by it');
if (!hasReader) console.warn('python3 with yaml is not installed: the compose file is not read');

test.skipIf(!hasClient)('docker compose takes the file, with GitLab and without', () => {
  for (const profile of [[], ['--profile', 'gitlab']]) {
    const args = ['compose', '-f', file, ...profile, 'config', '--quiet'];
    expect(spawnSync('docker', args, { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  }
});

describe.skipIf(!hasReader)('the compose file', () => {
  const { services, volumes } = hasReader ? (readYaml(file) as Project) : { services: {}, volumes: {} };
  const all = Object.entries(services);
  const mounts = (service: Service | undefined) =>
    (service?.volumes ?? []).map((text) => {
      const [source = '', target = '', mode = 'rw'] = text.split(':');
      return { source, target, mode };
    });

  test('has GitLab by profile, the runner, hostler, Prometheus and Grafana', () => {
    expect(Object.keys(services).toSorted()).toEqual(
      ['gitlab', 'gitlab-runner', 'grafana', 'hostler', 'prometheus', 'runner-config'].toSorted(),
    );
    expect(all.filter(([, { profiles }]) => profiles !== undefined).map(([name]) => name)).toEqual([
      'gitlab',
    ]);
  });

  test('builds from files that exist', () => {
    const builds = all.flatMap(([, { build }]) => (build ? [build] : []));
    expect(builds.length).toBe(3);
    for (const { context, dockerfile } of builds) {
      expect(resolve(compose, context)).toBe(root);
      expect(existsSync(join(root, dockerfile))).toBe(true);
    }
  });

  test('mounts what is in the repository, what the user makes below data/, and declared volumes', () => {
    for (const { source } of all.flatMap(([, service]) => mounts(service))) {
      if (source.startsWith('./data/')) continue;
      if (source.startsWith('.')) expect(existsSync(join(compose, source)), source).toBe(true);
      else expect(Object.keys(volumes)).toContain(source);
    }
  });

  test('gives runner and hostler the same store and socket, at the places of their images', () => {
    const stage = readStages(join(root, 'Dockerfile')).at(-1);
    const { MACHINE_STORAGE_PATH: store, HOSTLER_SOCKET: socket } = stage ? environmentOf(stage) : {};
    for (const name of ['hostler', 'gitlab-runner']) {
      const targets = mounts(services[name]).map(({ source, target }) => [source, target]);
      expect(targets).toContainEqual(['machines', store]);
      expect(targets).toContainEqual(['socket', posix.dirname(socket ?? '')]);
    }
  });

  test('lets hostler see the runner’s folder, not its file, because a mounted file is not followed when it is replaced', () => {
    expect(mounts(services['hostler'])).toContainEqual({
      source: './data/gitlab-runner',
      target: '/etc/gitlab-runner',
      mode: 'ro',
    });
  });

  test('runs nothing of ours as root but the one step that gives rights, which has no network', () => {
    expect(services['hostler']?.user).toBeUndefined();
    expect(services['runner-config']).toMatchObject({ user: '0:0', network_mode: 'none' });
  });

  test('gives the same rights as the systemd unit does', () => {
    const unit = readFileSync(join(root, 'deploy/systemd/hostler-runner-config.service'), 'utf8');
    const commands = [...unit.matchAll(/^ExecStart=(.*)$/gm)].map(([, command = '']) =>
      command.replace(' hostler ', ' 10001 '),
    );
    const { command } = services['runner-config'] as { command?: string[] };
    expect(command?.[0]?.trim().split('\n')).toEqual(commands);
  });

  test('starts the runner when hostler answers, and stops it by QUIT', () => {
    expect(services['gitlab-runner']).toMatchObject({
      depends_on: { hostler: { condition: 'service_healthy' }, gitlab: { required: false } },
      stop_signal: 'SIGQUIT',
    });
  });

  test('shows Prometheus and Grafana to this machine only', () => {
    for (const name of ['prometheus', 'grafana'])
      for (const port of services[name]?.ports ?? ['none']) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('scrapes what the services listen on', () => {
    type Scrape = { scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[] };
    const { scrape_configs: jobs } = readYaml(join(root, 'deploy/prometheus/prometheus.yml')) as Scrape;
    const targets = jobs.flatMap((job) => job.static_configs.flatMap((config) => config.targets));
    const port = services['hostler']?.environment?.['HOSTLER_LISTEN_ADDRESS'];
    const runner = readFileSync(join(compose, 'config.toml.before_envsubst'), 'utf8');
    const runnerPort = /^listen_address = "(.*)"$/m.exec(runner)?.[1];
    expect(targets).toEqual([`hostler${port}`, `gitlab-runner${runnerPort}`]);
  });

  test('provisions Grafana with the Prometheus of this file', () => {
    type Sources = { datasources: { type: string; url: string }[] };
    const path = join(root, 'deploy/grafana/provisioning/datasources/prometheus.yaml');
    const { datasources } = readYaml(path) as Sources;
    expect(datasources).toMatchObject([{ type: 'prometheus', url: 'http://prometheus:9090' }]);
    expect(mounts(services['grafana'])[0]?.target).toBe('/etc/grafana/provisioning');
  });
});

describe('the runner configuration of the compose setup', () => {
  const template = readFileSync(join(compose, 'config.toml.before_envsubst'), 'utf8');
  const lines = readFileSync(join(compose, '.env.example'), 'utf8').split('\n');
  const values = new Map(
    lines.flatMap((line) =>
      [...line.matchAll(/^([A-Z0-9_]+)=(.*)$/g)].map(([, k = '', v = '']) => [k, v] as const),
    ),
  );
  const placeholders = [...template.matchAll(/\$\{([A-Z0-9_]+)\}/g)].map(([, name = '']) => name);

  test('has a value in .env.example for each placeholder, and no value without one', () => {
    expect([...values.keys()].toSorted()).toEqual([...new Set(placeholders)].toSorted());
  });

  test('is taken with them filled in, with nothing to warn about but the runner’s port', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostler-compose-'));
    try {
      const path = join(folder, 'config.toml');
      writeFileSync(
        path,
        template.replaceAll(/\$\{([A-Z0-9_]+)\}/g, (_, name: string) => values.get(name) ?? ''),
      );
      const own = join(compose, 'hostler.toml');
      const env = { HOSTLER_RUNNER_CONFIG: path, MACHINE_STORAGE_PATH: dirname(path), HOME: '/root' };
      const { config, issues } = await readConfig({ path: own, env });
      expect(issues.map(({ code }) => code)).toEqual(['listen-claimed']);
      expect(config?.settings.listenAddress).toBe(':9253');
      expect(config?.pools).toMatchObject([
        { runnerName: 'gitlab-aws-autoscaler', limit: 20, maxBuilds: 100 },
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test('the example of a standing runner is taken without a warning', async () => {
  const { config, issues } = await readConfig({
    path: join(root, 'deploy/examples/runner-standing.toml'),
    env: { HOME: '/root', RUNNER_TOKEN: 'glrt-abcdefghijklmno' },
  });
  expect(issues).toEqual([]);
  expect(config?.pools).toMatchObject([
    { id: 'aws-fresh', maxBuilds: 1, runnerSchedule: { base: { idleCount: 10 } } },
  ]);
});
