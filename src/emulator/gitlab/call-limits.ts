// How many calls the emulated GitLab takes a minute: the instance's throttle, told in RateLimit headers on every answer, and
// the limit for a project's jobs, which no header tells and whose 429 has no Retry-After.
// Trap: windows are whole minutes as GitLab counts them, so a burst at the turn of one gets twice its share.
import type { Timeline } from '../../sim/timeline.ts';
import type { GitlabSettings } from './gitlab-parts.ts';

const MINUTE_MS = 60_000;

export type CallLimits = {
  /** Counts a call. `refused`: the headers of a 429, else of any answer. */
  count(what: 'jobs' | 'other'): { refused: boolean; headers: Record<string, string> };
};

type Window = { from: number; jobs: number; all: number };

export function createCallLimits(timeline: Timeline, settings: GitlabSettings): CallLimits {
  let window: Window = { from: 0, jobs: 0, all: 0 };

  function rateHeaders(now: number, isRefused: boolean): Record<string, string> {
    const limit = settings.callsPerMinute;
    if (limit === 0) return {};
    const resetAt = window.from + MINUTE_MS;
    const headers: Record<string, string> = {
      'ratelimit-limit': String(limit),
      'ratelimit-name': 'throttle_authenticated_api',
      'ratelimit-observed': String(window.all),
      'ratelimit-remaining': String(Math.max(0, limit - window.all)),
      'ratelimit-reset': String(Math.ceil(resetAt / 1_000)),
    };
    if (!isRefused) return headers;
    headers['ratelimit-resettime'] = new Date(resetAt).toUTCString();
    headers['retry-after'] = String(Math.ceil((resetAt - now) / 1_000));
    return headers;
  }

  return {
    count(what) {
      const now = timeline.now();
      const from = Math.floor(now / MINUTE_MS) * MINUTE_MS;
      if (from !== window.from) window = { from, jobs: 0, all: 0 };
      window.all += 1;
      if (what === 'jobs') window.jobs += 1;
      const { callsPerMinute, jobsPerMinute } = settings;
      if (callsPerMinute > 0 && window.all > callsPerMinute)
        return { refused: true, headers: rateHeaders(now, true) };
      const refused = what === 'jobs' && jobsPerMinute > 0 && window.jobs > jobsPerMinute;
      return { refused, headers: rateHeaders(now, false) };
    },
  };
}
