// One look of the runner for a section: its machines, then GitLab's answer, and the same again at once for each job that
// came. One lock for all sections around the look at the machines: a `config` that hangs there stops all of them.
import type { Gitlab } from '../gitlab/gitlab.ts';
import type { Job } from '../gitlab/job.ts';
import type { Line } from './line.ts';
import type { RunnerMachine } from './machine.ts';
import type { MachineNames } from './machine-names.ts';
import type { RunnerProcess } from './process.ts';
import type { Acquired, Provider } from './provider.ts';
import type { SectionSettings } from './runner-settings.ts';

export type Section = {
  settings: SectionSettings;
  provider: Provider;
  names: MachineNames;
  line: Line;
  /** Requests for a job that are under way. */
  requests: number;
};

export type ClaimParts = {
  gitlab: Gitlab;
  process: RunnerProcess;
  now(): number;
  requestMs: number;
  /** No more claims, or no worker free. */
  mayGoOn(): boolean;
  /** Jobs that run of that section. */
  running(section: SectionSettings): number;
  begin(section: Section, job: Job, held: RunnerMachine | null): void;
};

/** A look that tells whether it did or met anything: if not, the next one will not either until something changes. */
export function createClaiming(parts: ClaimParts): (section: Section) => Promise<boolean> {
  const { gitlab, process } = parts;
  let lock: Promise<void> = Promise.resolve();

  const acquire = async ({ settings, provider }: Section): Promise<Acquired> => {
    const before = lock;
    const { promise, resolve } = Promise.withResolvers<void>();
    lock = promise;
    await before;
    const acquired = await provider.acquire(settings.idle(parts.now()));
    resolve();
    return acquired;
  };

  const mayAsk = ({ settings, requests }: Section): boolean =>
    (settings.limit === 0 || parts.running(settings) < settings.limit) &&
    requests < settings.requestConcurrency &&
    parts.mayGoOn();

  const ask = async (section: Section): Promise<Job | 'refused' | null> => {
    section.requests += 1;
    const { delayMs, refused } = gitlab.weather.call();
    await process.sleep(parts.requestMs + delayMs);
    section.requests -= 1;
    if (refused !== null) return 'refused';
    return parts.mayGoOn() ? gitlab.request(section.settings.runner) : null;
  };

  return async (section) => {
    let did = false;
    while (parts.mayGoOn()) {
      const { may, machine, did: acted } = await acquire(section);
      did ||= acted;
      const job = may && mayAsk(section) ? await ask(section) : null;
      if (job === null || job === 'refused') {
        if (machine !== null) section.provider.putBack(machine);
        return did || job === 'refused';
      }
      did = true;
      parts.begin(section, job, machine);
    }
    return did;
  };
}
