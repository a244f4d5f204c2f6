// 200 real `docker-machine create` processes at once on ten idle machines and a boot of 40 s, each asking for its `url` as
// soon as it is done: the whole of hostler against the emulated EC2, with hosts over SSH and TLS on loopback.
// Trap: processes, hosts and daemon share this machine; on a busy one this measures the others.
import type { Call } from '../src/demo/machine-calls.ts';
import { type Bench, withInstallation } from './install.ts';
import { atMost, informs, median, type Row } from './row.ts';

const JOBS = 200;
const BOOT_S = 40;
const IDLE = 10;
/** For provisioning of 190 hosts and some 400 processes on a small machine (design budget). */
const SPARE_S = 10;

/** Seconds from the burst's begin to the answer of `url`; not a number when a call failed. */
async function oneJob({ calls, newName, machineOptions }: Bench, begun: number): Promise<number> {
  const name = newName();
  const well = ({ code }: Call) => code === 0;
  if (!well(await calls.create(name, { driver: 'amazonec2', machineOptions }))) return Number.NaN;
  return well(await calls.url(name)) ? (performance.now() - begun) / 1_000 : Number.NaN;
}

/** Rows for the last and the usual `url`, and the launch calls. */
export function burstDoors(): Promise<readonly Row[]> {
  return withInstallation({ idle: IDLE, bootS: BOOT_S, limit: JOBS + IDLE }, async (bench) => {
    const launches = async () => (await bench.cloud.calls())['RunInstances'] ?? 0;
    const before = await launches();
    const begun = performance.now();
    const took = await Promise.all(Array.from({ length: JOBS }, () => oneJob(bench, begun)));
    const served = took.filter((seconds) => !Number.isNaN(seconds));
    const last = served.length < JOBS ? Number.POSITIVE_INFINITY : Math.max(...served);
    const named = `burst of ${JOBS} door processes, boot ${BOOT_S} s, idle ${IDLE}`;
    return [
      atMost(`${named}: last url answered`, last, 's', BOOT_S + SPARE_S),
      informs(`${named}: url answered, p50`, median(served), 's'),
      atMost(`${named}: failed jobs`, JOBS - served.length, 'jobs', 0),
      informs(`${named}: launch calls`, (await launches()) - before, 'calls'),
    ];
  });
}
