// Provisioning over real SSH and TLS on emulated hosts.
import { connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Hosts } from '../../../src/ports/host.ts';
import { provisionMachine } from '../../../src/provision/engine.ts';
import { newAddress, type ProvisioningSetUp, poolOf, provisioningSetUp } from './host-fixture.ts';

let set: ProvisioningSetUp;
beforeEach(async () => {
  set = await provisioningSetUp();
});
afterEach(async () => {
  await set.close();
});

const never = () => new AbortController().signal;

function ready(result: Awaited<ReturnType<typeof provisionMachine>>) {
  if (result.kind !== 'ready') throw new Error(`not ready: ${JSON.stringify(result)}`);
  return result;
}

async function dockerOf(address: string, tls: { cert: string; key: string }) {
  return { address, port: set.dockerPort, tls: { ca: await set.deps.keys.authority(), ...tls } };
}

describe('a booted host', () => {
  test('becomes a Docker host that answers only clients of this manager', async () => {
    const { address, bootstrap } = await set.boot();
    const { tls } = ready(
      await provisionMachine(set.deps, set.order(address, [bootstrap.publicKey]), never()),
    );
    expect(await set.deps.docker.ping(await dockerOf(address, tls), 5_000)).toBe(true);
    const other = await provisioningSetUp();
    const foreign = await other.deps.keys.issueClient({ name: 'm-x', notAfter: Date.now() + 1e6 });
    expect(await other.deps.docker.ping(await dockerOf(address, foreign), 5_000)).toBe(false);
    await other.close();
  });

  test('shows a host key of its own afterwards, and never again the bootstrap key', async () => {
    const { address, bootstrap } = await set.boot();
    const { hostKeys } = ready(
      await provisionMachine(set.deps, set.order(address, [bootstrap.publicKey]), never()),
    );
    expect(hostKeys).toHaveLength(1);
    expect(hostKeys).not.toContain(bootstrap.publicKey);
    const user = await set.deps.keys.userKey();
    const target = { address, port: set.sshPort, user: 'ubuntu', privateKey: user.privateKey };
    await expect(
      set.deps.hosts.connect({ ...target, pins: [bootstrap.publicKey] }, never()),
    ).rejects.toMatchObject({ code: 'host-key-mismatch' });
    (await set.deps.hosts.connect({ ...target, pins: hostKeys }, never())).close();
  });

  test('hands out the old and the new host key before it shows the new one, and its parts in order', async () => {
    const { address, bootstrap } = await set.boot();
    const seen: string[] = [];
    const order = set.order(address, [bootstrap.publicKey], {
      spec: poolOf({ sshPort: set.sshPort, dockerPort: set.dockerPort, prepull: ['alpine:3', 'busybox'] }),
      onProgress: (step) => seen.push(step),
      onHostKeys: (keys) =>
        seen.push(`${keys.length} keys, first the old one: ${keys[0] === bootstrap.publicKey}`),
    });
    ready(await provisionMachine(set.deps, order, never()));
    expect(seen).toEqual(['prepare', '2 keys, first the old one: true', 'setup', 'prepull', 'check']);
  });

  test('is waited for while it boots', async () => {
    const address = newAddress();
    const bootstrap = await set.deps.keys.hostKey();
    let tries = 0;
    const hosts: Hosts = {
      connect: async (host, signal) => {
        tries += 1;
        if (tries === 3) await set.boot({ address, bootstrap });
        return set.deps.hosts.connect(host, signal);
      },
    };
    const order = set.order(address, [bootstrap.publicKey]);
    expect((await provisionMachine({ ...set.deps, hosts }, order, never())).kind).toBe('ready');
    expect(tries).toBeGreaterThanOrEqual(3);
  });

  test('with an EC2 key pair lets the key in that the operator named', async () => {
    const { address, bootstrap } = await set.boot({ keyName: 'ops', ourKey: false });
    ready(await provisionMachine(set.deps, set.order(address, [bootstrap.publicKey]), never()));
  });

  test('is provisioned beside thirty others at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const { address, bootstrap } = await set.boot();
        return provisionMachine(set.deps, set.order(address, [bootstrap.publicKey]), never());
      }),
    );
    expect(results.filter((result) => result.kind !== 'ready')).toEqual([]);
  });
});

describe('a resumed or adopted host', () => {
  test('that answers already is ready as it stands', async () => {
    const { address, bootstrap } = await set.boot();
    const { hostKeys } = ready(
      await provisionMachine(set.deps, set.order(address, [bootstrap.publicKey]), never()),
    );
    const steps: string[] = [];
    const again = set.order(address, hostKeys, { onProgress: (step) => steps.push(step) });
    expect(ready(await provisionMachine(set.deps, again, never())).hostKeys).toEqual(hostKeys);
    const adopted = set.order(address, [], { adopt: true, onProgress: (step) => steps.push(step) });
    const { tls } = ready(await provisionMachine(set.deps, adopted, never()));
    expect(steps).toEqual([]);
    expect(await set.deps.docker.ping(await dockerOf(address, tls), 5_000)).toBe(true);
  });

  test('goes on after a crash between the new host key and Docker, with either key', async () => {
    const { address, bootstrap } = await set.boot();
    let pins: readonly string[] = [bootstrap.publicKey];
    const stop = new AbortController();
    const first = await provisionMachine(
      set.deps,
      set.order(address, pins, {
        onHostKeys: (keys) => {
          pins = keys;
          stop.abort();
        },
      }),
      stop.signal,
    );
    expect(first).toMatchObject({ kind: 'failed', fatal: false });
    expect(ready(await provisionMachine(set.deps, set.order(address, pins), never())).hostKeys).toHaveLength(
      1,
    );
  });

  test('without a known host key and without Docker of ours is given up', async () => {
    const { address } = await set.boot();
    const stop = new AbortController();
    const hurried = {
      ...set.deps.clock,
      timeout: (ms: number, parent?: AbortSignal) => set.deps.clock.timeout(Math.min(ms, 300), parent),
    };
    const result = await provisionMachine(
      { ...set.deps, clock: hurried },
      set.order(address, [], { adopt: true }),
      stop.signal,
    );
    expect(result).toMatchObject({ kind: 'failed', step: 'connect', fatal: true });
  });
});

describe('a host that does not fit', () => {
  const patient = (jump: number) => {
    let skipped = 0;
    // Each look at the monotonic clock is `jump` later, so that the grace of refusals passes without waiting.
    return { ...set.deps.clock, monotonic: () => (skipped += jump) };
  };

  test('is refused when it shows another host key', async () => {
    const { address } = await set.boot();
    const wrong = (await set.deps.keys.hostKey()).publicKey;
    const result = await provisionMachine(
      { ...set.deps, clock: patient(60_000) },
      set.order(address, [wrong]),
      never(),
    );
    expect(result).toMatchObject({ kind: 'failed', step: 'connect', fatal: true });
    expect(result).toHaveProperty('message', expect.stringContaining('not pinned'));
  });

  test('is refused when it does not let our key in', async () => {
    const { address, bootstrap } = await set.boot({ ourKey: false });
    const result = await provisionMachine(
      { ...set.deps, clock: patient(60_000) },
      set.order(address, [bootstrap.publicKey]),
      never(),
    );
    expect(result).toMatchObject({ kind: 'failed', step: 'connect', fatal: true });
    expect(result).toHaveProperty('message', expect.stringContaining('amazonec2-ssh-user'));
  });

  test('ends with the last words of SSH when the time is over', async () => {
    const address = newAddress();
    const result = await provisionMachine(
      set.deps,
      set.order(address, ['ssh-ed25519 AAAA']),
      set.deps.clock.timeout(700),
    );
    expect(result).toMatchObject({ kind: 'failed', step: 'connect', fatal: false });
    expect(result).toHaveProperty('message', expect.stringContaining(`${address}:${set.sshPort}`));
    expect(result).toHaveProperty('message', expect.stringContaining('ECONNREFUSED'));
  });

  test('says which step failed when Docker does not start', async () => {
    const { address, bootstrap } = await set.boot();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(set.dockerPort, address, resolve));
    const result = await provisionMachine(set.deps, set.order(address, [bootstrap.publicKey]), never());
    squatter.close();
    expect(result).toMatchObject({ kind: 'failed', step: 'start-docker', fatal: true });
    expect(result).toHaveProperty('message', expect.stringContaining('EADDRINUSE'));
  });

  test('gets no script that it does not know', async () => {
    const { address, bootstrap } = await set.boot();
    const user = await set.deps.keys.userKey();
    const session = await set.deps.hosts.connect(
      {
        address,
        port: set.sshPort,
        user: 'ubuntu',
        privateKey: user.privateKey,
        pins: [bootstrap.publicKey],
      },
      never(),
    );
    expect((await session.run('rm -rf /', never())).code).toBe(127);
    session.close();
  });

  test('closes every connection when it is closed', async () => {
    const { address, host } = await set.boot();
    const socket = connect(set.sshPort, address);
    const gone = new Promise((resolve) => socket.on('close', resolve).on('error', () => undefined));
    await new Promise((resolve) => socket.once('data', resolve));
    await host.close();
    await gone;
  });
});
