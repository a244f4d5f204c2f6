// The folder's files as the daemon makes them, read by what reads them: the shell door and docker-machine's own fields.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { machineFiles } from '../../../../src/contract/machine-files.ts';
import { formatHealth, parseHealth } from '../../../../src/contract/store-layout.ts';
import { Secret } from '../../../../src/domain/config.ts';
import { launchSpec, machine, poolSpec } from '../../../support/builders.ts';
import { openScene } from './door-harness.ts';

const spec = poolSpec({
  launch: launchSpec({
    site: {
      key: 'site',
      region: 'eu-central-1',
      endpoint: null,
      credentials: {
        kind: 'static',
        accessKeyId: 'AKIAEXAMPLE',
        secretAccessKey: new Secret('hush'),
        sessionToken: null,
      },
      assumeRoleArn: null,
    },
  }),
});
const input = {
  name: 'box-1',
  store: '/store',
  machine: machine({ address: '10.0.0.5', instance: 'i-0abc', hostKeys: ['ssh-ed25519 AAAA'] }),
  pool: spec,
  tls: { ca: 'CA', cert: 'CERT', key: 'KEY' },
  sshKeyPath: '/keys/user',
  healthyUntil: 1_795_000_000_999,
};

test('config.json names what another docker-machine needs to end the machine', () => {
  const config = JSON.parse(machineFiles(input)['config.json'] ?? '');
  expect(config).toMatchObject({
    ConfigVersion: 3,
    DriverName: 'amazonec2',
    Name: 'box-1',
    Driver: {
      MachineName: 'box-1',
      StorePath: '/store',
      IPAddress: '10.0.0.5',
      PrivateIPAddress: '10.0.0.5',
      InstanceId: 'i-0abc',
      Region: 'eu-central-1',
      ExistingKey: true,
      SSHUser: 'ubuntu',
      SSHPort: 22,
      SSHKeyPath: '/keys/user',
    },
    HostOptions: { AuthOptions: { StorePath: '/store/machines/box-1' }, EngineOptions: { TlsVerify: true } },
  });
});

test('no credential of AWS goes into the folder', () => {
  const text = JSON.stringify(machineFiles(input));
  expect(text).not.toContain('hush');
  expect(text).not.toContain('AKIAEXAMPLE');
});

test('ssh finds the pinned key under the address and port it will use', () => {
  expect(machineFiles(input)['known_hosts']).toBe('10.0.0.5 ssh-ed25519 AAAA\n');
  const pool = poolSpec({ host: { ...spec.host, sshPort: 2222 } });
  expect(machineFiles({ ...input, pool })['known_hosts']).toBe('[10.0.0.5]:2222 ssh-ed25519 AAAA\n');
});

test('the shell door understands the folder', async () => {
  const scene = openScene();
  const folder = join(scene.store, 'machines/box-1');
  mkdirSync(folder, { recursive: true });
  const files = machineFiles({ ...input, store: scene.store, healthyUntil: Date.now() + 60_000 });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  const env = { HOSTLER_NODE: '/bin/false' };
  expect((await scene.runner(['url', 'box-1'], { env })).out).toBe('tcp://10.0.0.5:2376\n');
  expect((await scene.runner(['config', 'box-1'], { env })).code).toBe(0);
  const stored = await scene.runner(['inspect', '-f', '{{.HostOptions.AuthOptions.StorePath}} ', 'box-1']);
  expect(stored.out.trim()).toBe(folder);
  scene.remove();
});

test('a health note reads as it was written', () => {
  expect(parseHealth(formatHealth({ kind: 'ok', until: 1_795_000_000_999 }))).toEqual({
    kind: 'ok',
    until: 1_795_000_000_000,
  });
  expect(parseHealth(formatHealth({ kind: 'dead', why: 'two\nlines' }))).toEqual({
    kind: 'dead',
    why: 'two lines',
  });
  expect(parseHealth(formatHealth({ kind: 'gone', why: '' }))).toEqual({ kind: 'gone', why: '' });
  for (const text of ['', 'ok', 'ok soon', 'fine 1']) expect(parseHealth(text)).toBeNull();
});
