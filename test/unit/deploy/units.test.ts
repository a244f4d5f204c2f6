// The systemd units: systemd's own judgement where it is installed, and what it cannot know: that the units, the
// permissions around them and hostler's defaults name the same things.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { daemonDefaults } from '../../../src/adapters/config/own-keys.ts';

const root = join(import.meta.dirname, '../../..');
const systemd = join(root, 'deploy/systemd');
const analyze = 'systemd-analyze';
const isInstalled = spawnSync(analyze, ['--version'], { stdio: 'ignore' }).status === 0;
if (!isInstalled) console.warn('systemd-analyze is not installed: units are only read, not verified');

/** `Key=value` lines of one file by key; a key may come several times, an empty value resets it as in systemd. */
function readUnit(file: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const line of readFileSync(join(systemd, file), 'utf8').split('\n')) {
    const [, key = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key !== '') values.set(key, [...(values.get(key) ?? []), value]);
  }
  return values;
}

function environment(unit: Map<string, string[]>): Record<string, string> {
  const pairs = (unit.get('Environment') ?? []).map((pair): [string, string] => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

const daemon = readUnit('hostler.service');
const runner = readUnit('gitlab-runner.service.d/hostler.conf');
const rights = readUnit('hostler-runner-config.service');
const watch = readUnit('hostler-runner-config.path');

describe.skipIf(!isInstalled)('systemd itself', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hostler-units-'));
    cpSync(systemd, folder, { recursive: true });
    // What is not installed here is stood in for; everything else is as shipped.
    const unit = readFileSync(join(folder, 'hostler.service'), 'utf8');
    writeFileSync(join(folder, 'hostler.service'), unit.replaceAll('/opt/hostler/', `${root}/`));
    writeFileSync(
      join(folder, 'gitlab-runner.service'),
      '[Unit]\nDescription=stand-in\n[Service]\nExecStart=/bin/true\n',
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: string[]) => {
    const env = { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` };
    const { status, stdout, stderr } = spawnSync(analyze, args, { cwd: folder, encoding: 'utf8', env });
    return { status, said: `${stdout}${stderr}` };
  };

  test('finds nothing wrong with the units', () => {
    const units = ['hostler.service', 'hostler-runner-config.service', 'hostler-runner-config.path'];
    expect(run('verify', ...units, 'gitlab-runner.service')).toEqual({ status: 0, said: '' });
  });

  test.each(['hostler.service', 'hostler-runner-config.service'])('rates %s at 2.0 or better', (unit) => {
    const { status, said } = run('security', '--offline=true', '--threshold=20', '--no-pager', `./${unit}`);
    expect({ status, verdict: said.split('\n').findLast((line) => line.includes('exposure')) }).toMatchObject(
      {
        status: 0,
      },
    );
  });
});

describe('the daemon unit', () => {
  test('gives the daemon a user, and no privilege but the one that closes connections to lost hosts', () => {
    expect(daemon.get('User')).toEqual(['hostler']);
    expect(readFileSync(join(systemd, 'sysusers.d/hostler.conf'), 'utf8')).toMatch(/^u hostler - /m);
    expect(daemon.get('CapabilityBoundingSet')).toEqual(['CAP_NET_ADMIN']);
    expect(daemon.get('AmbientCapabilities')).toEqual(['CAP_NET_ADMIN']);
    // In a user namespace of its own the capability would not reach the runner's connections.
    expect(daemon.get('PrivateUsers')).toEqual(['no']);
    expect(daemon.get('NoNewPrivileges')).toEqual(['yes']);
    expect(daemon.get('ProtectSystem')).toEqual(['strict']);
  });

  test('makes the folders that the defaults name', () => {
    expect(`/var/lib/${daemon.get('StateDirectory')?.[0]}`).toBe(daemonDefaults.state_dir);
    expect(`/run/${daemon.get('RuntimeDirectory')?.[0]}/hostler.sock`).toBe(daemonDefaults.socket);
    expect(daemon.get('RuntimeDirectoryMode')).toEqual(['0750']);
  });

  test('waits longer for a stop than the daemon takes, and hears of it by any child', () => {
    expect(Number(daemon.get('TimeoutStopSec')?.[0])).toBeGreaterThan(10);
    expect(daemon.get('NotifyAccess')).toEqual(['all']);
    // The daemon speaks at a third of it, and is called ill after 60 s without a tick.
    expect(Number(daemon.get('WatchdogSec')?.[0])).toBeGreaterThan(60);
  });

  test('starts before the runner and stops after it, without pulling it down', () => {
    expect(daemon.get('Before')).toEqual(['gitlab-runner.service']);
    expect(runner.get('After')).toEqual(['hostler.service']);
    expect(runner.get('Wants')).toEqual(['hostler.service']);
    expect(runner.get('Requires') ?? runner.get('BindsTo') ?? runner.get('PartOf')).toBeUndefined();
  });
});

describe('runner and daemon', () => {
  const store = environment(daemon)['MACHINE_STORAGE_PATH'] ?? '';

  test('share one store, which the daemon may write', () => {
    expect(environment(runner)['MACHINE_STORAGE_PATH']).toBe(store);
    expect(daemon.get('ReadWritePaths')).toEqual([store]);
    const made = readFileSync(join(systemd, 'tmpfiles.d/hostler.conf'), 'utf8');
    expect(made).toMatch(new RegExp(`^d ${store}/machines +2770 root hostler`, 'm'));
  });

  test('share one socket', () => {
    expect(environment(runner)['HOSTLER_SOCKET']).toBe(daemonDefaults.socket);
  });

  test('meet at the docker-machine of the installation that the daemon runs from', () => {
    const [command = ''] = daemon.get('ExecStart') ?? [];
    const bin = command.slice(0, command.indexOf('/hostler run'));
    expect(environment(runner)['PATH']?.split(':')[0]).toBe(bin);
  });

  test('a stop lets jobs end: QUIT for the runner alone, and time', () => {
    expect(runner.get('KillSignal')).toEqual(['SIGQUIT']);
    expect(runner.get('KillMode')).toEqual(['mixed']);
    expect(runner.get('TimeoutStopSec')).toEqual(['2h']);
  });
});

/** A process as another user can only be started by root. */
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('not root: the rights of the runner file are not tried with a second user');

describe.skipIf(!isRoot)('the right to read the runner file', () => {
  const STRANGER = 65_534;
  const GROUP = 54_321;
  let folder: string;
  let config: string;

  /** The commands of the unit, for a folder of ours and a group by number. */
  const grant = () => {
    for (const command of rights.get('ExecStart') ?? []) {
      const words = command.replaceAll('/etc/gitlab-runner', folder).replace(' hostler ', ` ${GROUP} `);
      const [program = '', ...args] = words.split(' ');
      expect(spawnSync(program, args, { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    }
  };
  const reads = (gid: number) => spawnSync('cat', [config], { uid: STRANGER, gid, encoding: 'utf8' }).stdout;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hostler-rights-'));
    config = join(folder, 'config.toml');
    writeFileSync(config, 'first', { mode: 0o600 });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('is the group’s and nobody else’s', () => {
    expect(reads(GROUP)).toBe('');
    grant();
    expect(reads(GROUP)).toBe('first');
    expect(reads(STRANGER)).toBe('');
    const lists = spawnSync('ls', [folder], { uid: STRANGER, gid: GROUP, encoding: 'utf8' });
    expect(lists.stdout).toBe('');
  });

  test('outlives the way the runner writes its file', () => {
    writeFileSync(config, 'second', { mode: 0o600 });
    expect(reads(GROUP)).toBe('second');
  });

  test('comes back after a new file in its place and a package upgrade, when the unit runs again', async () => {
    const { chmodSync, renameSync } = await import('node:fs');
    writeFileSync(`${config}.new`, 'third', { mode: 0o600 });
    renameSync(`${config}.new`, config);
    chmodSync(folder, 0o700);
    expect(reads(GROUP)).toBe('');
    grant();
    expect(reads(GROUP)).toBe('third');
  });

  test('is given again by the unit that watches the whole folder', () => {
    expect(watch.get('PathChanged')).toEqual(['/etc/gitlab-runner']);
    expect(daemon.get('Wants')?.[0]).toContain('hostler-runner-config.path');
    // Each change starts the unit once more: neither may give up after a handful.
    expect(rights.get('StartLimitIntervalSec')).toEqual(['0']);
  });
});
