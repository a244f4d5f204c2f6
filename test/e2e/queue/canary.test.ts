// The token never leaves its file: a whole daemon with a pool for each way in which a GitLab can go wrong while it says the
// token back, as it is and in the escapes of JSON. Nothing that the daemon says or keeps may hold any of the tokens.
import { afterEach, expect, test } from 'vitest';
import {
  everythingSaid,
  type QueueSection,
  type QueueWorld,
  startQueueWorld,
  usualGitlab,
} from '../../support/queue-world.ts';
import type { Fault, Said, StandInGitlab } from '../../support/stand-in-gitlab.ts';

const gitlabs: StandInGitlab[] = [];
let world: QueueWorld | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
  await Promise.all(gitlabs.splice(0).map((gitlab) => gitlab.close()));
});

/** Each character as JSON may write it. */
const escaped = (text: string): string =>
  Array.from(text, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

type Way = {
  token: string;
  /** What GitLab says to every call, or to looks at jobs alone. */
  says(token: string): Said;
  onlyJobs?: boolean;
  queue?: string;
  /** Words of `hostler queue --json` that show that the way was gone. */
  shown: RegExp;
};

/** `short`: as short as a token may be. */
const ways: Readonly<Record<string, Way>> = {
  unknown: {
    token: 'glpat-canaryAAAA401xxxx',
    says: (token) => ({ status: 401, body: { message: `401 Unauthorized ${token}` } }),
    shown: /does not accept the token/,
  },
  denied: {
    token: 'glpat-canaryBBBB403xxxx',
    says: (token) => ({ status: 403, body: { message: `403 Forbidden ${token} here` } }),
    shown: /does not allow runner to this token \(403\): 403 Forbidden \[secret\] here/,
  },
  'denied-jobs': {
    token: 'glpat-canaryCCCC403xxxx',
    onlyJobs: true,
    says: (token) => ({
      status: 403,
      body: { error: 'insufficient_scope', error_description: `no ${token} no` },
    }),
    shown: /does not allow jobs to this token \(403\)/,
  },
  missing: {
    token: 'glpat-canaryDDDD404xxxx',
    onlyJobs: true,
    says: (token) => ({ status: 404, body: { message: `404 Project ${token} Not Found` } }),
    shown: /\(jobs, 404\): 404 Project \[secret\] Not Found/,
  },
  html: {
    token: 'glpat-canaryEEEEhtmlxxx',
    says: (token) => ({
      headers: { 'content-type': 'text/html' },
      raw: `<html><title>${token}</title><body>Sign in ${token}</body></html>`,
    }),
    shown: /is no JSON/,
  },
  away: {
    token: 'glpat-canaryFFFF302xxxx',
    says: (token) => ({
      status: 302,
      headers: { location: `https://${token}.example.com/${token}?private_token=${token}` },
      raw: '',
    }),
    shown: /redirects to https:\/\/\[secret\]\.example\.com/,
  },
  'round-about': {
    token: 'glpat-canaryGGGG302xxxx',
    says: (token) => ({ status: 302, headers: { location: `/-/${token}/sign_in?x=${token}` }, raw: token }),
    shown: /redirects runner to \/-\/\[secret\]\/sign_in/,
  },
  truncated: {
    token: 'glpat-canaryHHHHcutxxxx',
    says: (token) => ({ raw: `[{"id":1,"name":"${token}`, isCut: true }),
    shown: /cannot be asked for runner/,
  },
  broken: {
    token: 'glpat-canaryIIII500xxxx',
    onlyJobs: true,
    says: (token) => ({ status: 500, body: { message: `500 Internal ${token} Error` } }),
    shown: /status 500: 500 Internal \[secret\] Error/,
  },
  throttled: {
    token: 'glpat-canaryJJJJ429xxxx',
    onlyJobs: true,
    says: (token) => ({
      status: 429,
      headers: { 'retry-after': '1' },
      body: { message: `too many ${token}` },
    }),
    shown: /429\): too many \[secret\]/,
  },
  escapes: {
    token: 'glpat-canaryKKKKuuuuxxx',
    says: (token) => ({ status: 403, raw: `{"message":"403 ${escaped(token)} Forbidden"}` }),
    shown: /403 \[secret\] Forbidden/,
  },
  short: {
    token: 'kurz8tok',
    says: (token) => ({ status: 403, body: { message: `403 ${token} Forbidden` } }),
    shown: /403 \[secret\] Forbidden/,
  },
  'short-escapes': {
    token: 'kurz9tok!',
    says: (token) => ({ status: 403, raw: `{"message":"403 ${escaped(token)} Forbidden"}` }),
    shown: /403 \[secret\] Forbidden/,
  },
  graphql: {
    token: 'glpat-canaryLLLLgraphqx',
    queue: '    source = "graphql"\n',
    onlyJobs: true,
    says: (token) => ({ body: { errors: [{ message: `no ${token} for you` }] } }),
    shown: /no \[secret\] for you/,
  },
  instance: {
    token: 'glpat-canaryMMMMinstanc',
    queue: '    source = "instance"\n',
    onlyJobs: true,
    says: (token) => ({ raw: `{"errors":[{"message":"no ${escaped(token)} for you"}]}` }),
    shown: /no \[secret\] for you/,
  },
};

function faultOf({ says, token, onlyJobs }: Way): Fault {
  return ({ path, body }) =>
    onlyJobs === true && !/jobs\?/.test(path) && !/PENDING/.test(body) ? null : says(token);
}

/** A job whose every word is the token, for what a good GitLab is made to say. */
function telling(gitlab: StandInGitlab, token: string): void {
  const project = gitlab.projects.get(1);
  if (project !== undefined) project.path = `group/${token}`;
  gitlab.addJob({ project: 1, name: token, ref: token, tags: ['docker', token] });
  gitlab.addJob({ project: 1, name: `job ${token.toUpperCase()}`, ref: `refs/${token}`, tags: [] });
}

const variableOf = (pool: string) => `HOSTLER_POOL_${pool.toUpperCase().replaceAll('-', '_')}__QUEUE_TOKEN`;

async function expectUntold(here: QueueWorld, tokens: readonly string[]): Promise<void> {
  const holes: string[] = [];
  for (const [where, text] of await everythingSaid(here)) {
    const low = text.toLowerCase();
    for (const token of tokens) {
      const forms = [token, escaped(token), escaped(escaped(token)), encodeURIComponent(token)];
      if (forms.some((form) => low.includes(form.toLowerCase()))) holes.push(`${token} in ${where}`);
    }
  }
  expect(holes).toEqual([]);
}

test('no way in which GitLab fails or speaks brings its token into what the daemon says or keeps', async () => {
  const sections: QueueSection[] = [];
  const env: Record<string, string> = { HOSTLER_LOG_LEVEL: 'debug' };
  for (const [name, way] of Object.entries(ways)) {
    const gitlab = await usualGitlab(way.token);
    gitlabs.push(gitlab);
    telling(gitlab, way.token);
    gitlab.isAdmin = true;
    gitlab.fault = faultOf(way);
    sections.push({ name, gitlab, queue: way.queue ?? '' });
    env[variableOf(name)] = way.token;
  }
  world = await startQueueWorld(sections, { env });
  const here = world;
  for (const [name, { shown }] of Object.entries(ways))
    await here.until(
      `${name} to be seen to fail`,
      async () => shown.test(JSON.stringify(await here.queue(name))),
      60_000,
    );
  const tokens = Object.values(ways).map(({ token }) => token);
  await expectUntold(here, tokens);

  for (const gitlab of gitlabs) gitlab.fault = null;
  const answers = (name: string) =>
    gitlabs[Object.keys(ways).indexOf(name)]?.asked.some(({ path }) => /jobs\?|graphql/.test(path)) === true;
  await here.until(
    'jobs that are named by tokens to be seen',
    async () => {
      const queues = await here.client.queue(5_000);
      const seen = queues.filter(({ pool, jobs }) => answers(pool) && jobs.length === 2);
      return seen.length >= 4;
    },
    80_000,
  );
  await expectUntold(here, tokens);
  // What was sent is what was meant: each GitLab heard its own token and no other.
  for (const { asked, token } of gitlabs)
    for (const { headers } of asked) expect(headers['private-token']).toBe(token);
}, 240_000);
