// Provisioning alone, on a host whose boot is over: how long it takes, and that it may run again.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { provisionMachine } from '../../src/provision/engine.ts';
import { poolOf } from '../unit/provision/host-fixture.ts';
import { type BareHost, type BareHosts, startBareHosts } from './bare-host.ts';
import { figure, READY_BUDGET_S } from './hosts-world.ts';

const socket = inject('dockerSocket');

describe.skipIf(socket === null)('a host that has booted', () => {
  let hosts: BareHosts;
  let host: BareHost;

  beforeAll(async () => {
    hosts = await startBareHosts(socket ?? '');
    host = await hosts.boot();
    await hosts.runs(
      host,
      'systemctl is-system-running --wait >/dev/null; test -e /run/cloud-init/result.json',
    );
  });
  afterAll(() => hosts.close());

  test('becomes a Docker host in one go, and is taken as it stands the next time', async () => {
    const { deps, order } = hosts.set;
    const { clock } = deps;
    const { address, pins: bootstrap } = host;
    const spec = poolOf({ sshPort: 22, dockerPort: 2376 });
    const steps: [string, number][] = [];
    const begun = clock.monotonic();
    const onProgress = (step: string) => steps.push([step, clock.monotonic() - begun]);
    const first = await provisionMachine(
      deps,
      order(address, bootstrap, { spec, onProgress }),
      clock.timeout(90_000),
    );
    const took = clock.monotonic() - begun;
    const said = [...steps, ['ready', took] as const].map(
      ([step, at]) => `${step} ${(at / 1000).toFixed(2)}`,
    );
    figure(
      `a booted host, provisioned in ${(took / 1000).toFixed(1)} s; budget ${READY_BUDGET_S} s; begun at: ${said.join(', ')}`,
    );
    expect(first).toMatchObject({ kind: 'ready', hostKeys: [expect.stringMatching(/^ssh-ed25519 /)] });
    const pins = first.kind === 'ready' ? first.hostKeys : [];
    expect(pins).not.toContain(bootstrap[0]);
    const again: string[] = [];
    const taken = await provisionMachine(
      deps,
      order(address, pins, { spec, onProgress: (step) => again.push(step) }),
      clock.timeout(90_000),
    );
    expect(taken).toMatchObject({ kind: 'ready', hostKeys: pins });
    expect(again).toEqual([]);
  });
});
