// The dead-man timer's own script, run by the shell in a folder that stands for a host: hours pass in /proc/uptime alone.
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { userDataParts } from '../../../src/emulator/host/user-data-parts.ts';
import { bootHook } from '../../../src/provision/steps/boot.ts';
import { bootDeadMan, renewDeadMan } from '../../../src/provision/steps/dead-man.ts';
import { factsOf, frame, wordsOf } from '../../../src/provision/steps/shell.ts';
import { createHostRoot, type HostRoot } from './host-root.ts';

const life = { deadManMs: 2 * HOUR_MS, maxMachineLifeMs: 24 * HOUR_MS };
const HOUR_S = 3_600;
const MINUTE_S = 60;
/** A host that a hypervisor brought up some minutes after its kernel: ages count from the boot hook. */
const BOOTED_AT = 100;
const ENDED = 'shutdown -h now';

let host: HostRoot;
beforeEach(() => {
  host = createHostRoot();
  host.write('run/systemd/system/marker', '');
  for (const name of ['systemctl', 'shutdown', 'docker']) host.command(name);
  // Where Docker is asked in its other way, this machine's own must not answer.
  host.command('curl', 'exit 7');
});
afterEach(() => host.remove());

const isOver = () => host.calls().includes(ENDED);

function boot(limits = life): void {
  passTo(0);
  expect(host.play(`export PATH=/bin\n${bootDeadMan(limits)}`, { shell: 'sh' })).toMatchObject({
    code: 0,
    stderr: '',
  });
}

function renew(limits = life): void {
  expect(host.play(frame([renewDeadMan(limits)]))).toMatchObject({ code: 0, stderr: '' });
}

/** Seconds since the boot. */
function passTo(seconds: number): void {
  host.write('proc/uptime', `${BOOTED_AT + seconds}.37 12.00\n`);
}

/** Lets time come to these seconds since the boot and looks once, as the timer would. True when the host ended itself. */
function looksAt(seconds: number): boolean {
  passTo(seconds);
  const ran = spawnSync('sh', [`${host.root}/run/hostler/dead-man`], { encoding: 'utf8' });
  expect(ran).toMatchObject({ status: 0, stderr: '' });
  return isOver();
}

function containerRuns(runs: boolean): void {
  host.command('docker', runs ? 'echo 0123456789ab' : '');
}

describe('a host that nobody ever came to', () => {
  test('ends dead_man after its boot, not before', () => {
    boot();
    expect(looksAt(2 * HOUR_S - 1)).toBe(false);
    expect(looksAt(2 * HOUR_S)).toBe(true);
  });

  test('ends although Docker was never installed', () => {
    boot();
    host.without('docker');
    host.command('docker', 'exit 127');
    expect(looksAt(2 * HOUR_S)).toBe(true);
  });

  test('starts its timer without waiting for it, on older systemd after a reload', () => {
    boot();
    expect(host.calls()).toEqual(['systemctl start --no-block hostler-dead-man.timer']);
    host.command(
      'systemctl',
      `[ "$1" = daemon-reload ] && touch ${host.root}/reloaded; [ -e ${host.root}/reloaded ]`,
    );
    boot();
    expect(host.calls().slice(1)).toEqual([
      'systemctl start --no-block hostler-dead-man.timer',
      'systemctl daemon-reload',
      'systemctl start --no-block hostler-dead-man.timer',
    ]);
  });

  test('counts from its last boot: nothing of the timer outlives one', () => {
    boot();
    for (const path of ['etc', 'var'])
      expect(spawnSync('find', [`${host.root}/${path}`, '-type', 'f'], { encoding: 'utf8' }).stdout).toBe('');
  });
});

describe('a host whose manager is away', () => {
  beforeEach(() => {
    boot();
    passTo(HOUR_S);
    renew();
  });

  test('ends dead_man after the last renewal when no container runs', () => {
    expect(looksAt(3 * HOUR_S - 1)).toBe(false);
    expect(looksAt(3 * HOUR_S)).toBe(true);
  });

  test('lives while a container runs', () => {
    containerRuns(true);
    for (const hours of [3, 9, 23]) expect(looksAt(hours * HOUR_S)).toBe(false);
  });

  test('lives through the minutes between two containers of a job, and ends when none comes', () => {
    containerRuns(true);
    expect(looksAt(5 * HOUR_S)).toBe(false);
    containerRuns(false);
    expect(looksAt(5 * HOUR_S + 9 * MINUTE_S)).toBe(false);
    containerRuns(true);
    expect(looksAt(5 * HOUR_S + 9 * MINUTE_S + 30)).toBe(false);
    containerRuns(false);
    expect(looksAt(5 * HOUR_S + 19 * MINUTE_S)).toBe(false);
    expect(looksAt(5 * HOUR_S + 19 * MINUTE_S + 30)).toBe(true);
  });

  test('remembers a container that ran just before dead_man was over', () => {
    containerRuns(true);
    expect(looksAt(3 * HOUR_S - MINUTE_S)).toBe(false);
    containerRuns(false);
    expect(looksAt(3 * HOUR_S)).toBe(false);
    expect(looksAt(3 * HOUR_S + 9 * MINUTE_S)).toBe(true);
  });

  test('ends at max_machine_life although a container runs', () => {
    containerRuns(true);
    expect(looksAt(24 * HOUR_S - 1)).toBe(false);
    expect(looksAt(24 * HOUR_S)).toBe(true);
  });

  test('is asked for its containers by the API where there is no docker command', () => {
    host.command('docker', 'exit 127');
    host.command('curl', `echo '[{"Id":"0123"}]'`);
    expect(looksAt(3 * HOUR_S)).toBe(false);
    host.command('curl', `echo '[]'`);
    expect(looksAt(3 * HOUR_S + HOUR_S)).toBe(true);
  });

  test('lives while a container runs under a Docker that does not answer', () => {
    host.command('docker', 'exit 1');
    host.write('proc/4242/comm', 'containerd-shim\n');
    host.write('proc/4243/comm', 'sh\n');
    expect(looksAt(3 * HOUR_S)).toBe(false);
    host.write('proc/4242/comm', 'sh\n');
    expect(looksAt(4 * HOUR_S)).toBe(true);
  });

  test('says why on its console', () => {
    passTo(3 * HOUR_S);
    const { stdout } = spawnSync('sh', [`${host.root}/run/hostler/dead-man`], { encoding: 'utf8' });
    expect(stdout).toBe('hostler: this host ends itself: not renewed for 7200 s, and no container runs\n');
    expect(host.read('run/systemd/system/hostler-dead-man.service')).toContain(
      'StandardOutput=journal+console',
    );
  });
});

describe('a host that is renewed', () => {
  test('lives, whatever its age: with a job its manager lets it', () => {
    boot();
    for (const hour of [2, 4, 24, 26, 100]) {
      passTo((hour - 1) * HOUR_S);
      renew();
      expect(looksAt(hour * HOUR_S)).toBe(false);
    }
  });

  test('goes by the limits of its last renewal', () => {
    boot();
    renew({ deadManMs: 20 * MINUTE_MS, maxMachineLifeMs: HOUR_MS });
    expect(looksAt(20 * MINUTE_S - 1)).toBe(false);
    containerRuns(true);
    expect(looksAt(40 * MINUTE_S)).toBe(false);
    expect(looksAt(HOUR_S)).toBe(true);
  });

  test('gets the timer of this release, also where there was none', () => {
    passTo(HOUR_S);
    renew();
    expect(host.calls()).toEqual(['systemctl start --no-block hostler-dead-man.timer']);
    expect(looksAt(3 * HOUR_S)).toBe(true);
  });

  test('is told when its timer does not start', () => {
    host.command('systemctl', 'exit 1');
    passTo(0);
    const played = host.play(frame([renewDeadMan(life)]));
    expect(factsOf(played.stdout).get('step')).toBe('renew-dead-man');
    expect(wordsOf(played)).toContain('the dead-man timer does not start');
  });
});

test.each([
  ['empty', ''],
  ['cut off', '360'],
  ['of words', 'now then there\n'],
  ['half', '360 7200\n'],
])('a stamp that is %s counts as none: the defaults bound the host from its boot', (_name, text) => {
  boot({ deadManMs: HOUR_MS, maxMachineLifeMs: HOUR_MS });
  host.write('run/hostler/renewed', text);
  expect(looksAt(2 * HOUR_S - BOOTED_AT - 1)).toBe(false);
  expect(looksAt(2 * HOUR_S - BOOTED_AT)).toBe(true);
});

test('the boot hook is one that sh can read, and does nothing without systemd', () => {
  const hook = bootHook(life);
  expect(userDataParts(hook)).toHaveLength(1);
  expect(spawnSync('sh', ['-n'], { input: hook, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  expect(hook.indexOf('[ -d /run/systemd/system ] || exit 0')).toBeLessThan(hook.indexOf('/run/hostler'));
});
