// One emulated host on a loopback address of its own, with real SSH, TLS and Docker clients in front of it.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDocker } from '../../../src/adapters/docker/docker.ts';
import { createKeys } from '../../../src/adapters/keys/keys.ts';
import { createHosts } from '../../../src/adapters/ssh/hosts.ts';
import { createClock } from '../../../src/adapters/system/clock.ts';
import type { HostSpec, PoolSpec } from '../../../src/domain/config.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { startHost } from '../../../src/emulator/host/start-host.ts';
import type { Log, LogFields } from '../../../src/ports/log.ts';
import type { ProvisionOrder } from '../../../src/provision/engine.ts';
import { composeUserData } from '../../../src/provision/user-data.ts';
import { hostSpec as builtHostSpec } from '../../support/builders.ts';

let lastAddress = 0;

/** An address that nothing else of this test run uses. */
export function newAddress(): string {
  lastAddress += 1;
  return `127.77.${process.pid % 250}.${lastAddress}`;
}

/** A port that is free on all loopback addresses right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}

/** Ports are 0 until a test has found free ones. */
export const hostSpec: HostSpec = builtHostSpec({ sshPort: 0, dockerPort: 0 });

/** The defaults of dead_man and max_machine_life. */
export const hostLife = { deadManMs: 2 * HOUR_MS, maxMachineLifeMs: 24 * HOUR_MS };

/** A pool of which only the host's part is looked at. */
export function poolOf(host: Partial<HostSpec>): PoolSpec {
  const limits = { ...hostLife, bootTimeoutMs: 10 * MINUTE_MS };
  const spec = { id: 'build', machineDriver: 'amazonec2', ...limits, host: { ...hostSpec, ...host } };
  return spec as PoolSpec;
}

/** A log that keeps its warnings. */
export function keepingLog(): Log & { warnings: string[] } {
  const warnings: string[] = [];
  const log: Log & { warnings: string[] } = {
    warnings,
    debug: () => undefined,
    info: () => undefined,
    warn: (message: string, fields?: LogFields) => {
      warnings.push(`${message} ${JSON.stringify(fields ?? {})}`);
    },
    error: () => undefined,
    child: () => log,
  };
  return log;
}

/** Everything that provisioning needs, with keys in a folder of its own. */
export async function provisioningSetUp() {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-provision-'));
  const clock = createClock();
  const deps = {
    clock,
    hosts: createHosts({ clock }),
    docker: createDocker({ clock }),
    keys: createKeys(join(folder, 'keys'), { clock }),
    log: keepingLog(),
  };
  const [sshPort, dockerPort] = [await freePort(), await freePort()];
  const open: { close(): Promise<void> }[] = [];

  type Bootstrap = { privateKey: string; publicKey: string };
  const boot = async (
    options: { address?: string; keyName?: string; ourKey?: boolean; bootstrap?: Bootstrap } = {},
  ) => {
    const address = options.address ?? newAddress();
    const bootstrap = options.bootstrap ?? (await deps.keys.hostKey());
    const userData = composeUserData({
      own: null,
      hostKey: bootstrap,
      authorizedKey: options.ourKey === false ? null : (await deps.keys.userKey()).publicKey,
      life: hostLife,
    });
    const host = await startHost({
      address,
      sshPort,
      dockerPort,
      userData: Buffer.from(userData, 'base64').toString(),
      instanceId: 'i-0123456789abcdef0',
      keyName: options.keyName ?? null,
    });
    open.push(host);
    return { address, bootstrap, host };
  };

  const order = (
    address: string,
    pins: readonly string[],
    more: Partial<ProvisionOrder> = {},
  ): ProvisionOrder => ({
    machineId: 'm-0123456789',
    address,
    spec: poolOf({ sshPort, dockerPort }),
    pins,
    notAfter: clock.now() + 24 * HOUR_MS,
    adopt: false,
    ...more,
  });

  const close = async () => {
    await Promise.all(open.map((host) => host.close()));
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, deps, sshPort, dockerPort, boot, order, close };
}

export type ProvisioningSetUp = Awaited<ReturnType<typeof provisioningSetUp>>;
