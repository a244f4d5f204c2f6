// Emulated hosts by themselves: what they read from user data, and that many of them come and go.
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { matchesFilters } from '../../../../src/emulator/host/docker-filters.ts';
import { type PlayedHost, playScript } from '../../../../src/emulator/host/play-script.ts';
import { startHost } from '../../../../src/emulator/host/start-host.ts';
import { bootIdentity, userDataParts } from '../../../../src/emulator/host/user-data-parts.ts';
import { freePort, newAddress } from '../../provision/host-fixture.ts';

describe('user data', () => {
  test('that is no MIME is one part', () => {
    expect(userDataParts('#!/bin/sh\n').map(({ type }) => type)).toEqual(['text/x-shellscript']);
    expect(userDataParts('').map(({ body }) => body)).toEqual(['']);
    const identity = bootIdentity(
      '#cloud-config\nssh_authorized_keys:\n- ssh-rsa AAAAB3 me\n- "ssh-ed25519 AAAAC3"\nssh_keys:\n  ed25519_private: |\n     KEY\n      TEXT\n  ed25519_public: x\n',
    );
    expect(identity).toEqual({ hostKey: 'KEY\n TEXT\n', authorizedKeys: ['AAAAB3', 'AAAAC3'] });
  });

  test('without keys lets nobody in', () => {
    expect(bootIdentity('#!/bin/sh\n- ssh-rsa AAAA\n')).toEqual({ hostKey: null, authorizedKeys: [] });
  });

  test('is read through folded headers, base64 and CRLF', () => {
    const message = [
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed;',
      ' boundary=B',
      '',
      'preamble',
      '--B',
      'Content-Type: text/cloud-config',
      'Content-Transfer-Encoding: base64',
      '',
      Buffer.from('#cloud-config\nssh_authorized_keys:\n  - ssh-rsa AAAA\n').toString('base64'),
      '--B--',
    ].join('\r\n');
    expect(bootIdentity(message).authorizedKeys).toEqual(['AAAA']);
  });
});

describe('scripts', () => {
  const host: PlayedHost = {
    makeHostKey: () => 'ssh-ed25519 AAAA',
    rotateHostKey: () => undefined,
    startDocker: () => Promise.reject(new Error('no room')),
    pull: () => undefined,
    disk: () => 0,
  };

  test.each([
    ['nothing', '', 127],
    ['a script of someone else', '#!/bin/sh\nshutdown now', 127],
    ['a step that is not known', '# hostler-step: make-host-key\n# hostler-step: dance', 127],
    ['known steps', '# hostler-step: wait-user-data\n# hostler-step: make-host-key\n', 0],
    ['Docker without certificates', '# hostler-step: start-docker\n', 10],
  ])('%s', async (_name, script, code) => {
    expect((await playScript(script, host)).code).toBe(code);
  });
});

test('filters take both spellings, and what is not known hides nothing', () => {
  const one = { id: 'abcdef', name: 'build', labels: { a: '1', b: 'x=y' }, status: 'running' };
  const passes = (filters: unknown) => matchesFilters(JSON.stringify(filters), one);
  expect(passes({ label: ['a'] })).toBe(true);
  expect(passes({ label: { 'a=1': true, 'b=x=y': true } })).toBe(true);
  expect(passes({ label: ['a=1', 'c'] })).toBe(false);
  expect(passes({ status: ['exited', 'running'], name: ['/uil'], id: ['abc'] })).toBe(true);
  expect(passes({ status: ['exited'] })).toBe(false);
  expect(passes({ network: ['x'] })).toBe(true);
  expect(matchesFilters('{broken', one)).toBe(true);
  expect(matchesFilters(null, one)).toBe(true);
});

test('many hosts live side by side and leave nothing behind', async () => {
  const [sshPort, dockerPort] = [await freePort(), await freePort()];
  const boot = (address: string) =>
    startHost({ address, sshPort, dockerPort, userData: '', instanceId: address, keyName: null });
  const addresses = Array.from({ length: 100 }, newAddress);
  const hosts = await Promise.all(addresses.map(boot));
  await expect(boot(addresses[0] ?? '')).rejects.toThrow('EADDRINUSE');
  await Promise.all(hosts.map((host) => host.close()));
  const refused = await new Promise((resolve) => {
    connect(sshPort, addresses[99] ?? '').on('error', resolve);
  });
  expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
});
