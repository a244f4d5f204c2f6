// Says what is to be said about a pool's queue, once: which source it is read from and why, lost from sight, back again.
// Must not repeat itself at each round, nor say a word where nobody asked for a queue and there is none.
import type { PoolQueue, QueueSourceName } from '../domain/queue.ts';
import { meanwhile, type SourceChoice } from '../queue/choose-source.ts';
import type { Journal } from './journal.ts';
import type { Member } from './queue-members.ts';

/** A pool's queue now. `choice`: what it is read from; null = not found out yet. */
type Standing = { state: PoolQueue; choice: SourceChoice | null };

export type QueueReporter = { tell(member: Member, standing: Standing): void };

const ways: Readonly<Record<QueueSourceName, string>> = {
  rest: 'by REST, one call a project',
  graphql: 'by GraphQL, several projects a call',
  instance: 'by GraphQL, all projects of the instance in one call',
  metrics: "from the runner's own metrics",
};

type Said = { source: string | null; lost: boolean };

function isAsked({ settings }: Member): boolean {
  return settings.token !== null || settings.source !== 'auto';
}

function sourceText({ scope, problem }: Member, choice: SourceChoice): string {
  const { source, why } = choice;
  const read =
    source === null ? 'the job queue is not looked at:' : `the job queue is read ${ways[source]}, because`;
  const more = choice === meanwhile ? [problem ?? ''] : (scope?.remarks ?? []);
  return [`${read} ${why}`, ...more].join('; ');
}

function tellSource(journal: Journal, said: Said, member: Member, choice: SourceChoice): void {
  const { scope, settings, spec, site, version } = member;
  const { source, why } = choice;
  const isMeanwhile = choice === meanwhile;
  const name = isMeanwhile ? 'meanwhile' : (source ?? `none: ${why}`);
  if (said.source === name) return;
  const isFirst = said.source === null;
  said.source = name;
  if (source === null && isFirst && !isAsked(member)) return;
  const isMissed = source === null && isAsked(member) && settings.source !== 'none';
  const detail = { source, gitlab: site?.url ?? null, version, projects: scope?.projects.length ?? 0 };
  const level = isMissed || isMeanwhile ? 'warn' : 'info';
  journal({ code: 'queue-source', pool: spec.id, level, text: sourceText(member, choice), detail });
}

function tellState(journal: Journal, said: Said, { pool, state, why }: PoolQueue): void {
  const isLost = state === 'stale' || state === 'failed';
  // Off: not looked at yet, or no longer; only an answer says that it is back.
  if (isLost === said.lost || (!isLost && state !== 'fresh')) return;
  said.lost = isLost;
  if (!isLost) return journal({ code: 'queue-back', pool });
  const text = `the job queue cannot be read, the pool is held as it is: ${why}`;
  journal({ code: 'queue-lost', pool, level: 'warn', text });
}

/** A reporter that has said nothing yet. */
export function createQueueReporter(journal: Journal): QueueReporter {
  const byPool = new Map<string, Said>();
  return {
    tell(member, { state, choice }) {
      const said = byPool.get(state.pool) ?? { source: null, lost: false };
      byPool.set(state.pool, said);
      if (choice !== null) tellSource(journal, said, member, choice);
      tellState(journal, said, state);
    },
  };
}
