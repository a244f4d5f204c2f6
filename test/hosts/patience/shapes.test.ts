// Other distributions' shapes of a host, as far as a Debian image can take them on: users, places and names of things, the
// way to Docker. Docker is hidden until what "installs" it brings it back; the rest is provisioning for real.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { provisionMachine } from '../../../src/provision/engine.ts';
import { DEFAULT_INSTALL_URL } from '../../../src/provision/steps/install-docker.ts';
import { poolOf } from '../../unit/provision/host-fixture.ts';
import { type BareHost, type BareHosts, startBareHosts } from '../bare-host.ts';
import { figure } from '../hosts-world.ts';

const socket = inject('dockerSocket');

const HIDE = `mkdir -p /opt/docker
[ ! -e /usr/sbin/dockerd ] || mv /usr/sbin/dockerd /lib/systemd/system/docker.service /lib/systemd/system/docker.socket /opt/docker/`;
/** To where Docker's own packages and Amazon Linux have dockerd; $1 is what the unit adds from its distribution's file. */
const BRING = `mv /opt/docker/dockerd /usr/bin/dockerd
mv /opt/docker/docker.service /opt/docker/docker.socket /lib/systemd/system/
sed -i "s,/usr/sbin/dockerd,/usr/bin/dockerd,; s,[$]DOCKER_OPTS,$1," /lib/systemd/system/docker.service
systemctl daemon-reload`;

/** Amazon Linux: its name, dnf for apt, and a file with flags for dockerd. */
const AMAZON = `${HIDE}
rm -f /etc/os-release
printf 'NAME="Amazon Linux"\\nID="amzn"\\nVERSION_ID="2023"\\n' >/etc/os-release
chmod -x /usr/bin/apt-get
mkdir -p /etc/sysconfig
echo 'OPTIONS="--default-ulimit nofile=32768:65536"' >/etc/sysconfig/docker
cat >/usr/bin/dnf <<'END_OF_DNF'
#!/bin/sh
[ "$*" = 'install -y docker' ] || exit 1
set -- '$OPTIONS'
${BRING}
sed -i 's,^EnvironmentFile=.*,EnvironmentFile=-/etc/sysconfig/docker,' /lib/systemd/system/docker.service
systemctl daemon-reload
END_OF_DNF
chmod +x /usr/bin/dnf`;
/** sshd's unit under the only name that it has there. */
const RENAME_SSHD = `systemctl stop ssh.service
systemctl disable ssh.service
mv /lib/systemd/system/ssh.service /lib/systemd/system/sshd.service
systemctl daemon-reload
systemctl start sshd.service`;

/** The operator's own user data as MIME, as such files often are. */
const userData = (user: string, hook: string, script: string): string =>
  [
    'Content-Type: multipart/mixed; boundary="own"',
    'MIME-Version: 1.0',
    '',
    ...[
      ['text/cloud-boothook', `#cloud-boothook\n#!/bin/sh\n${hook}`],
      ['text/cloud-config', `#cloud-config\nuser: {name: ${user}}`],
      ['text/x-shellscript', `#!/bin/sh\n${script}`],
    ].flatMap(([type, body]) => ['--own', `Content-Type: ${type}`, '', body]),
    '--own--',
    '',
  ].join('\n');

describe.skipIf(socket === null)('a host of another shape', () => {
  let hosts: BareHosts;
  let mirror: Server;
  let installUrl = '';
  const fetched: string[] = [];

  beforeAll(async () => {
    hosts = await startBareHosts(socket ?? '');
    mirror = createServer((request, response) => {
      fetched.push(request.url ?? '');
      response.end(`set -- '$DOCKER_OPTS'\n${BRING}\nsystemctl start docker\n`);
    });
    await new Promise<void>((resolve) => {
      mirror.listen(0, hosts.gateway, resolve);
    });
    installUrl = `http://${hosts.gateway}:${(mirror.address() as AddressInfo).port}/get?channel=stable`;
  });
  afterAll(async () => {
    mirror.close();
    await hosts.close();
  });

  /** Provisions it from its first greeting on; the host with its new pins. */
  async function provisioned(what: string, booted: BareHost, engineInstallUrl: string): Promise<BareHost> {
    const { deps, order } = hosts.set;
    const spec = poolOf({ sshPort: 22, dockerPort: 2376, sshUser: booted.login.user, engineInstallUrl });
    const begun = deps.clock.monotonic();
    const limit = deps.clock.timeout(110_000);
    const result = await provisionMachine(deps, order(booted.address, booted.pins, { spec }), limit);
    expect(result.kind, result.kind === 'failed' ? `${result.step}: ${result.message}` : '').toBe('ready');
    const took = ((deps.clock.monotonic() - begun) / 1000).toFixed(1);
    figure(`${what}: boot, install of Docker and provisioning in ${took} s`);
    const pins = result.kind === 'ready' ? [...result.hostKeys] : [];
    expect(pins).not.toEqual(booted.pins);
    return { ...booted, pins, login: { ...booted.login, pins } };
  }
  const dockerd = 'tr "\\0" " " <"/proc/$(pidof dockerd)/cmdline"';

  test("Debian's own, without Docker: user admin, Docker from the script of engine-install-url in /usr/bin", async () => {
    const booted = await hosts.boot({ user: 'admin', own: userData('admin', HIDE, ':') });
    const host = await provisioned('Debian', booted, installUrl);
    expect(fetched).toEqual(['/get?channel=stable']);
    expect(await hosts.runs(host, dockerd)).toMatch(/^\/usr\/bin\/dockerd -H fd:\/\/ .*--tlsverify/);
    expect(await hosts.runs(host, 'stat -c %U /home/admin/.ssh/authorized_keys')).toBe('admin\n');
  });

  test("Amazon Linux's, as far as it can be played: ec2-user, dnf, sshd.service, flags from /etc/sysconfig", async () => {
    const booted = await hosts.boot({
      user: 'ec2-user',
      own: userData('ec2-user', AMAZON, RENAME_SSHD),
    });
    const host = await provisioned('Amazon Linux', booted, DEFAULT_INSTALL_URL);
    expect(await hosts.runs(host, dockerd)).toMatch(
      /^\/usr\/bin\/dockerd -H fd:\/\/ .*--default-ulimit nofile=32768:65536 .*--tlsverify/,
    );
    const units = 'systemctl is-active sshd.service; systemctl is-enabled docker.service';
    expect(await hosts.runs(host, units)).toBe('active\nenabled\n');
  });
});
