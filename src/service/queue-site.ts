// One GitLab as one token sees it: opened when it is first needed, with a token that may stand in SSM and change there.
// Trap: sources keep what they learned of GitLab (batch sizes, rights), so they live as long as the connection does.
import { gitlabError } from '../domain/gitlab-failure.ts';
import {
  LEAST_TOKEN,
  type ProjectScope,
  type QueueProject,
  type QueueSecret,
  type QueueSettings,
  type QueueSourceName,
} from '../domain/queue.ts';
import { type DurationMs, MINUTE_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Gitlab, QueuePorts, QueueSource } from '../ports/queue.ts';
import { createHeldSecret, secretText } from './held-secret.ts';
import type { QueueGate } from './queue-gate.ts';

/** Pools with equal scopes share a listing of this age; below the pause between refreshes. */
const LISTING_SHARED_MS: DurationMs = 5 * MINUTE_MS;

export type GitlabSourceName = Exclude<QueueSourceName, 'metrics'>;

export type QueueSite = {
  /** Equal for pools that share connection and looks; holds no secret. */
  key: string;
  url: string;
  gate: QueueGate;
  /** Throws what reading the token throws. */
  gitlab(signal: AbortSignal): Promise<Gitlab>;
  source(name: GitlabSourceName, signal: AbortSignal): Promise<QueueSource>;
  /** The projects of a scope, listed once for all pools that ask within some minutes. */
  projects(scope: ProjectScope, signal: AbortSignal): Promise<readonly QueueProject[]>;
  /** `19.4.0`; null where the token may not ask. Asked once a connection. */
  version(signal: AbortSignal): Promise<string | null>;
  /** GitLab refused the token: what stands in SSM is read anew before the next call. */
  doubtToken(): void;
  close(): void;
};

/** Where pools ask, and as whom. */
export type SiteAccess = { url: string; token: QueueSecret; ca: string | null };

/** The access of a pool's settings, or null when GitLab cannot be asked. */
export function accessOf({ url, token, ca }: QueueSettings): SiteAccess | null {
  return url === null || token === null ? null : { url, token, ca };
}

/** True when both are the same connection. */
export function isSameAccess(a: SiteAccess, b: SiteAccess): boolean {
  return secretText(a.token) === secretText(b.token) && a.url === b.url && a.ca === b.ca;
}

type Opened = {
  gitlab: Gitlab;
  token: string;
  sources: Map<GitlabSourceName, QueueSource>;
  version?: string | null;
};

type Deps = { ports: QueuePorts; clock: Clock; gate: QueueGate };

/** A site that is not opened yet. `key` tells it from the others. */
export function createQueueSite(key: string, access: SiteAccess, { ports, clock, gate }: Deps): QueueSite {
  const token = createHeldSecret(access.token, { secrets: ports.secrets, clock });
  let opened: Opened | null = null;
  let isClosed = false;
  const listings = new Map<string, { at: DurationMs; projects: Promise<readonly QueueProject[]> }>();

  async function open(signal: AbortSignal): Promise<Opened> {
    if (isClosed) throw gitlabError('away', 'the job queue is watched under other settings now');
    const secret = await token.get(signal);
    if (secret.reveal().length < LEAST_TOKEN)
      throw gitlabError('token', `the token for GitLab has fewer than ${LEAST_TOKEN} characters`);
    if (opened !== null && opened.token === secret.reveal()) return opened;
    opened?.gitlab.close();
    const gitlab = ports.gitlab.open({ url: access.url, token: secret, ca: access.ca }, gate);
    opened = { gitlab, token: secret.reveal(), sources: new Map() };
    return opened;
  }

  return {
    key,
    url: access.url,
    gate,
    gitlab: async (signal) => (await open(signal)).gitlab,
    async source(name, signal) {
      const { gitlab, sources } = await open(signal);
      const source = sources.get(name) ?? gitlab.source(name);
      sources.set(name, source);
      return source;
    },
    async version(signal) {
      const connection = await open(signal);
      connection.version ??= await connection.gitlab.version(signal);
      return connection.version;
    },
    async projects(scope, signal) {
      const name = JSON.stringify(scope);
      const known = listings.get(name);
      if (known !== undefined && clock.monotonic() - known.at < LISTING_SHARED_MS)
        return await known.projects;
      const projects = open(signal).then(({ gitlab }) => gitlab.projects(scope, signal));
      listings.set(name, { at: clock.monotonic(), projects });
      // What failed is no listing; who shares it hears of it all the same.
      projects.catch(() => listings.delete(name));
      return await projects;
    },
    doubtToken: () => token.doubt(),
    close() {
      isClosed = true;
      opened?.gitlab.close();
      opened = null;
    },
  };
}
