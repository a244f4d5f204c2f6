// Fills a state folder and a runner's store as ten thousand machines in 20 pools would have left them, through hostler's
// own adapters: keys, SQLite, configuration. The daemon that starts on it knows every machine.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCloud } from '../../src/adapters/aws/create-cloud.ts';
import { loadConfig } from '../../src/adapters/config/load.ts';
import { createKeys } from '../../src/adapters/keys/keys.ts';
import { openStore } from '../../src/adapters/sqlite/open-store.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { createLog } from '../../src/adapters/telemetry/log.ts';
import { MACHINES as FOLDERS, MARK } from '../../src/contract/store-layout.ts';
import type { Site } from '../../src/demo/site.ts';
import { specHash } from '../../src/domain/build-request.ts';
import type { PoolSpec } from '../../src/domain/config.ts';
import type { Lease } from '../../src/domain/lease.ts';
import type { Machine } from '../../src/domain/machine.ts';
import { lease, machine } from '../../test/support/builders.ts';
import {
  addressOf,
  GROUPS,
  groupOf,
  instanceOf,
  jobOf,
  launchOf,
  MACHINES,
  machineOf,
  poolNameOf,
  useOf,
} from './crowd.ts';
import type { HostKeys } from './hosts.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const clock = createClock();

export type Made = {
  manager: string;
  hosts: HostKeys;
  client: { cert: string; key: string };
  hostKeyLine: string;
};

/** Keys and certificates, below the state folder where the daemon will look for them. */
export async function makeKeys(site: Site): Promise<Made> {
  mkdirSync(site.stateDir, { recursive: true, mode: 0o700 });
  const keys = createKeys(join(site.stateDir, 'keys'), { clock });
  const notAfter = clock.now() + DAY_MS * 2;
  const hostKey = await keys.hostKey();
  const groups = Array.from({ length: GROUPS }, (): string[] => []);
  for (let index = 0; index < MACHINES; index += 1) groups[groupOf(index)]?.push(addressOf(index));
  const certificates = [];
  for (const addresses of groups)
    certificates.push(await keys.issueServer({ name: 'crowd', addresses, names: [], notAfter }));
  return {
    manager: await keys.identity(),
    hosts: { authority: await keys.authority(), hostKey: hostKey.privateKey, certificates },
    client: await keys.issueClient({ name: 'crowd', notAfter }),
    hostKeyLine: hostKey.publicKey,
  };
}

function rowsOf(
  index: number,
  spec: string,
  pool: PoolSpec,
  made: Made,
): { machine: Machine; lease: Lease | null } {
  const now = clock.now();
  const [prefix = ''] = pool.namePrefixes;
  const name = `${prefix}1795369107-${index.toString(16).padStart(8, '0')}`;
  const use = useOf(index);
  const isHeld = use !== 'ready';
  const since = now - 10 * MINUTE_MS;
  const offering = { type: 'm5.large', zone: 'eu-central-1a', market: 'on-demand' } as const;
  const row = machine({
    id: machineOf(index),
    pool: pool.id,
    phase: isHeld ? 'leased' : 'ready',
    since,
    launch: launchOf(index),
    spec,
    site: pool.launch.site.key,
    offering,
    instance: instanceOf(index),
    imageId: 'ami-0d3e0d3e0d3e0d3e0',
    address: addressOf(index),
    lease: isHeld ? name : null,
    hostKeys: [made.hostKeyLine],
  });
  if (!isHeld) return { machine: row, lease: null };
  const jobs = use === 'busy' ? [{ id: jobOf(index), url: null, seenAt: since }] : [];
  const times = { since, grantedAt: since, heldAt: since, lookedAt: since, configAt: since };
  const busy = use === 'busy' ? { urlAt: since, containers: 1, containersAt: since, jobs } : {};
  return {
    machine: row,
    lease: lease({ name, pool: pool.id, state: 'held', machine: row.id, ...times, ...busy }),
  };
}

/** Writes machines, leases, certificates and folders. Resolves with the spec's hash, which instances carry as a tag. */
export async function fill(site: Site, made: Made): Promise<{ spec: string; owner: string }> {
  const config = await loadConfig({ path: site.hostlerConfig, env: site.env });
  const log = createLog({ level: 'error', pretty: false, clock });
  const cloud = createCloud({ clock, log, env: site.env });
  const { store } = openStore(site.stateDir, clock.now());
  const [first] = config.pools;
  if (first === undefined) throw new Error('no pool');
  const resolved = await cloud.resolve(first.launch, clock.timeout(MINUTE_MS));
  const spec = specHash(first.launch, first.host, resolved);
  store.addStore(site.store);
  store.transaction(() => {
    for (let index = 0; index < MACHINES; index += 1) {
      const pool = config.pools.find(({ runnerName }) => runnerName === poolNameOf(index));
      if (pool === undefined) throw new Error(`no pool ${poolNameOf(index)}`);
      const rows = rowsOf(index, spec, pool, made);
      store.putMachine(rows.machine);
      store.putMachineTls(rows.machine.id, made.client);
      if (rows.lease === null) continue;
      store.putLease({ ...rows.lease, store: site.store });
      const folder = join(site.store, FOLDERS, rows.lease.name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'config.json'), '{}');
      writeFileSync(join(folder, MARK), `tcp://${addressOf(index)}:2376\n${rows.machine.id}\n`);
    }
  });
  store.close();
  cloud.close();
  return { spec, owner: config.settings.owner };
}
