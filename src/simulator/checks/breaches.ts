// What a run found broken: the rule by name, when, and in words. A run ends at its first few breaches: what follows from a
// broken rule says nothing new.
import type { EpochMs } from '../../domain/units.ts';

export const rules = {
  'busy-host-ended': 'a host with a job of a living runner is never ended or cleaned by hostler',
  'above-limit': "a pool never has more machines than the runner's limit",
  'old-orphan': 'no instance of ours stays without a record for long',
  'open-intent': 'every launch is settled in time',
  'unanswered-create': 'every create is served or answered in time',
  'forgotten-lease': 'every lease ends when nobody holds it any more',
  'ghost-folder': 'no folder stands for a host that its lease does not hold',
  'shared-host': 'no host is handed to two creates at once',
  'spot-requests': 'never more than 20 spot requests are open; accounts are locked out at some 60',
  'call-rate': "calls stay within EC2's rates",
  cost: 'machines cost no more than what the jobs, the idle wanted, the market and the faults explain',
  reasons: 'nothing is ended, and nothing written down, without its reason',
  'plan-broken': 'no plan breaks a rule, and each carries its reasons',
  'daemon-died': 'the daemon never ends by an error of its own',
  'internal-error': 'no work of the daemon fails for a reason of its own',
  'job-lost': 'without faults no job fails',
  'not-converged': 'after the faults all jobs end',
  'not-empty': 'without demand nothing is left',
} as const;

export type Rule = keyof typeof rules;
export type Breach = { rule: Rule; at: EpochMs; text: string };

/** Breaches that are kept; the run stops at the first of them anyway. */
const MOST = 5;

export type BreachBook = {
  add(rule: Rule, text: string): void;
  all(): readonly Breach[];
};

/** No breaches yet. */
export function createBreachBook(now: () => EpochMs): BreachBook {
  const found: Breach[] = [];
  return {
    add(rule, text) {
      if (found.length < MOST && !found.some((breach) => breach.rule === rule && breach.text === text))
        found.push({ rule, at: now(), text });
    },
    all: () => found,
  };
}
