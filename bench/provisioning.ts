// From a booted host with Docker installed to a Docker host that answers over TLS, on real hosts: systemd, sshd and dockerd
// in containers that boot. Where the machine cannot have them, the rows say so; emulated hosts would prove nothing here.
import { spawnSync } from 'node:child_process';
import { SECOND_MS } from '../src/domain/units.ts';
import { DEFAULT_HOST_IMAGE } from '../src/emulator/docker-hosts/start-docker-hosts.ts';
import { provisionMachine } from '../src/provision/engine.ts';
import { startBareHosts } from '../test/hosts/bare-host.ts';
import { cacheFolder, hostImage, loadImage } from '../test/hosts/host-image.ts';
import { startOwnDockerd } from '../test/hosts/own-dockerd.ts';
import { poolOf } from '../test/unit/provision/host-fixture.ts';
import { atMost, median, type Row, unmeasured } from './row.ts';

const BUDGET_S = 2;
/** docker-machine on such hosts: 6.6 to 17 s measured, by the mood of apt; the least of it counts. */
const DOCKER_MACHINE_S = 6.6;
const HOSTS = 3;
const BOOT_LIMIT_MS = 120 * SECOND_MS;
const named = 'provisioning of a booted host, median of 3';
const ratio = `${named} / docker-machine's least (${DOCKER_MACHINE_S} s)`;

/** Why there can be no such hosts here, or null. */
function obstacle(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it takes Linux and root';
  const missing = ['dockerd', 'debootstrap'].filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  );
  return missing.length === 0 ? null : `${missing.join(' and ')} missing`;
}

/** Seconds that each of the hosts took, one after the other. */
async function measure(socket: string): Promise<number[]> {
  const hosts = await startBareHosts(socket);
  try {
    const took: number[] = [];
    for (let count = 0; count < HOSTS; count += 1) {
      const host = await hosts.boot();
      const booted = 'systemctl is-system-running --wait >/dev/null; test -e /run/cloud-init/result.json';
      await hosts.runs(host, booted);
      const { deps, order } = hosts.set;
      const spec = poolOf({ sshPort: 22, dockerPort: 2376 });
      const begun = performance.now();
      const answer = await provisionMachine(
        deps,
        order(host.address, host.pins, { spec }),
        deps.clock.timeout(BOOT_LIMIT_MS),
      );
      if (answer.kind !== 'ready') throw new Error(`${answer.step}: ${answer.message}`);
      took.push((performance.now() - begun) / SECOND_MS);
    }
    return took;
  } finally {
    await hosts.close();
  }
}

/** Rows for the time, absolute and against docker-machine's. */
export async function provisioning(): Promise<readonly Row[]> {
  const why = obstacle();
  if (why !== null)
    return [unmeasured(named, why, 's', `<= ${BUDGET_S}`), unmeasured(ratio, why, 'x', '<= 0.333')];
  const folder = cacheFolder(process.env);
  const image = await hostImage(folder, console.error);
  const dockerd = await startOwnDockerd(folder);
  try {
    await loadImage(dockerd.socket, image, DEFAULT_HOST_IMAGE);
    const took = median(await measure(dockerd.socket));
    return [atMost(named, took, 's', BUDGET_S), atMost(ratio, took / DOCKER_MACHINE_S, 'x', 0.333)];
  } finally {
    await dockerd.stop();
  }
}
