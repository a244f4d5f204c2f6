// Who the ten thousand are: by its number each machine has an address, a pool, a name and a use. The cloud's process
// and the one that fills the daemon's state work it out alike.

export const MACHINES = 10_000;
export const POOLS = 20;
/** Addresses on one certificate: 50 names are 0.8 KB, the size of what a real one has besides. */
const GROUP = 50;
export const GROUPS = Math.ceil(MACHINES / GROUP);

/** Six of ten run a job, two are held idle, two stand ready. */
export type Use = 'busy' | 'held' | 'ready';

export const addressOf = (index: number): string => `127.90.${index >> 8}.${index & 255}`;

/** The number behind an address. */
export function indexOf(address: string): number {
  const [high = 0, low = 0] = address.split('.').slice(-2).map(Number);
  return high * 256 + low;
}

export const groupOf = (index: number): number => Math.floor(index / GROUP);
export const poolNameOf = (index: number): string => `pool-${String(index % POOLS).padStart(2, '0')}`;
export const instanceOf = (index: number): string => `i-${(index + 1).toString(16).padStart(17, '0')}`;
export const machineOf = (index: number): string => `m-${index.toString(32).padStart(10, '0')}`;
export const launchOf = (index: number): string => index.toString(16).padStart(32, '0');
export const jobOf = (index: number): string => String(1_000_000 + index);

export function useOf(index: number): Use {
  const digit = Math.floor(index / POOLS) % 10;
  if (digit < 6) return 'busy';
  return digit < 8 ? 'held' : 'ready';
}

/** Labels of a job's build container, as the runner sets them. */
export function labelsOf(job: string): Record<string, string> {
  const prefix = 'com.gitlab.gitlab-runner';
  return { [`${prefix}.job.id`]: job, [`${prefix}.job.url`]: `https://gitlab.example.com/-/jobs/${job}` };
}
