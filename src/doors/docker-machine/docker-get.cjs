// One GET to a machine's Docker API over verified TLS, with the certificates in the machine's folder.
// For the door's few looks at a host; the daemon has adapters/docker. It must not keep connections.
// Trap: cjs on node:tls alone, because a stale `config` waits for it under the runner's global lock.
'use strict';
const fs = require('node:fs');
const tls = require('node:tls');

/** Bytes; `/version` answers with some 2 KB. */
const MAX_ANSWER_BYTES = 256 * 1024;

/**
 * Never rejects. `why` says in words what was wrong; null: a 200 answer whose body is `text`.
 * @param {{ url: string, folder: string, path: string, limitMs: number }} call url: `tcp://HOST:PORT`
 * @returns {Promise<{ text: string, why: string | null }>}
 */
function dockerGet({ url, folder, path, limitMs }) {
  return new Promise((resolve) => {
    let text = '';
    /** @type {tls.TLSSocket | undefined} */
    let socket;
    const timer = setTimeout(() => done(`no answer within ${limitMs} ms`), limitMs);
    /** @param {string | null} why */
    const done = (why) => {
      clearTimeout(timer);
      socket?.destroy();
      resolve({ text, why });
    };
    try {
      const { hostname, port } = new URL(url.replace(/^tcp:/, 'http:'));
      const host = hostname.replace(/^\[|\]$/g, '');
      if (host === '' || port === '') throw new Error(`${JSON.stringify(url)} names no address and port`);
      socket = tls.connect({
        host,
        port: Number(port),
        ca: fs.readFileSync(`${folder}/ca.pem`),
        cert: fs.readFileSync(`${folder}/cert.pem`),
        key: fs.readFileSync(`${folder}/key.pem`),
      });
    } catch (error) {
      done(error instanceof Error ? error.message : String(error));
      return;
    }
    let raw = '';
    socket.setEncoding('utf8');
    socket.on('secureConnect', () => socket?.write(`GET ${path} HTTP/1.0\r\nhost: docker\r\n\r\n`));
    socket.on('data', (/** @type {string} */ piece) => {
      raw += piece;
      if (raw.length > MAX_ANSWER_BYTES) done('its answer is too long');
    });
    socket.on('error', (error) => done(error.message || 'the connection failed'));
    socket.on('close', () => {
      const head = raw.indexOf('\r\n\r\n');
      const status = /^HTTP\/1\.\d (\d{3})/.exec(raw)?.[1];
      text = head < 0 ? '' : raw.slice(head + 4);
      done(
        status === '200' ? null : status === undefined ? 'it closed the connection' : `it answered ${status}`,
      );
    });
  });
}

module.exports = { dockerGet };
