// One request to the daemon over its unix socket, written by hand in HTTP/1.0, so that the answer is plain bytes until
// the end and no HTTP module has to load. For the door only; everything else uses contract/client.ts.
// Trap: the connection stays open after `onLine` has heard enough, until `close` is called or the process ends.
'use strict';
const net = require('node:net');

/** contract/api.ts: API_VERSION. */
const API_VERSION = 1;
/** Bytes; a granted machine's files are some 8 KB, a list of 10,000 machines some 5 MB: more is not the daemon. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** ms without a byte; the daemon gives a sign of life every 15 s, so three missed ones mean a dead connection. */
const SILENCE_MS = 45_000;

/**
 * @typedef {object} Call
 * @property {string} socketPath
 * @property {'GET' | 'POST' | 'DELETE'} [method] POST unless told otherwise
 * @property {string} path
 * @property {object} [body] sent as JSON
 * @property {number} [silenceMs]
 * @property {(line: string) => boolean} [onLine] takes each line of a 200 answer and says whether it heard enough
 */
/**
 * `status` 0: there was no answer. `away`: why the connection ended before its time, or null.
 * @typedef {{ status: number, rest: string, away: string | null, close: () => void }} Exchange
 */

/**
 * Never rejects.
 * @param {Call} call
 * @returns {Promise<Exchange>}
 */
function exchange({ socketPath, method = 'POST', path, body, silenceMs = SILENCE_MS, onLine }) {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    const text = body ? JSON.stringify(body) : '';
    let status = 0;
    let rest = '';
    let length = 0;
    /** @param {string | null} why */
    const end = (why) => {
      const away = status === 0 ? (why ?? 'it closed the connection') : why;
      resolve({ status, rest, away, close: () => socket.destroy() });
    };
    const type = body ? 'content-type: application/json\r\n' : '';
    socket.write(
      `${method} ${path} HTTP/1.0\r\nhost: hostler\r\nhostler-api: ${API_VERSION}\r\n${type}` +
        `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
    );
    socket.setEncoding('utf8');
    socket.setTimeout(silenceMs, () => socket.destroy(new Error('it is silent')));
    socket.on('data', (/** @type {string} */ piece) => {
      length += piece.length;
      rest += piece;
      if (length > MAX_ANSWER_BYTES) socket.destroy(new Error('its answer is too long'));
      const head = status === 0 ? rest.indexOf('\r\n\r\n') : -1;
      if (head >= 0) {
        status = Number(/^HTTP\/1\.\d (\d{3})/.exec(rest)?.[1] ?? 500);
        rest = rest.slice(head + 4);
      }
      if (!onLine || status !== 200) return;
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      if (!lines.some((line) => line.trim() !== '' && onLine(line))) return;
      // From here on the connection only stands for the life of this process.
      socket.setTimeout(0);
      end(null);
    });
    socket.on('error', (error) => end(error.message));
    socket.on('close', () => end(null));
  });
}

module.exports = { exchange };
