// Many creates at once on an empty pool: all are served by one boot and one or two launch calls.
import { withInstallation } from './install.ts';
import { atMost, type Row } from './row.ts';

const CREATES = 40;
const BOOT_S = 5;
/** Boot and five seconds for forty provisionings and forty Node processes on a small machine. */
const ALL_WITHIN_S = 10;
const LAUNCH_CALLS = 2;

/** Rows for the time of the last create and the launch calls. */
export function coldCreates(): Promise<readonly Row[]> {
  return withInstallation({ idle: 0, bootS: BOOT_S }, async ({ calls, machineOptions, newName, cloud }) => {
    const begun = performance.now();
    const ended = await Promise.all(
      Array.from({ length: CREATES }, () => calls.create(newName(), { driver: 'amazonec2', machineOptions })),
    );
    const tookS = (performance.now() - begun) / 1_000;
    const failed = ended.filter(({ code }) => code !== 0);
    const launches = (await cloud.calls())['RunInstances'] ?? 0;
    return [
      atMost(`cold: ${CREATES} creates at once, boot ${BOOT_S} s, all done`, tookS, 's', ALL_WITHIN_S),
      atMost('cold: launch calls', launches, 'calls', LAUNCH_CALLS),
      atMost('cold: failed creates', failed.length, 'creates', 0),
    ];
  });
}
