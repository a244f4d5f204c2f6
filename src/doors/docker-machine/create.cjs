// `docker-machine create`: asks the daemon for a lease, waits, writes the machine's folder, commits, renames, exits 0.
// It decides nothing about pools or machines, and it must not load more than this: 200 of them may start at once.
// Trap: the connection that asked stays open until this process ends; its close is how the daemon learns of a death.
// Trap: Node resets ignored signals at its start, so what the shell part ignores is ignored here again.
'use strict';
const fs = require('node:fs');
const { createFlags, findDriver, parseCreate } = require('./create-flags.cjs');
const { exchange } = require('./exchange.cjs');
const { makeFolder, makeMailbox } = require('./store-rights.cjs');

/** ms between looks at the parent: the door leaves within 2 s of its end (design §4). */
const PARENT_LOOK_MS = 500;
/** ms; seconds of HOSTLER_CREATE_WAIT override it. How long an absent daemon is waited for (design §4). */
const CREATE_WAIT_MS = 600_000;
/** ms; the runner kills a create after one hour: a reason in words must come before that. */
const LONGEST_WAIT_MS = 55 * 60_000;

const env = process.env;
const socketPath = env['HOSTLER_SOCKET'] || '/run/hostler/hostler.sock';
const store = env['MACHINE_STORAGE_PATH'] ?? '';
const machines = `${store}/machines`;
const begun = performance.now();
const waitSeconds = Number(env['HOSTLER_CREATE_WAIT']);
const createWaitMs = waitSeconds > 0 ? waitSeconds * 1000 : CREATE_WAIT_MS;

/** Half-made folder of this process, to be removed when it fails. */
let unfinished = '';

/** @typedef {{ name: string, driver: string, options: string[] }} Order */
/** @typedef {{ pool: string, machine: string, url: string, files: Record<string, string> }} Grant */

/** @param {string} text */
const say = (text) => process.stdout.write(`${text}\n`);

/**
 * @param {string} message
 * @param {number} [code]
 * @returns {never}
 */
function giveUp(message, code = 1) {
  if (unfinished !== '') fs.rmSync(unfinished, { recursive: true, force: true });
  if (message !== '') process.stderr.write(`${message}\n`);
  process.exit(code);
}

function watchSurroundings() {
  const parent = Number(env['HOSTLER_CALLER_PID']) || process.ppid;
  const look = () => {
    if (process.ppid !== parent) giveUp('create gives up: the process that asked for the machine has ended');
  };
  look();
  setInterval(look, PARENT_LOOK_MS).unref();
  const byRunner = env['HOSTLER_CALLER'] === 'runner';
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => (byRunner ? undefined : giveUp(`create ended by ${signal}`)));
  // A reader that went away must not end a create: the runner's log is no reason to lose a machine.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
}

/**
 * @param {string} text
 * @returns {any} the parsed value, or null
 */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Codes that mean: the same request again in a moment, at the next daemon. */
const passing = new Set(['daemon-away', 'daemon-stopping', 'state-unwritable']);

/**
 * @param {string} name
 * @param {{ code?: string, message?: string } | null | undefined} error
 * @returns {string | null} a daemon that will be back, in words
 */
function failedOrAway(name, error) {
  const code = error?.code ?? 'internal';
  if (passing.has(code)) return error?.message ?? code;
  if (code === 'lease-exists') giveUp(`Docker machine ${JSON.stringify(name)} already exists`);
  return giveUp(`Error creating machine: ${error?.message ?? 'the daemon gave no reason'} (${code})`);
}

/**
 * Asks once and listens until a machine is granted. Ends the process when the daemon refuses.
 * @param {Order} order
 * @param {() => void} heard
 * @returns {Promise<{ grant: Grant, close: () => void } | { away: string }>}
 */
async function ask(order, heard) {
  /** @type {Grant | null} */
  let grant = null;
  /** @type {{ code: string, message: string } | null} */
  let failure = null;
  let last = '';
  const { status, rest, away, close } = await exchange({
    socketPath,
    path: '/v1/leases',
    body: { ...order, store, pid: process.pid, runnerPid: process.ppid },
    onLine: (line) => {
      heard();
      const event = parsed(line);
      if (event?.event === 'granted') grant = event;
      if (event?.event === 'failed') failure = event;
      if (event?.event === 'waiting') {
        const text = `${order.name} waits in pool ${event.pool} at place ${event.place}: ${event.reason}`;
        if (text !== last) say(text);
        last = text;
      }
      return grant !== null || failure !== null;
    },
  });
  if (grant) return { grant, close };
  close();
  if (failure) return { away: failedOrAway(order.name, failure) ?? '' };
  if (status !== 0 && status !== 200) return { away: failedOrAway(order.name, parsed(rest)?.error) ?? '' };
  return { away: away ?? 'it closed the connection' };
}

/**
 * Writes the folder under its dot-name, which the runner skips.
 * @param {string} name
 * @param {Grant} grant
 */
function writeFolder(name, grant) {
  const folder = `${machines}/.${name}.tmp`;
  fs.rmSync(folder, { recursive: true, force: true });
  const mode = makeFolder(machines, folder);
  unfinished = folder;
  for (const [file, text] of Object.entries(grant.files)) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(file))
      giveUp(`Error creating machine: the daemon named a file ${JSON.stringify(file)}`);
    fs.writeFileSync(`${folder}/${file}`, text, { mode, flag: 'wx' });
  }
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Counts the time without a daemon, from the last word it said; ends the process when that was too long.
 * @returns {{ heard: () => void, wait: (why: string) => Promise<unknown> }}
 */
function createPatience() {
  let since = performance.now();
  let told = '';
  let delay = 50;
  return {
    heard: () => {
      since = performance.now();
      told = '';
      delay = 50;
    },
    wait: (why) => {
      const now = performance.now();
      if (now - since > createWaitMs || now - begun > LONGEST_WAIT_MS)
        giveUp(
          `Error creating machine: no hostler daemon at ${socketPath} for ${Math.round((now - since) / 1000)} s (${why}); ` +
            'is it running? see `hostler status`',
        );
      if (told !== why) say(`waiting for the hostler daemon at ${socketPath}: ${why}`);
      told = why;
      delay = Math.min(delay * 2, 1000);
      return pause(delay);
    },
  };
}

/**
 * Tells the daemon that the folder is written. True: the lease is ours. False: the daemon forgot it, ask again.
 * @param {string} name
 * @param {ReturnType<typeof createPatience>} patience
 */
async function commit(name, patience) {
  for (;;) {
    const { status, rest, away } = await exchange({ socketPath, path: `/v1/leases/${name}/commit` });
    if (status === 200) return true;
    if (status === 404) return false;
    if (status === 409)
      giveUp(`Error creating machine: ${name} was removed while it was created (lease-gone)`);
    const why = status === 0 ? away : failedOrAway(name, parsed(rest)?.error);
    await patience.wait(why ?? 'it gave no answer');
  }
}

/** @param {Order} order */
async function lease(order) {
  const { name } = order;
  const patience = createPatience();
  for (;;) {
    const answer = await ask(order, patience.heard);
    if ('away' in answer) {
      await patience.wait(answer.away);
      continue;
    }
    writeFolder(name, answer.grant);
    if (!(await commit(name, patience))) {
      answer.close();
      continue;
    }
    fs.renameSync(unfinished, `${machines}/${name}`);
    unfinished = '';
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    say(
      `${name} is machine ${answer.grant.machine} of pool ${answer.grant.pool} at ${answer.grant.url} after ${seconds} s`,
    );
    process.exit(0);
  }
}

/**
 * Folder names come from the command line: nothing that builds a path may pass. Same pattern as contract/store-layout.ts.
 * @param {readonly string[]} given
 */
function soleName(given) {
  const [name, ...more] = given;
  if (name === undefined || name === '') return giveUp('Error: No machine name specified');
  if (more.length > 0) giveUp(`Invalid command line. Found extra arguments [${more.join(' ')}]`);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,239}$/.test(name))
    giveUp('Error creating machine: Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . - _');
  return name;
}

/**
 * True when NAME's folder stands; one that the daemon has noted as gone is removed and does not count.
 * @param {string} name
 */
function stands(name) {
  const folder = `${machines}/${name}`;
  if (!fs.existsSync(folder)) return false;
  try {
    if (!fs.readFileSync(`${folder}/hostler-health`, 'utf8').startsWith('gone')) return true;
  } catch {
    return true;
  }
  fs.rmSync(folder, { recursive: true, force: true });
  return false;
}

async function main() {
  // sh starts this file as `create.cjs create …`: the verb is the first word.
  const words = process.argv.slice(3);
  const driver = findDriver(words, env['MACHINE_DRIVER']);
  const help = words.some((word) => /^--?(?:h|help)$/.test(word));
  const kinds = createFlags(driver);
  if (help || !kinds) {
    const { explainCreate } = await import('./explain-create.ts');
    process.exit(explainCreate(help, driver));
  }
  let given;
  try {
    given = parseCreate(words, kinds);
  } catch (error) {
    say("Incorrect Usage. Run 'docker-machine create --driver " + driver + " --help' for its flags.");
    return giveUp(/** @type {Error} */ (error).message);
  }
  const name = soleName(given.names);
  if (stands(name)) giveUp(`Docker machine ${JSON.stringify(name)} already exists`);
  makeMailbox(machines);
  if (driver === 'none') {
    const { createPlain } = await import('./create-plain.ts');
    process.exit(createPlain({ store, name, url: given.url, options: given.options }));
  }
  watchSurroundings();
  await lease({ name, driver, options: given.options });
}

main().catch((error) =>
  giveUp(`Error creating machine: ${error instanceof Error ? error.message : String(error)}`),
);
