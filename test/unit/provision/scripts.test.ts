// The scripts themselves: read by bash, and run for real against a folder that stands for the host's root, with
// stand-ins for the host's own commands (systemctl, dockerd …) that write down how they were called.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostSpec } from '../../../src/domain/config.ts';
import { prepareScript, prepullScript, setupScript } from '../../../src/provision/scripts.ts';
import { configureDocker, startDocker, writeTls } from '../../../src/provision/steps/configure-docker.ts';
import { lookAtDisk } from '../../../src/provision/steps/disk.ts';
import { makeHostKey, rotateHostKey } from '../../../src/provision/steps/host-key.ts';
import { guardJobs, installDocker } from '../../../src/provision/steps/install-docker.ts';
import { EXIT_BUSY, factsOf, frame, quote, step, wordsOf } from '../../../src/provision/steps/shell.ts';
import { waitUserData } from '../../../src/provision/steps/wait-user-data.ts';
import { hostSpec, poolOf } from './host-fixture.ts';
import { createHostRoot, type HostRoot } from './host-root.ts';

let stand: HostRoot;
let root = '';
beforeEach(() => {
  stand = createHostRoot();
  root = stand.root;
});
afterEach(() => stand.remove());

const command: HostRoot['command'] = (name, body) => stand.command(name, body);
const calls = () => stand.calls();
const read = (path: string) => stand.read(path);
const play: HostRoot['play'] = (script, on) => stand.play(script, on);

/** As `play`, on a host that has nothing but the stand-ins and a few plain tools: no Docker of this machine shows. */
function playBare(script: string) {
  for (const tool of ['cat', 'chmod', 'cp', 'mv', 'rm', 'sh', 'tail', 'tr']) {
    const found = spawnSync('bash', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
    if (!existsSync(join(root, 'bin', tool))) symlinkSync(found, join(root, 'bin', tool));
  }
  return play(script, { path: `${root}/bin` });
}

const dress = (host: Partial<HostSpec> = {}) => ({
  host: { ...hostSpec, dockerPort: 2376, ...host },
  driver: 'amazonec2',
  ca: '-----CA-----\n',
  cert: '-----CERT-----\n',
  key: '-----KEY-----\n',
});

const odd = [
  `it's`,
  '$(touch /tmp/x)',
  '`id`',
  'a "b" c',
  'back\\slash',
  '%n',
  '$HOME',
  'new\nline',
  "'; exit 3; '",
];

describe('every script', () => {
  const pool = poolOf({
    prepull: odd,
    engineLabels: odd,
    engineEnv: odd,
    engineOptions: odd,
    engineInstallUrl: `http://x/'$(id)`,
  });
  test.each([
    ['prepare', prepareScript(pool)],
    ['setup', setupScript(dress(pool.host))],
    ['prepull', prepullScript(pool)],
  ])('%s is one that bash can read, whatever the values', (_name, script) => {
    expect(spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  test('cut off anywhere does nothing', () => {
    const script = frame([step('one', `echo done >${root}/run/seen`)]);
    for (let length = 0; length < script.length - 'main </dev/null\n'.length; length += 17)
      play(script.slice(0, length));
    expect(existsSync(join(root, 'run/seen'))).toBe(false);
    expect(play(script).code).toBe(0);
    expect(existsSync(join(root, 'run/seen'))).toBe(true);
  });

  test('holds its steps against commands that would read it', () => {
    expect(factsOf(play(frame([step('one', 'cat'), step('two', 'echo hello')])).stdout).get('step')).toBe(
      'two',
    );
  });

  test('ends with the words of the step that failed', () => {
    const result = play(
      frame([step('one', 'echo noise >&2; fail "no room on /data"'), step('two', 'touch /run/x')]),
    );
    expect(wordsOf(result)).toBe('no room on /data (exit code 10)');
    expect(factsOf(result.stdout).get('step')).toBe('one');
    expect(existsSync(join(root, 'run/x'))).toBe(false);
  });

  test('quotes any text as one word', () => {
    for (const text of [...odd, ''])
      expect(spawnSync('bash', ['-c', `printf %s ${quote(text)}`], { encoding: 'utf8' }).stdout).toBe(text);
  });
});

describe('words of a failure', () => {
  test.each([
    [
      'the last line when no step spoke',
      { code: 1, stderr: 'first\nsudo: a password is required\n' },
      'sudo: a password is required (exit code 1)',
    ],
    ['something even from silence', { code: 3, stderr: '' }, 'it said nothing (exit code 3)'],
    [
      'no exit code for a lost link',
      { code: null, stderr: 'the connection was lost' },
      'the connection was lost',
    ],
    ['printable text only', { code: 1, stderr: '\u001b[31mred\u0007' }, '[31mred (exit code 1)'],
  ])('are %s', (_name, result, words) => {
    expect(wordsOf(result)).toBe(words);
  });

  test('are at most 300 characters', () => {
    expect(wordsOf({ code: null, stderr: `hostler-failed: ${'x'.repeat(5_000)}` })).toHaveLength(300);
  });
});

describe('wait-user-data', () => {
  test('goes on at once without cloud-init, or when it is off', () => {
    expect(play(frame([waitUserData()])).code).toBe(0);
    command('cloud-init');
    mkdirSync(join(root, 'run/cloud-init'));
    writeFileSync(join(root, 'run/cloud-init/disabled'), '');
    expect(play(frame([waitUserData()])).code).toBe(0);
  });

  test('waits for the result and tells its errors', () => {
    command('cloud-init');
    mkdirSync(join(root, 'run/cloud-init'));
    const result =
      '{\n "v1": {\n  "datasource": "x",\n  "errors": [\n   "(\'scripts-user\', RuntimeError())"\n  ]\n }\n}';
    const late = `(sleep 0.3; cat >${root}/run/cloud-init/result.json <<'X'\n${result}\nX\n) &`;
    const played = play(frame([step('late', late), waitUserData()]));
    expect(factsOf(played.stdout).get('user-data-errors')).toContain('RuntimeError');
    writeFileSync(join(root, 'run/cloud-init/result.json'), '{"v1": {"errors": []}}');
    expect(factsOf(play(frame([waitUserData()])).stdout).has('user-data-errors')).toBe(false);
  });
});

const SSH_KEYGEN = 'ssh-keygen';
const keygen = spawnSync(SSH_KEYGEN, ['-V'], { stdio: 'ignore' }).error === undefined;
describe.skipIf(!keygen)('host key', () => {
  test('is made beside the old one, then put in its place with one restart of sshd', () => {
    command('sshd');
    command('systemctl', 'case "$*" in "is-active --quiet ssh.service") exit 3;; esac');
    writeFileSync(join(root, 'etc/ssh/ssh_host_ed25519_key.pub'), 'old');
    const key = factsOf(play(frame([makeHostKey()])).stdout).get('host-key');
    expect(key).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+$/);
    expect(read('etc/ssh/ssh_host_ed25519_key.pub')).toBe('old');
    expect(play(frame([rotateHostKey()])).code).toBe(0);
    expect(read('etc/ssh/ssh_host_ed25519_key.pub')).toContain(key);
    expect(statSync(join(root, 'etc/ssh/ssh_host_ed25519_key')).mode & 0o777).toBe(0o600);
    expect(calls().filter((call) => call.includes('restart'))).toEqual([
      'systemctl restart --no-block sshd.service',
    ]);
    expect(play(frame([rotateHostKey()])).code).toBe(0);
    expect(calls().filter((call) => call.includes('restart'))).toHaveLength(1);
  });

  test('stays the old one when sshd refuses the new one', () => {
    command('sshd', 'exit 1');
    command('systemctl');
    writeFileSync(join(root, 'etc/ssh/ssh_host_ed25519_key.pub'), 'old');
    play(frame([makeHostKey()]));
    expect(wordsOf(play(frame([rotateHostKey()])))).toContain('sshd refuses');
    expect(read('etc/ssh/ssh_host_ed25519_key.pub')).toBe('old');
  });
});

describe('install-docker', () => {
  const found = step('say', 'echo "hostler: dockerd=$dockerd"');

  test('takes the dockerd that is there, wherever it is', () => {
    command('dockerd');
    command('curl', 'exit 1');
    const played = playBare(frame([installDocker('https://get.example'), found]));
    expect(factsOf(played.stdout).get('dockerd')).toBe(join(root, 'bin/dockerd'));
    expect(calls()).toEqual([]);
  });

  test('runs the script of the URL where there is none', () => {
    const script = `echo '#!/bin/sh' >${root}/bin/dockerd; chmod +x ${root}/bin/dockerd`;
    command('curl', `while [ $# -gt 1 ]; do [ "$1" = -o ] && cat >"$2" <<'X'\n${script}\nX\nshift; done`);
    const played = playBare(frame([installDocker('https://get.example/x?a=1&b=2'), found]));
    expect(factsOf(played.stdout).get('dockerd')).toBe(join(root, 'bin/dockerd'));
    expect(calls()[0]).toContain('https://get.example/x?a=1&b=2');
  });

  test('fails in words: no URL wanted, not fetched, script failed', () => {
    expect(wordsOf(playBare(frame([installDocker('none')])))).toContain('engine-install-url is none');
    command('curl', 'echo "curl: (6) Could not resolve host: get.example" >&2; exit 6');
    expect(wordsOf(playBare(frame([installDocker('https://get.example')])))).toContain(
      'Could not resolve host',
    );
    command(
      'curl',
      'while [ $# -gt 1 ]; do [ "$1" = -o ] && echo "echo Unsupported distribution; exit 1" >"$2"; shift; done',
    );
    expect(wordsOf(playBare(frame([installDocker('https://get.example')])))).toContain(
      'Unsupported distribution',
    );
  });

  describe('on Amazon Linux', () => {
    const url = 'https://get.docker.com';
    const amazon = (version: string) =>
      writeFileSync(join(root, 'etc/os-release'), `ID="amzn"\nVERSION_ID="${version}"\n`);
    const brings = (tool: string) => `cp ${root}/bin/${tool} ${root}/bin/dockerd`;

    test('2023 takes the package by dnf', () => {
      amazon('2023');
      command('dnf', brings('dnf'));
      command('yum', 'exit 1');
      expect(playBare(frame([installDocker(url), found])).code).toBe(0);
      expect(calls()).toEqual(['dnf install -y docker']);
    });

    test('2 takes it by yum, else from its extras', () => {
      amazon('2');
      command('yum', 'echo "No package docker available."; exit 1');
      command('amazon-linux-extras', brings('amazon-linux-extras'));
      expect(playBare(frame([installDocker(url), found])).code).toBe(0);
      expect(calls()).toEqual(['yum install -y docker', 'amazon-linux-extras install -y docker']);
    });

    test('says why there is none', () => {
      amazon('2023');
      command('dnf', 'echo "Error: Unable to find a match: docker"; exit 1');
      expect(wordsOf(playBare(frame([installDocker(url)])))).toContain(
        'installing docker failed: Error: Unable to find a match: docker',
      );
    });

    test('runs a script of the operator all the same, also without curl at first', () => {
      amazon('2023');
      const script = `echo '#!/bin/sh' >${root}/bin/dockerd; chmod +x ${root}/bin/dockerd`;
      const curl = `#!/bin/sh\nwhile [ $# -gt 1 ]; do [ "$1" = -o ] && echo "${script}" >"$2"; shift; done\n`;
      command(
        'dnf',
        `printf '%s' '${curl.replaceAll("'", "'\\''")}' >${root}/bin/curl; chmod +x ${root}/bin/curl`,
      );
      expect(playBare(frame([installDocker('https://get.example'), found])).code).toBe(0);
      expect(calls()).toEqual(['dnf install -y curl']);
    });
  });
});

describe('docker', () => {
  const unit = () =>
    `ExecStart=/usr/bin/dockerd -H fd:// --containerd=${root}/run/containerd/containerd.sock`;
  const dropIn = 'etc/systemd/system/docker.service.d/10-machine.conf';
  const setUp = (host: Partial<HostSpec> = {}) =>
    play(
      frame([
        step('find', 'dockerd=/usr/sbin/dockerd'),
        writeTls(dress(host)),
        configureDocker(dress(host)),
        startDocker(),
      ]),
    );

  test('gets its certificates, the key for root only, and is started once', () => {
    command('systemctl', `[ "$1" = cat ] && echo '${unit()}'; exit 0`);
    expect(setUp().code).toBe(0);
    expect(read('etc/docker/ca.pem')).toBe('-----CA-----\n');
    expect(read('etc/docker/server.pem')).toBe('-----CERT-----\n');
    expect(read('etc/docker/server-key.pem')).toBe('-----KEY-----\n');
    expect(statSync(join(root, 'etc/docker/server-key.pem')).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, dropIn)).mode & 0o777).toBe(0o600);
    expect(calls().filter((call) => call.startsWith('systemctl restart'))).toEqual([
      'systemctl restart docker.service',
    ]);
  });

  test('keeps its own way to the socket and to containerd', () => {
    command('systemctl', `[ "$1" = cat ] && echo '${unit()}'; exit 0`);
    setUp();
    expect(read(dropIn)).toContain(
      `[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --containerd=${root}/run/containerd/containerd.sock -H tcp://0.0.0.0:2376 --tlsverify --tlscacert=`,
    );
    command('systemctl', `[ "$1" = cat ] && echo 'ExecStart=/usr/sbin/dockerd'; exit 0`);
    setUp();
    expect(read(dropIn)).toContain(`dockerd -H unix://${root}/var/run/docker.sock -H tcp:`);
  });

  test('keeps the flags that its distribution adds from files, ahead of ours, however often it is set up', () => {
    const amazon =
      '/usr/bin/dockerd -H fd:// --containerd=/run/x.sock $OPTIONS $DOCKER_STORAGE_OPTIONS ${DOCKER_ADD_RUNTIMES}';
    command(
      'systemctl',
      `[ "$1" = cat ] && { echo 'ExecStart=${amazon}'; cat ${root}/${dropIn} 2>/dev/null; }; exit 0`,
    );
    const line = () => read(dropIn).split('\n')[3] ?? '';
    for (const round of [1, 2, 3]) {
      expect(setUp({ engineOptions: ['label=a=$b'] }).code, `round ${round}`).toBe(0);
      expect(line()).toContain(
        ' $OPTIONS $DOCKER_STORAGE_OPTIONS ${DOCKER_ADD_RUNTIMES} -H tcp://0.0.0.0:2376 ',
      );
      expect(line().match(/\$OPTIONS/g)).toHaveLength(1);
    }
  });

  test('keeps them also where the unit spreads over several lines', () => {
    const lines = [
      'ExecStart=/usr/bin/dockerd \\',
      '  --host=fd:// \\',
      '  $OPTIONS \\',
      '  $INSECURE_REGISTRY',
      'Restart=always',
    ];
    command('systemctl', `[ "$1" = cat ] && cat <<'X'\n${lines.join('\n')}\nX\nexit 0`);
    setUp();
    expect(read(dropIn)).toContain('-H fd:// $OPTIONS $INSECURE_REGISTRY -H tcp://0.0.0.0:2376 ');
  });

  test('gets every engine option', () => {
    command('systemctl', `[ "$1" = cat ] && echo '${unit()}'; exit 0`);
    setUp({
      engineStorageDriver: 'overlay2',
      engineLabels: ['team=build', 'note=two words'],
      engineInsecureRegistries: ['10.0.0.1:5000'],
      engineRegistryMirrors: ['http://mirror.example:5000?a=50%'],
      engineOptions: ['log-driver=journald', 'log-opt max-size=10m', 'default-ulimit=nofile=1:2', 'x=$HOME'],
      engineEnv: ['HTTPS_PROXY=http://u:p"w%40@proxy:3128', 'NO_PROXY=localhost, 10.0.0.0/8'],
    });
    const [, , , line = '', ...environment] = read(dropIn).trim().split('\n');
    const flags = line.slice(line.indexOf('--storage-driver'));
    expect(flags).toBe(
      '--storage-driver=overlay2 --label=provider=amazonec2 --label=team=build --label="note=two words" --insecure-registry=10.0.0.1:5000 --registry-mirror="http://mirror.example:5000?a=50%%" --log-driver=journald --log-opt max-size=10m --default-ulimit=nofile=1:2 --x=$$HOME',
    );
    expect(environment).toEqual([
      String.raw`Environment="HTTPS_PROXY=http://u:p\"w%%40@proxy:3128"`,
      'Environment="NO_PROXY=localhost, 10.0.0.0/8"',
    ]);
  });

  test('that starts only the second time is no failure', () => {
    command('sleep');
    command(
      'systemctl',
      `case $1 in cat) echo '${unit()}';; restart) [ -e ${root}/tried ] || { touch ${root}/tried; exit 1; };; esac`,
    );
    expect(setUp().code).toBe(0);
    expect(calls().filter((call) => /restart|reset-failed/.test(call))).toEqual([
      'systemctl reset-failed docker.service',
      'systemctl restart docker.service',
      'systemctl reset-failed docker.service',
      'systemctl restart docker.service',
    ]);
  });

  test('that does not start gives its own last words', () => {
    command('sleep');
    command('systemctl', `case $1 in cat) echo '${unit()}';; restart) exit 1;; esac`);
    command(
      'journalctl',
      `echo 'failed to start daemon: the following directives are specified both as a flag and in the configuration file: hosts'
      echo 'time="2026-01-01T00:00:00Z" level=warning msg="unable to do something else"'
      echo "docker.service: Failed with result 'exit-code'."
      echo 'Failed to start docker.service - Docker Application Container Engine.'`,
    );
    const played = setUp();
    expect(factsOf(played.stdout).get('step')).toBe('start-docker');
    expect(wordsOf(played)).toMatch(
      /^dockerd does not start: failed to start daemon: .* hosts +\(exit code 10\)$/,
    );
  });

  test('without a unit of its own is explained', () => {
    command('systemctl', 'exit 1');
    expect(wordsOf(setUp())).toContain('no docker.service');
  });

  test('is left alone on a dressed host where a job runs', () => {
    mkdirSync(join(root, 'etc/systemd/system/docker.service.d'), { recursive: true });
    writeFileSync(join(root, dropIn), '');
    command('docker', 'echo com.gitlab.gitlab-runner.job.id=1,com.gitlab.gitlab-runner.type=build');
    const script = frame([guardJobs()]).replace('[ -S ', '[ -e ');
    expect(play(script).code).toBe(0);
    writeFileSync(join(root, 'var/run/docker.sock'), '');
    const busy = play(script);
    expect([busy.code, wordsOf(busy)]).toEqual([
      EXIT_BUSY,
      `a job runs on this host (exit code ${EXIT_BUSY})`,
    ]);
    command('docker', 'echo other=1');
    expect(play(script).code).toBe(0);
  });
});

describe('look-at-disk', () => {
  /** Percent by what df is asked: `-P /data 40` and so on. */
  function disks(lines: readonly string[]): void {
    const cases = lines.map((line) => {
      const [what = '', place = '', figure = ''] = line.split(' ');
      return `"${what} ${place}") echo 'Filesystem Total Used Free Use% Mounted'; echo "/dev/x 100 1 99 ${figure} ${place}";;`;
    });
    command('df', `case "$*" in ${cases.join('\n')} *) exit 1;; esac`);
  }
  const diskOf = (options: readonly string[] = []) =>
    factsOf(play(frame([lookAtDisk(options)])).stdout).get('disk');
  const dockerRoot = () => `${root}/var/lib/docker`;

  test('tells the fullest of space and inodes, of Docker and of the root', () => {
    disks([`-P ${dockerRoot()} 40%`, `-Pi ${dockerRoot()} 7%`, '-P / 30%', '-Pi / 5%']);
    expect(diskOf()).toBe('40');
    disks([`-P ${dockerRoot()} 40%`, `-Pi ${dockerRoot()} 91%`, '-P / 30%', '-Pi / 5%']);
    expect(diskOf()).toBe('91');
    disks([`-P ${dockerRoot()} 40%`, `-Pi ${dockerRoot()} -`, '-P / 100%', '-Pi / -']);
    expect(diskOf()).toBe('100');
  });

  test('looks where Docker was told to keep its data, by its flags or its file', () => {
    disks(['-P /data/docker 66%', '-P / 30%']);
    expect(diskOf(['log-driver=journald', 'data-root=/data/docker'])).toBe('66');
    stand.write('etc/docker/daemon.json', '{\n "a": 1,\n "data-root" : "/data/docker"\n}');
    expect(diskOf()).toBe('66');
  });

  test('says nothing rather than a guess', () => {
    disks([]);
    expect(diskOf()).toBe(undefined);
  });

  test('of this machine is a figure', () => {
    expect(Number(diskOf())).toBeGreaterThan(0);
  });
});

describe('prepull', () => {
  const pulled = (images: readonly string[], bootTimeoutMs = 600_000) => {
    const played = play(prepullScript({ ...poolOf({ prepull: images }), bootTimeoutMs }));
    expect(played.code).toBe(0);
    return factsOf(played.stdout).get('prepull-failed')?.trim();
  };

  test('pulls each image and only tells what failed', () => {
    command('docker', 'case $3 in bad*) exit 1;; esac');
    expect(pulled(['alpine:3', 'bad/one:1', "it's"])).toBe('bad/one:1');
    expect(calls().toSorted()).toEqual([
      'docker image inspect bad/one:1',
      'docker pull --quiet alpine:3',
      'docker pull --quiet bad/one:1',
      "docker pull --quiet it's",
    ]);
  });

  test('is content with what the AMI brought along when its registry is away', () => {
    command('docker', '[ "$1" = image ]');
    expect(pulled(['baked:1'])).toBe(undefined);
  });

  test('gives up on a registry that never ends to answer, in half of boot_timeout', () => {
    command('docker', '[ "$1" = pull ] || exit 1; exec sleep 600');
    expect(pulled(['stalled:1'], 2_000)).toBe('stalled:1');
    expect(prepullScript({ ...poolOf({ prepull: ['x'] }), bootTimeoutMs: 600_000 })).toContain(
      'timeout 300 docker pull',
    );
  });
});
