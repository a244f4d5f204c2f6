// Which source a pool's queue is read from, and why, in plain words. Pure: what was found out comes in.
// Trap: the words stand in logs and `hostler queue`, so they name settings and never a token.
import type { QueueSettings, QueueSourceName, RunnerType } from '../domain/queue.ts';

/** Above so many projects one call a project costs more than a quarter of GitLab's usual limit at 15 s (facts: 9). */
export const MOST_FOR_REST = 40;

export type SourceFacts = {
  settings: Pick<QueueSettings, 'source' | 'url' | 'token' | 'runnerId'>;
  /** Tags and the rest are known, from GitLab or the configuration. */
  knowsRunner: boolean;
  type: RunnerType | null;
  /** Projects to look at; null = nothing says which. */
  projects: number | null;
  /** The token sees the jobs of the whole instance; null = not tried. */
  seesInstance: boolean | null;
  /** Several projects in one GraphQL call work here; null = not tried. */
  multiplex: boolean | null;
  /** The runner's own metrics are within reach. */
  hasMetrics: boolean;
};

/** `why` is a clause without a colon of its own: it goes on after "because", or after a colon. */
export type SourceChoice = { source: QueueSourceName | null; why: string };

/** The source of `auto` while GitLab has not answered since the start, where the runner serves its metrics. */
export const meanwhile: SourceChoice = {
  source: 'metrics',
  why:
    'GitLab cannot be asked yet and is tried again and again; until it answers ' +
    "the runner's own figures tell how many jobs wait when it takes one",
};

/** Why GitLab itself cannot be asked, or null when it can. */
function obstacle({ settings, knowsRunner, projects }: SourceFacts): string | null {
  if (settings.url === null) return "the runner's section has no url";
  if (settings.token === null) return 'no token is set (token in the queue table, or HOSTLER_GITLAB_TOKEN)';
  if (!knowsRunner)
    return (
      "the runner's tags are not known; the token needs manage_runner and the section its id, or set tags " +
      '(and run_untagged) in the queue table'
    );
  if (projects === null)
    return "the runner's projects are not known; set projects or group in the queue table";
  return null;
}

function fallBack({ hasMetrics }: SourceFacts, why: string): SourceChoice {
  return hasMetrics
    ? { source: 'metrics', why: `${why}; the runner's own figures tell how many jobs wait when it takes one` }
    : { source: null, why: `${why}; nor are the runner's own metrics within reach (listen_address)` };
}

function automatic(facts: SourceFacts): SourceChoice {
  const why = obstacle(facts);
  if (why !== null) return fallBack(facts, why);
  const count = facts.projects ?? 0;
  const many = `${count} projects are many for one call each`;
  const few = count === 1 ? '1 project takes one call' : `${count} projects, one call each, are few`;
  if (facts.seesInstance === true && (facts.type === 'instance' || count > MOST_FOR_REST))
    return {
      source: 'instance',
      why: 'the token sees the whole instance, so one call shows all pending jobs',
    };
  if (count <= MOST_FOR_REST) return { source: 'rest', why: few };
  if (facts.multiplex === true)
    return { source: 'graphql', why: `${many}, and GraphQL shows several a call` };
  return { source: 'rest', why: `${many}, but neither the instance nor GraphQL can be used with this token` };
}

/** The source in use. What was asked for by name is taken if it can be, and never replaced in silence. */
export function chooseSource(facts: SourceFacts): SourceChoice {
  const { source } = facts.settings;
  if (source === 'auto') return automatic(facts);
  if (source === 'none') return { source: null, why: 'source = "none"' };
  const asked = `source = "${source}"`;
  if (source === 'metrics') {
    return facts.hasMetrics
      ? { source, why: asked }
      : {
          source: null,
          why: `${asked}, but the runner's file has no listen_address and runner_metrics is not set`,
        };
  }
  const why = obstacle(facts);
  if (why !== null && !(source === 'instance' && facts.projects === null && facts.knowsRunner))
    return { source: null, why: `${asked}, but ${why}` };
  if (source === 'instance' && facts.seesInstance === false) {
    const said = 'the token does not see the instance (it needs an admin, or read_admin_cicd)';
    return { source: null, why: `${asked}, but ${said}` };
  }
  return { source, why: asked };
}
