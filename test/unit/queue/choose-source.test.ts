// Which source a pool's queue is read from, and the words for it.
import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/domain/config.ts';
import { chooseSource, type SourceFacts } from '../../../src/queue/choose-source.ts';

const token = { kind: 'value', value: new Secret('glpat-x') } as const;

function facts(
  over: Partial<Omit<SourceFacts, 'settings'>> & { settings?: Partial<SourceFacts['settings']> } = {},
) {
  const settings = {
    source: 'auto',
    url: 'https://gitlab.example.com',
    token,
    runnerId: 7,
    ...over.settings,
  } as const;
  return {
    knowsRunner: true,
    type: 'group',
    projects: 10,
    seesInstance: null,
    multiplex: null,
    hasMetrics: true,
    ...over,
    settings,
  } satisfies SourceFacts;
}

const none = { token: null };

describe('auto takes', () => {
  test.each([
    ['REST for few projects', facts(), 'rest', '10 projects, one call each, are few'],
    ['REST at 40', facts({ projects: 40 }), 'rest', '40 projects'],
    ['GraphQL above 40', facts({ projects: 41, multiplex: true }), 'graphql', 'several a call'],
    [
      'REST above 40 where GraphQL does not work',
      facts({ projects: 41, multiplex: false }),
      'rest',
      'neither',
    ],
    ['the instance above 40', facts({ projects: 41, seesInstance: true }), 'instance', 'whole instance'],
    ['the instance for its runners', facts({ type: 'instance', seesInstance: true }), 'instance', 'one call'],
    ['REST for few, even if the instance is seen', facts({ seesInstance: true }), 'rest', 'one call each'],
    [
      'REST for an instance runner that is not seen',
      facts({ type: 'instance', seesInstance: false }),
      'rest',
      '',
    ],
    ['the metrics without a token', facts({ settings: none }), 'metrics', 'no token is set'],
    [
      'nothing without token and metrics',
      facts({ settings: none, hasMetrics: false }),
      null,
      'listen_address',
    ],
    ['the metrics without tags', facts({ knowsRunner: false }), 'metrics', 'manage_runner'],
    ['the metrics without projects', facts({ projects: null }), 'metrics', 'set projects or group'],
    ['the metrics without an address', facts({ settings: { url: null } }), 'metrics', 'has no url'],
  ] as const)('%s', (_, given, source, words) => {
    const choice = chooseSource(given);
    expect(choice.source).toBe(source);
    expect(choice.why).toContain(words);
  });
});

describe('what is asked for by name', () => {
  test.each([
    ['rest', facts({ settings: { source: 'rest' }, projects: 500 }), 'rest', 'source = "rest"'],
    ['graphql', facts({ settings: { source: 'graphql' } }), 'graphql', 'source = "graphql"'],
    ['metrics', facts({ settings: { source: 'metrics' } }), 'metrics', 'source = "metrics"'],
    ['none', facts({ settings: { source: 'none' } }), null, 'source = "none"'],
    [
      'instance',
      facts({ settings: { source: 'instance' }, seesInstance: true }),
      'instance',
      'source = "instance"',
    ],
    [
      'instance without a list of projects',
      facts({ settings: { source: 'instance' }, projects: null, seesInstance: true }),
      'instance',
      '',
    ],
    [
      'instance without the right',
      facts({ settings: { source: 'instance' }, seesInstance: false }),
      null,
      'it needs an admin',
    ],
    ['rest without a token', facts({ settings: { source: 'rest', ...none } }), null, 'but no token is set'],
    [
      'rest without tags',
      facts({ settings: { source: 'rest' }, knowsRunner: false }),
      null,
      'tags are not known',
    ],
    [
      'metrics out of reach',
      facts({ settings: { source: 'metrics' }, hasMetrics: false }),
      null,
      'runner_metrics is not set',
    ],
  ] as const)('%s is taken or said to be impossible, never replaced', (_, given, source, words) => {
    const choice = chooseSource(given);
    expect(choice.source).toBe(source);
    expect(choice.why).toContain(words);
  });
});
