// `docker-machine config` when the daemon's word on the host is stale: two TLS looks of the door's own, 2 s in all.
// Started by bin/docker-machine as `config.cjs FOLDER URL NAME`. It must not ask the daemon: it may be away.
// Trap: one wrong "no" costs the runner a machine, right after create even a job; hence the second look.
'use strict';
const fs = require('node:fs');
const { dockerGet } = require('./docker-get.cjs');

/** ms a look; two of them stay within the 2 s of design §4. */
const LOOK_MS = 950;

const [, , folder = '', url = '', name = ''] = process.argv;
if (process.env['HOSTLER_CALLER'] === 'runner')
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);

/** @returns {Promise<string | null>} why the host is not reachable */
async function look() {
  const { text, why } = await dockerGet({ url, folder, path: '/_ping', limitMs: LOOK_MS });
  return why ?? (text.trim() === 'OK' ? null : 'it does not speak the Docker API');
}

async function main() {
  const why = (await look()) && (await look());
  try {
    fs.appendFileSync(`${folder}/../.hostler/calls`, `config ${name}\n`);
  } catch {
    // The note only helps the daemon to see sooner; the answer does not depend on it.
  }
  if (why) {
    process.stderr.write(
      `Error checking TLS connection: machine "${name}" does not answer at ${url}: ${why}\n`,
    );
    process.exit(1);
  }
  const file = (/** @type {string} */ which) => JSON.stringify(`${folder}/${which}.pem`);
  process.stdout.write(
    `--tlsverify\n--tlscacert=${file('ca')}\n--tlscert=${file('cert')}\n--tlskey=${file('key')}\n-H=${url}\n`,
  );
}

void main();
