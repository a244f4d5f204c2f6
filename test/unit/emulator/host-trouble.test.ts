// What goes wrong with the host of one instance, over the emulator's own calls: on purpose, by its own power-off, and by
// EC2 that takes it back. The hosts are real ones of the in-process kind.
import { connect } from 'node:net';
import { DescribeInstancesCommand, DescribeSpotInstanceRequestsCommand } from '@aws-sdk/client-ec2';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hostFaults } from '../../../src/emulator/host/host-faults.ts';
import { startHost } from '../../../src/emulator/host/start-host.ts';
import { provisionMachine } from '../../../src/provision/engine.ts';
import { composeUserData } from '../../../src/provision/user-data.ts';
import { freePort, hostLife, poolOf, provisioningSetUp } from '../provision/host-fixture.ts';
import { control, eventually, launch, startRig } from './emulator-fixture.ts';

/** What a client sees that connects and waits for the first word. */
function greeting(address: string, port: number, patienceMs = 700): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const patience = setTimeout(() => end('silence'), patienceMs);
    const end = (what: string) => {
      clearTimeout(patience);
      socket.destroy();
      resolve(what);
    };
    socket.on('data', (chunk) => end(chunk.toString('latin1').slice(0, 4)));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? ''));
    socket.on('close', () => end('closed'));
  });
}

/** An emulated cloud whose instance runs and is a Docker host; the ways to it. */
async function startDressed(more = {}) {
  const set = await provisioningSetUp();
  const { keys, clock, docker } = set.deps;
  const sshPort = await freePort();
  const dockerPort = await freePort();
  const rig = await startRig({ sshPort, dockerPort, startHost });
  onTestFinished(() => set.close());
  const hostKey = await keys.hostKey();
  const { privateKey, publicKey } = await keys.userKey();
  const UserData = composeUserData({ own: null, hostKey, authorizedKey: publicKey, life: hostLife });
  const [id = ''] = await launch(rig.ec2, { UserData, ...more });
  const instance = () => rig.emulator.world.find(id)?.instance;
  await eventually(() => expect(instance()?.hostUp).toBe(true));
  const address = instance()?.address ?? '';
  const spec = poolOf({ sshPort, dockerPort });
  const result = await provisionMachine(
    set.deps,
    set.order(address, [hostKey.publicKey], { spec }),
    clock.timeout(20_000),
  );
  if (result.kind !== 'ready') throw new Error(result.message);
  const pins = result.hostKeys;
  const tls = { ca: await keys.authority(), ...result.tls };
  return {
    ...rig,
    id,
    instance,
    address,
    sshPort,
    dockerPort,
    docker,
    deps: set.deps,
    login: { address, port: sshPort, user: 'ubuntu', privateKey, pins },
    pings: () => docker.ping({ address, port: dockerPort, tls }, 1_000),
    fault: (name: string) => control(rig.emulator, `host-fault?instance=${id}&fault=${name}`, ''),
  };
}
type Dressed = Awaited<ReturnType<typeof startDressed>>;
const greets = ({ address, sshPort }: Dressed) => greeting(address, sshPort);
const logsIn = ({ deps, login }: Dressed) =>
  deps.hosts.connect(login, deps.clock.timeout(10_000)).then(
    (session) => {
      session.close();
      return 'in';
    },
    (error: { code: string }) => error.code,
  );

describe('a host that stands', () => {
  test('is cut off and comes back: silent, refusing, resetting', async () => {
    const host = await startDressed();
    expect([await greets(host), await host.pings()]).toEqual(['SSH-', true]);
    for (const [name, seen] of [
      ['silent', 'silence'],
      ['refuse', 'ECONNREFUSED'],
      ['reset', 'ECONNRESET'],
    ] as const) {
      expect(await host.fault(name)).toEqual({ status: 200, json: { instance: host.id, fault: name } });
      // Docker's kept connection goes on where only new ones are refused, as on a real host.
      host.docker.forget(host.address);
      expect([name, await greets(host), await host.pings()]).toEqual([name, seen, false]);
    }
    await host.fault('none');
    expect([await greets(host), await host.pings(), await logsIn(host)]).toEqual(['SSH-', true, 'in']);
  });

  test('that is silent answers nobody who is connected already', async () => {
    const host = await startDressed();
    const session = await host.deps.hosts.connect(host.login, host.deps.clock.timeout(10_000));
    await host.fault('silent');
    expect(await host.pings()).toBe(false);
    const gaveUp = await session.run('# hostler-step: guard-jobs\n', host.deps.clock.timeout(500));
    expect(gaveUp.code).toBe(null);
    session.close();
  });

  test('shows another host key, which is refused, and its own again', async () => {
    const host = await startDressed();
    await host.fault('wrong-host-key');
    expect(await logsIn(host)).toBe('host-key-mismatch');
    await host.fault('none');
    expect(await logsIn(host)).toBe('in');
  });

  test('loses its Docker, or has one that answers nobody, and gets it back', async () => {
    const host = await startDressed();
    for (const name of ['docker-dies', 'docker-mute']) {
      await host.fault(name);
      expect([name, await host.pings(), await logsIn(host)]).toEqual([name, false, 'in']);
      await host.fault('none');
      expect([name, await host.pings()]).toEqual([name, true]);
    }
  });

  test.each(['clock-behind', 'clock-ahead'])(
    'whose clock is off by an hour serves all the same: %s',
    async (name) => {
      const host = await startDressed();
      await host.fault(name);
      host.docker.forget(host.address);
      expect(await host.pings()).toBe(true);
    },
  );

  test('cannot have what has no name: the names are told', async () => {
    const host = await startDressed();
    const { status, json } = await host.fault('flood');
    expect(status).toBe(400);
    for (const name of Object.keys(hostFaults)) expect(JSON.stringify(json)).toContain(name);
    expect(await control(host.emulator, 'host-fault?instance=i-0&fault=silent', '')).toMatchObject({
      status: 404,
    });
    expect(await control(host.emulator, 'host-fault', '')).toMatchObject({ status: 404 });
  });

  test('that powers itself off ends its instance; what it showed is kept', async () => {
    const host = await startDressed({ InstanceInitiatedShutdownBehavior: 'terminate' });
    await host.fault('power-off');
    expect(await greets(host)).toBe('ECONNREFUSED');
    await eventually(async () => {
      const { Reservations } = await host.ec2.send(new DescribeInstancesCommand({ InstanceIds: [host.id] }));
      expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({
        State: { Name: 'terminated' },
        StateReason: { Code: 'Client.InstanceInitiatedShutdown' },
      });
    });
    expect(host.emulator.world.region('eu-central-1').instances.console(host.id)?.text).toContain(
      'poweroff.target',
    );
    expect(await host.fault('silent')).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('no host') },
    });
  });
});

describe('EC2 takes a spot instance back', () => {
  const spot = { InstanceMarketOptions: { MarketType: 'spot' as const } };

  test('after a notice during which everything runs on', async () => {
    const host = await startDressed(spot);
    const path = `reclaim?instance=${host.id}`;
    expect(await control(host.emulator, `${path}&notice=2`, '')).toMatchObject({
      status: 200,
      json: { instance: host.id, reclaim_at: expect.stringMatching(/^20/) },
    });
    const { SpotInstanceRequests } = await host.ec2.send(new DescribeSpotInstanceRequestsCommand({}));
    expect(SpotInstanceRequests?.[0]?.Status?.Code).toBe('instance-terminated-no-capacity');
    expect([host.instance()?.state, await host.pings()]).toEqual(['running', true]);
    const shown = (await control(host.emulator, 'instances')).json as Record<string, unknown>[];
    expect(shown[0]).toMatchObject({ id: host.id, state: 'running', reclaim_at: expect.any(String) });
    expect(await control(host.emulator, path, '')).toMatchObject({ status: 409 });
    await eventually(() =>
      expect(host.instance()).toMatchObject({
        state: 'terminated',
        stateReason: { code: 'Server.SpotInstanceTermination' },
      }),
    );
    expect(await greets(host)).toBe('ECONNREFUSED');
  });

  test('but none that is on-demand, and none with a notice that is no time', async () => {
    const { emulator, ec2 } = await startRig();
    const [id = ''] = await launch(ec2);
    await eventually(() => expect(emulator.world.find(id)?.instance.state).toBe('running'));
    expect(await control(emulator, `reclaim?instance=${id}`, '')).toMatchObject({ status: 409 });
    for (const notice of ['-1', 'soon', '1e3', '86401', ''])
      expect(await control(emulator, `reclaim?instance=${id}&notice=${notice}`, '')).toMatchObject({
        status: 400,
      });
    expect(await control(emulator, 'reclaim?instance=i-0', '')).toMatchObject({ status: 404 });
  });
});
