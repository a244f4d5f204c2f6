// One pool's `[pools.queue]` and what the runner's own section says of GitLab (url, id, tls-ca-file) → QueueSettings.
// Trap: the token is never recorded nor quoted; `ssm:` is not read here, because `check` needs no cloud.
import { dirname, join } from 'node:path';
import { type CloudSite, type ConfigValue, Secret } from '../../domain/config.ts';
import { LEAST_HOOK_SECRET, LEAST_TOKEN, type QueueSecret, type QueueSettings } from '../../domain/queue.ts';
import { SECOND_MS } from '../../domain/units.ts';
import { absolute, expandLikeRunner } from './expand.ts';
import type { Spot } from './findings.ts';
import { environmentLayer, type Layer, type Picked, pick, record } from './layer.ts';
import { poolVariable } from './own-keys.ts';
import { type QueueKey, queueDefaults, queueKeys, TOKEN_VARIABLE } from './queue-keys.ts';
import { type Reading, readSmall } from './reading.ts';
import type { RunnerSection } from './runner-file.ts';
import { readSecret } from './secret.ts';

export type QueueScope = {
  reading: Reading;
  pool: string;
  /** The runner's file, for the certificates beside it. */
  runnerFile: string;
  section: RunnerSection;
  /** Tables of ours, nearest first. */
  layers: readonly Layer[];
  /** Where `ssm:` is read. */
  site: CloudSite;
};

/** Bytes of a file of authorities; the usual bundle of all public ones has 0.2 MB. */
const MAX_CA_BYTES = 1024 * 1024;

type Values = {
  [K in QueueKey]: Picked<NonNullable<ReturnType<(typeof queueKeys)[K]['schema']['parse']>>> | null;
};

function note(
  scope: QueueScope,
  key: QueueKey,
  value: ConfigValue['value'],
  picked: Picked<unknown> | null,
): void {
  record(scope.reading, `pools.${scope.pool}.queue.${key}`, value, picked?.entry ?? null);
}

/** `HOSTLER_GITLAB_TOKEN` is the token of every pool of one GitLab that has no variable of its own. */
function tokenForAll({ reading }: QueueScope): Layer {
  const said = reading.env[TOKEN_VARIABLE];
  if (said === undefined || said === '') return new Map();
  const spot = { where: `environment ${TOKEN_VARIABLE}`, key: TOKEN_VARIABLE };
  return new Map([['token', { raw: said, spot, origin: 'environment' as const }]]);
}

/** A token for all pools goes to one GitLab: another server must not get to see it. There the file's own token counts. */
function tokenFor(
  scope: QueueScope,
  picked: Picked<string> | null,
  url: string | null,
): Picked<string> | null {
  const { reading, pool, layers } = scope;
  if (picked === null || url === null || picked.entry.spot.key !== TOKEN_VARIABLE) return picked;
  const { origin } = new URL(url);
  reading.tokenOrigin ??= origin;
  if (reading.tokenOrigin === origin) return picked;
  const own = pick(reading, layers, 'token', queueKeys.token);
  if (own === null) {
    const said = `${TOKEN_VARIABLE} is for ${reading.tokenOrigin} and is not sent to ${origin}: set token in the pool's queue table, or ${poolVariable(pool, 'queue_token')}`;
    reading.findings.warn('queue-token', said, picked.entry.spot, pool);
  }
  return own;
}

/** A parameter that is read when it is used; null after an error. */
function inSsm({ reading, site, pool }: QueueScope, value: string, spot: Spot): QueueSecret | null {
  const name = value.slice('ssm:'.length);
  if (/^[A-Za-z0-9_.\-/]{1,1000}$/.test(name)) return { kind: 'ssm', name, site };
  const said = '"ssm:" is followed by the name of an SSM parameter, such as "ssm:/hostler/gitlab-token"';
  reading.findings.error('value', said, spot, pool);
  return null;
}

/** What is named by file: or ssm: is no secret; a short text would tear holes into other messages. */
function hide({ reading }: QueueScope, value: string): void {
  if (!/^(file|ssm):/.test(value) && value.length >= LEAST_TOKEN) reading.findings.hide([value]);
}

async function readToken(scope: QueueScope, picked: Picked<string> | null): Promise<QueueSecret | null> {
  if (picked === null) return null;
  const { value, entry } = picked;
  hide(scope, value);
  if (value.startsWith('ssm:')) return inSsm(scope, value, entry.spot);
  const secret = await readSecret(scope.reading, value, entry.spot, scope.pool);
  if (secret === null) return null;
  const isText = /^[\x21-\x7e]+$/.test(secret);
  if (isText && secret.length >= LEAST_TOKEN) return { kind: 'value', value: new Secret(secret) };
  const said = isText
    ? `the token has fewer than ${LEAST_TOKEN} characters, and GitLab's have 20 and more`
    : 'the token holds blanks or characters that no token of GitLab has';
  scope.reading.findings.error('value', said, entry.spot, scope.pool);
  return null;
}

/** The runner's own address, unless the table names another. */
function readUrl(scope: QueueScope, picked: Picked<string> | null): string | null {
  const { reading, section } = scope;
  const written = picked?.value ?? expandLikeRunner(section.value.url ?? '', reading.env).value;
  const url = URL.canParse(written) ? new URL(written) : null;
  const spot: Spot = picked?.entry.spot ?? section.spot('url');
  if (url === null || !/^https?:$/.test(url.protocol)) {
    if (picked)
      reading.findings.error(
        'value',
        'must be an address such as "https://gitlab.example.com"',
        spot,
        scope.pool,
      );
    return null;
  }
  if (url.username !== '' || url.password !== '') {
    reading.findings.warn('queue-url', 'the name and password in the address are not used', spot, scope.pool);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** What the runner trusts: tls-ca-file, else certs/HOST.crt beside its file. */
async function readAuthorities(scope: QueueScope, url: string | null): Promise<string | null> {
  const { reading, section, runnerFile } = scope;
  if (url === null || !url.startsWith('https:')) return null;
  const named = section.value['tls-ca-file'];
  const folder = dirname(runnerFile);
  if (typeof named === 'string' && named !== '') {
    const read = await readSmall(reading, absolute(named, folder), MAX_CA_BYTES);
    if ('bytes' in read) return read.bytes.toString('utf8');
    reading.findings.warn(
      'queue-ca',
      `tls-ca-file: ${read.problem}`,
      section.spot('tls-ca-file'),
      scope.pool,
    );
    return null;
  }
  const beside = await readSmall(
    reading,
    join(folder, 'certs', `${new URL(url).hostname}.crt`),
    MAX_CA_BYTES,
  );
  return 'bytes' in beside ? beside.bytes.toString('utf8') : null;
}

function warnAboutPlainHttp(scope: QueueScope, settings: QueueSettings, spot: Spot): void {
  if (settings.token === null || settings.url === null || settings.url.startsWith('https:')) return;
  const { hostname } = new URL(settings.url);
  if (['localhost', '127.0.0.1', '[::1]'].includes(hostname)) return;
  const said = 'the token goes to GitLab over plain http: it can be read on its way';
  scope.reading.findings.warn('queue-plain', said, spot, scope.pool);
}

function warnAboutIdle(scope: QueueScope, values: Values, settings: QueueSettings): void {
  if (settings.token !== null || settings.source === 'none' || settings.source === 'metrics') return;
  const needs = (['projects', 'group', 'tags', 'url'] as const).find((key) => values[key] !== null);
  const isAsked = settings.source !== 'auto';
  if (!isAsked && needs === undefined) return;
  const spot = (isAsked ? values.source : values[needs ?? 'tags'])?.entry.spot;
  const said = `without a token (token, or ${TOKEN_VARIABLE}) GitLab cannot be asked for the job queue`;
  scope.reading.findings.warn('queue-token', said, spot, scope.pool);
}

function pickAll(scope: QueueScope): Values {
  const { reading, pool } = scope;
  const environment = environmentLayer(reading.env, queueKeys, (key) => poolVariable(pool, `queue_${key}`));
  const layers = [environment, tokenForAll(scope), ...scope.layers];
  const picked = Object.entries(queueKeys).map(([key, kind]) => [
    key,
    pick<unknown>(reading, layers, key, kind),
  ]);
  return Object.fromEntries(picked) as Values;
}

function runnerIdOf({ section }: QueueScope): number | null {
  const { id } = section.value;
  return typeof id === 'number' && Number.isSafeInteger(id) && id > 0 ? id : null;
}

async function readWebhook(scope: QueueScope, values: Values): Promise<QueueSettings['webhook']> {
  const { webhook_listen: listen, webhook_secret: picked } = values;
  const { findings } = scope.reading;
  if (listen === null) return null;
  if (picked === null) {
    const said = 'needs webhook_secret: the secret or signing token that GitLab shows for the webhook';
    findings.error('value', said, listen.entry.spot, scope.pool);
    return null;
  }
  const { value, entry } = picked;
  hide(scope, value);
  if (value.startsWith('ssm:')) {
    const secret = inSsm(scope, value, entry.spot);
    return secret && { listen: listen.value, secret };
  }
  const secret = await readSecret(scope.reading, value, entry.spot, scope.pool);
  if (secret === null) return null;
  if (secret.length >= LEAST_HOOK_SECRET)
    return { listen: listen.value, secret: { kind: 'value', value: new Secret(secret) } };
  findings.error('value', `must have at least ${LEAST_HOOK_SECRET} characters`, entry.spot, scope.pool);
  return null;
}

function noteAll(scope: QueueScope, values: Values, settings: QueueSettings): void {
  const shownAs = (secret: QueueSecret | undefined | null) =>
    secret ? { value: 'hidden', ssm: 'in SSM' }[secret.kind] : null;
  const shown: Record<QueueKey, ConfigValue['value']> = {
    source: settings.source,
    token: shownAs(settings.token),
    url: settings.url,
    runner_id: settings.runnerId,
    projects: settings.projects.map(String),
    group: settings.group,
    poll_interval: settings.pollIntervalMs / SECOND_MS,
    share: settings.share,
    min_age: settings.minAgeMs / SECOND_MS,
    assume_protected: settings.assumeProtected,
    tags: settings.tags,
    run_untagged: settings.runUntagged,
    protected_only: settings.protectedOnly,
    lookahead: settings.lookahead,
    forecast: settings.forecast,
    forecast_share: settings.forecastShare,
    webhook_listen: settings.webhook?.listen ?? null,
    webhook_secret: shownAs(settings.webhook?.secret),
  };
  for (const key of Object.keys(queueKeys) as QueueKey[]) note(scope, key, shown[key], values[key]);
}

function valueOr<T, D>(picked: Picked<T> | null, fallback: D): T | D {
  return picked === null ? fallback : picked.value;
}

/** Everything about a pool's queue. */
export async function readQueueSettings(scope: QueueScope): Promise<QueueSettings> {
  const values = pickAll(scope);
  const url = readUrl(scope, values.url);
  const source = valueOr(values.source, queueDefaults.source);
  const token = await readToken(scope, tokenFor(scope, values.token, url));
  const isAsked = token !== null && source !== 'none' && source !== 'metrics';
  const settings: QueueSettings = {
    source,
    url,
    token,
    ca: isAsked ? await readAuthorities(scope, url) : null,
    runnerId: valueOr(values.runner_id, runnerIdOf(scope)),
    projects: valueOr(values.projects, []),
    group: valueOr(values.group, null),
    pollIntervalMs: valueOr(values.poll_interval, queueDefaults.poll_interval),
    share: valueOr(values.share, queueDefaults.share),
    minAgeMs: valueOr(values.min_age, queueDefaults.min_age),
    assumeProtected: valueOr(values.assume_protected, queueDefaults.assume_protected),
    tags: valueOr(values.tags, null),
    runUntagged: valueOr(values.run_untagged, null),
    protectedOnly: valueOr(values.protected_only, null),
    lookahead: valueOr(values.lookahead, queueDefaults.lookahead),
    forecast: valueOr(values.forecast, queueDefaults.forecast),
    forecastShare: valueOr(values.forecast_share, queueDefaults.forecast_share),
    webhook: await readWebhook(scope, values),
  };
  noteAll(scope, values, settings);
  warnAboutPlainHttp(scope, settings, values.url?.entry.spot ?? scope.section.spot('url'));
  warnAboutIdle(scope, values, settings);
  return settings;
}
