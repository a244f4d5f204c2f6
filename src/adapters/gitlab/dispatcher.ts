// The connections to one GitLab: authorities, proxies, time limits. Everything goes through undici's agents.
// Trap: `ca` replaces Node's list of authorities, so the usual ones are put beside it; the runner adds to the system's
// list in the same way, and a private authority often stands in the system's alone.
import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { gitlabError } from '../../domain/gitlab-failure.ts';

/** Milliseconds to connect, TLS included. */
const CONNECT_MS = 10_000;
/** Milliseconds without an answer or without a byte: GitLab itself gives up on GraphQL after 30 s. */
const SILENCE_MS = 35_000;
/** Milliseconds an unused connection is kept: above the usual pause between two looks. */
const KEPT_MS = 30_000;
/** Connections to one GitLab; no more answers are awaited at a time. */
const CONNECTIONS = 4;
/** Bytes of headers. */
const HEADER_BYTES = 32 * 1024;

let usualAuthorities: readonly string[] | null = null;

/** Node's authorities and the machine's. Read once: the system's list has some hundred entries. */
function authorities(): readonly string[] {
  usualAuthorities ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
  return usualAuthorities;
}

export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

function variable(env: ProxyEnvironment, name: string): string {
  return env[name.toLowerCase()] || env[name] || '';
}

/** Loopback is never asked through a proxy, as in the runner. */
const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/** The proxy for this address, as the runner reads it: HTTPS_PROXY for https alone; without a scheme it is http. */
function proxyFor(url: string, env: ProxyEnvironment): string {
  const name = url.startsWith('https:') ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const said = variable(env, name);
  if (said === '') return '';
  const proxy = said.includes('://') ? said : `http://${said}`;
  // Not quoted: it may hold a password.
  if (!URL.canParse(proxy) || !/^https?:/.test(proxy))
    throw gitlabError('away', `${name} is no address of a proxy`);
  return proxy;
}

/** Agents for one address with the proxies of `env`. `ca`: PEM text beside the usual authorities. */
export function createDispatcher(
  access: { url: string; ca: string | null },
  env: ProxyEnvironment,
): Dispatcher {
  const { url, ca } = access;
  const tls = { ca: [...authorities(), ...(ca === null ? [] : [ca])] };
  const shared = {
    connect: { ...tls, timeout: CONNECT_MS },
    headersTimeout: SILENCE_MS,
    bodyTimeout: SILENCE_MS,
    keepAliveTimeout: KEPT_MS,
    connections: CONNECTIONS,
    maxHeaderSize: HEADER_BYTES,
    pipelining: 1,
  };
  const proxy = proxyFor(url, env);
  if (proxy === '') return new Agent(shared);
  const noProxy = [variable(env, 'NO_PROXY'), ...LOOPBACK].filter((name) => name !== '').join(',');
  const proxies = { httpProxy: proxy, httpsProxy: proxy, noProxy };
  return new EnvHttpProxyAgent({ ...shared, ...proxies, requestTls: tls, proxyTls: tls });
}
