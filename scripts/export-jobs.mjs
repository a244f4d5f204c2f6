#!/usr/bin/env node
// Writes the jobs of a GitLab project as the CSV that `hostler simulate --jobs` reads: when each was queued, how long it ran,
// its tags, and its place in a pipeline.
// The token comes from GITLAB_TOKEN alone and goes into a header, never into an address or a message.
// Trap: names of jobs, stages and the project are written, for they tell usual lengths; refs, users and URLs stay in GitLab.

/** Pages of 100 jobs that are read at most: a million jobs. */
const MAX_PAGES = 10_000;
const PAUSE_AFTER_429_MS = 10_000;
/** Answers of one page are some hundred kB. */
const MAX_PAGE_CHARS = 20_000_000;
const CALL_LIMIT_MS = 60_000;

/** @param {string} message @returns {never} */
function fail(message) {
  process.stderr.write(`export-jobs: ${message}\n`);
  process.exit(64);
}

const usage =
  'usage: GITLAB_TOKEN=… export-jobs.mjs https://gitlab.example.com GROUP/PROJECT [--since YYYY-MM-DD]';
const [server = '', project = '', ...rest] = process.argv.slice(2);
const token = process.env['GITLAB_TOKEN'] ?? '';
if (server === '' || project === '') fail(usage);
if (token === '') fail('GITLAB_TOKEN is not set; a token with the scope read_api');
const since = rest[0] === '--since' ? Date.parse(`${rest[1]}T00:00:00Z`) : Date.now() - 30 * 86_400_000;
if (Number.isNaN(since) || (rest.length > 0 && rest.length !== 2)) fail(usage);
if (!URL.canParse(server)) fail(`${server} is no URL`);

const base = new URL(
  `${new URL(server).href.replace(/\/$/, '')}/api/v4/projects/${encodeURIComponent(project)}/jobs`,
);
base.search = 'per_page=100&pagination=keyset&order_by=id&sort=desc&include_retried=true';

/**
 * The next page's address, only on the same server: a token goes nowhere else.
 * @param {string | null} link
 */
function nextOf(link) {
  const found = /<([^>]+)>;\s*rel="next"/.exec(link ?? '')?.[1];
  if (found === undefined) return null;
  const next = new URL(found);
  return next.origin === base.origin ? next : fail('the next page is on another server');
}

/**
 * @param {URL} address
 * @returns {Promise<{ jobs: any, next: URL | null }>}
 */
async function page(address) {
  for (let tries = 0; tries < 30; tries += 1) {
    const answer = await fetch(address, {
      headers: { 'private-token': token },
      redirect: 'error',
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    });
    if (answer.status === 429 || answer.status >= 500) {
      const seconds = Number(answer.headers.get('retry-after'));
      await new Promise((resolve) =>
        setTimeout(resolve, seconds > 0 ? Math.min(seconds, 300) * 1_000 : PAUSE_AFTER_429_MS),
      );
      continue;
    }
    if (!answer.ok) fail(`${address.origin} answered ${answer.status} for ${project}`);
    const text = await answer.text();
    if (text.length > MAX_PAGE_CHARS) fail('the answer is too large');
    return { jobs: JSON.parse(text), next: nextOf(answer.headers.get('link')) };
  }
  return fail(`${address.origin} does not answer`);
}

/**
 * A field of CSV that needs no quotes.
 * @param {unknown} value
 */
function wordOf(value) {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  return text.replaceAll(/[,"\r\n]+/g, ' ').trim();
}

/** @param {Record<string, any>} job */
function rowOf({ created_at, started_at, queued_duration, duration, tag_list, pipeline, stage, name }) {
  const started = Date.parse(started_at ?? '');
  if (Number.isNaN(started) || typeof duration !== 'number' || duration < 0) return null;
  const queued =
    typeof queued_duration === 'number' ? started - queued_duration * 1_000 : Date.parse(created_at);
  const tags = (Array.isArray(tag_list) ? tag_list : []).map((tag) =>
    String(tag).replaceAll(/[\s,;"]+/g, '-'),
  );
  const place = [pipeline?.id, stage, name, project].map(wordOf);
  return [new Date(queued).toISOString(), duration, tags.join(';'), ...place].join(',');
}

process.stdout.write('queued_at,duration,tags,pipeline,stage,name,project\n');
/** @type {URL | null} */
let address = base;
for (let count = 0; address !== null && count < MAX_PAGES; count += 1) {
  /** @type {{ jobs: any, next: URL | null }} */
  const { jobs, next } = await page(address).catch((error) => fail(error.cause?.message ?? error.message));
  if (!Array.isArray(jobs)) fail('the answer is no list of jobs');
  const rows = jobs.filter(({ created_at }) => Date.parse(created_at) >= since).map(rowOf);
  for (const row of rows) if (row !== null) process.stdout.write(`${row}\n`);
  address = jobs.length > 0 && rows.length < jobs.length ? null : next;
}
