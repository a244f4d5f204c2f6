// GitLab's rules for who may take a job, as one table. A line reads: the runner, the job, the verdict.
// Runner: tags in [], + takes untagged, ! protected refs only, || paused; its scope: any project, 7 only, or all but 7.
// Job: tags in [], its project's number, P protected ref, U unprotected, ? not known; its state where it is not pending.
import { describe, expect, test } from 'vitest';
import type { QueuedJob, RunnerTraits } from '../../../src/domain/queue.ts';
import { matchJob, type RunnerScope, type WhyNot } from '../../../src/queue/match-job.ts';

const table = `
 # runner               scope    assume | job                      | verdict
 # --- tags
  1 []+                 any      no     | [] in 7 U                | takes
  2 []+                 any      no     | [docker] in 7 U          | tags
  3 []                  any      no     | [] in 7 U                | takes
  4 []                  any      no     | [docker] in 7 U          | tags
  5 [docker]            any      no     | [docker] in 7 U          | takes
  6 [docker]            any      no     | [] in 7 U                | untagged
  7 [docker]+           any      no     | [] in 7 U                | takes
  8 [docker]+           any      no     | [docker] in 7 U          | takes
  9 [docker]+           any      no     | [linux] in 7 U           | tags
 10 [docker,linux]      any      no     | [docker] in 7 U          | takes
 11 [docker,linux]      any      no     | [linux,docker] in 7 U    | takes
 12 [docker,linux]      any      no     | [docker,gpu] in 7 U      | tags
 13 [docker]            any      no     | [docker,linux] in 7 U    | tags
 14 [docker]            any      no     | [Docker] in 7 U          | tags
 15 [Docker]            any      no     | [docker] in 7 U          | tags
 16 [docker]            any      no     | [docker-24] in 7 U       | tags
 17 [docker-24]         any      no     | [docker] in 7 U          | tags
 18 [größe]             any      no     | [größe] in 7 U           | takes
 19 [a,b,c,d]           any      no     | [d,c,b,a] in 7 U         | takes
 20 [a,b,c,d]+          any      no     | [] in 7 P                | takes
 21 [docker]            any      no     | [docker,docker] in 7 U   | takes
 # --- protected refs
 22 []+                 any      no     | [] in 7 P                | takes
 23 []+                 any      no     | [] in 7 ?                | takes
 24 []+!                any      no     | [] in 7 P                | takes
 25 []+!                any      no     | [] in 7 U                | unprotected
 26 []+!                any      no     | [] in 7 ?                | protection-unknown
 27 []+!                any      yes    | [] in 7 ?                | takes
 28 []+!                any      yes    | [] in 7 U                | unprotected
 29 []+!                any      yes    | [] in 7 P                | takes
 30 [deploy]!           any      no     | [deploy] in 7 P          | takes
 31 [deploy]!           any      no     | [deploy] in 7 U          | unprotected
 32 [deploy]!           any      no     | [other] in 7 P           | tags
 33 [deploy]!           any      no     | [] in 7 P                | untagged
 34 [deploy]!           any      yes    | [other] in 7 ?           | tags
 # --- scope
 35 []+                 only7    no     | [] in 7 U                | takes
 36 []+                 only7    no     | [] in 8 U                | scope
 37 []+                 not7     no     | [] in 7 U                | scope
 38 []+                 not7     no     | [] in 8 U                | takes
 39 []+                 none     no     | [] in 7 U                | scope
 40 [docker]            only7    no     | [docker] in 7 U          | takes
 41 [docker]            only7    no     | [docker] in 8 U          | scope
 42 [docker]            only7    no     | [linux] in 8 U           | scope
 43 [docker]            only7    no     | [linux] in 7 U           | tags
 44 []+!                only7    no     | [] in 7 U                | unprotected
 45 []+!                only7    yes    | [] in 8 ?                | scope
 46 []+!                only7    no     | [] in 7 P                | takes
 # --- paused
 47 []+||               any      no     | [] in 7 U                | paused
 48 [docker]||          any      no     | [docker] in 7 U          | paused
 49 [docker]||          only7    no     | [docker] in 8 U          | paused
 50 []+!||              any      yes    | [] in 7 P                | paused
 # --- only pending jobs stand in the queue
 51 []+                 any      no     | [] in 7 U created        | not-pending
 52 []+                 any      no     | [] in 7 U running        | not-pending
 53 []+                 any      no     | [] in 7 U manual         | not-pending
 54 []+                 any      no     | [] in 7 U scheduled      | not-pending
 55 []+                 any      no     | [] in 7 U waiting_for_resource | not-pending
 56 []+                 any      no     | [] in 7 U canceled       | not-pending
 57 []+                 any      no     | [] in 7 U preparing      | not-pending
 58 []+                 any      no     | [] in 7 U canceling      | not-pending
 59 []+||               any      no     | [] in 7 U created        | not-pending
 # --- several at once: the coarse reason is told
 60 [docker]!           only7    no     | [linux] in 7 U           | tags
 61 [docker]!           only7    no     | [docker] in 7 P          | takes
 62 [docker]!           not7     yes    | [docker] in 8 ?          | takes
 63 [docker]+!          any      no     | [] in 7 U                | unprotected
`;

type Case = { number: string; runner: string; scope: string; assume: string; job: string; verdict: string };

const cases: Case[] = table
  .split('\n')
  .filter((line) => /^\s*\d/.test(line))
  .map((line) => {
    const [left = '', job = '', verdict = ''] = line.split(' | ').map((part) => part.trim());
    const [number = '', runner = '', scope = '', assume = ''] = left.replace(/\s*\|$/, '').split(/\s+/);
    return { number, runner, scope, assume, job, verdict };
  });

const words = (text: string): string[] =>
  (/\[(.*?)\]/.exec(text)?.[1] ?? '').split(',').filter((word) => word !== '');

const runnerOf = (text: string): RunnerTraits => ({
  type: 'instance',
  paused: text.includes('||'),
  tags: words(text),
  runUntagged: text.includes('+'),
  protectedOnly: text.includes('!'),
  projects: null,
  groups: null,
});

const scopes: Record<string, RunnerScope> = {
  any: { only: null, except: new Set() },
  only7: { only: new Set([7]), except: new Set() },
  not7: { only: null, except: new Set([7]) },
  none: { only: new Set(), except: new Set() },
};

function jobOf(text: string): QueuedJob {
  const {
    project = '',
    ref = '',
    status = 'pending',
  } = /\] in (?<project>\d+) (?<ref>[PU?])(?: (?<status>\S+))?/.exec(text)?.groups ?? {};
  return {
    id: 1,
    project: { id: Number(project), path: `group/p${project}` },
    name: 'build',
    stage: 'build',
    status: status ?? 'pending',
    tags: words(text),
    ref: 'main',
    gitTag: false,
    protectedRef: ref === '?' ? null : ref === 'P',
    queuedAt: 0,
    createdAt: 0,
    pipeline: 1,
    url: null,
  };
}

describe('a job', () => {
  test.each(cases)('$number: $runner $scope assume $assume | $job | $verdict', (one) => {
    const scope = scopes[one.scope];
    if (scope === undefined) throw new Error(`no scope ${one.scope}`);
    const rules = { traits: runnerOf(one.runner), scope, assumeProtected: one.assume === 'yes' };
    const match = matchJob(rules, jobOf(one.job));
    expect(match.takes ? 'takes' : match.why).toBe(one.verdict as WhyNot);
  });

  test('has a table of at least 60 cases, each verdict among them', () => {
    expect(cases.length).toBeGreaterThanOrEqual(60);
    expect([...new Set(cases.map(({ verdict }) => verdict))].toSorted()).toEqual([
      'not-pending',
      'paused',
      'protection-unknown',
      'scope',
      'tags',
      'takes',
      'unprotected',
      'untagged',
    ]);
  });
});
