// Machines that another docker-machine made before hostler took its place: when `rm` moves their folder away, the
// instance that their own config.json names is ended. What names none (`--driver none`) is just forgotten.
// Trap: the release stays in the mailbox until EC2 accepted the end, so a failure is tried again, not lost.
import type { CloudSite } from '../domain/config.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { Journal } from './journal.ts';

/** TerminateInstances answers within seconds. */
const END_LIMIT_MS: DurationMs = 30 * SECOND_MS;
/** A termination that failed is asked again after this. */
const AGAIN_AFTER_MS: DurationMs = MINUTE_MS;

type Deps = {
  cloud: Cloud;
  runnerStore: RunnerStore;
  clock: Clock;
  journal: Journal;
  sites(): readonly CloudSite[];
  /** hostler's own machine with that instance: its folder may have lost its mark, its job must not be lost with it. */
  isOurs(instance: string): boolean;
};

/** Ends foreign machines one release at a time. */
export function createForeignMachines(deps: Deps): (path: string, name: string) => Promise<void> {
  const { cloud, runnerStore, clock, journal } = deps;
  const nextTry = new Map<string, DurationMs>();

  async function endInstance(instance: string, region: string | null): Promise<string | null> {
    const site = deps.sites().find((each) => region === null || each.region === region);
    if (site === undefined) return `no pool is configured for region ${region ?? 'unknown'}`;
    const [answer] = await cloud.terminate(site, [instance], clock.timeout(END_LIMIT_MS));
    if (answer === undefined || answer.kind === 'accepted' || answer.outcome.kind === 'not-found')
      return null;
    return `${answer.outcome.code}: ${answer.outcome.message}`;
  }

  return async (path, name) => {
    if ((nextTry.get(name) ?? 0) > clock.monotonic()) return;
    const machine = await runnerStore.foreignMachine(path, name);
    if (
      machine !== null &&
      machine.instance !== null &&
      machine.driver === 'amazonec2' &&
      !deps.isOurs(machine.instance)
    ) {
      const { instance, region } = machine;
      const failure = await endInstance(instance, region);
      if (failure !== null) {
        nextTry.set(name, clock.monotonic() + AGAIN_AFTER_MS);
        journal({
          code: 'terminate-failed',
          lease: name,
          level: 'warn',
          text: `${name}: ${failure}`,
          detail: { instance },
        });
        return;
      }
      journal({ code: 'foreign-ended', lease: name, detail: { instance, region } });
    }
    nextTry.delete(name);
    await runnerStore.takeRelease(path, name);
  };
}
