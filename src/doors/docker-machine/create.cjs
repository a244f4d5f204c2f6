// `docker-machine create`: asks the daemon for a lease, waits, writes the machine's folder, commits, renames, exits 0.
// It decides nothing about pools or machines, and it must not load more than this: 200 of them may start at once.
// Trap: the connection that asked stays open until this process ends; its close is how the daemon learns of a death.
// Trap: Node resets ignored signals at its start, so what the shell part ignores is ignored here again.
'use strict';
const byRunner = process.env['HOSTLER_CALLER'] === 'runner';
for (const signal of /** @type {const} */ (['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP']))
  process.on(signal, () => (byRunner ? undefined : giveUp(`create ended by ${signal}`)));

const fs = require('node:fs');
const { inWords, openStore, stands, writeFolder } = require('./create-folder.cjs');
const { createFlags, findDriver, parseCreate } = require('./create-flags.cjs');
const { exchange } = require('./exchange.cjs');

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

/** ms. The runner closes its end of stderr the moment this process ends: what is not read by then is lost. */
const LAST_WORDS_MS = 50;

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
  try {
    if (unfinished !== '') fs.rmSync(unfinished, { recursive: true, force: true });
  } catch {
    // A store that lets nothing be removed either; the daemon tries again.
  }
  if (message !== '') process.stderr.write(`${message}\n`);
  if (byRunner) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WORDS_MS);
  process.exit(code);
}

/**
 * Does one step in the store or gives up.
 * @template T
 * @param {() => T} step
 * @returns {T}
 */
function inStore(step) {
  try {
    return step();
  } catch (error) {
    return giveUp(`Error creating machine: ${inWords(error, machines)}`);
  }
}

function watchSurroundings() {
  const parent = Number(env['HOSTLER_CALLER_PID']) || process.ppid;
  let isHeard = true;
  const look = () => {
    // A caller that died before the shell part had started looks like process 1, but nobody listens any more.
    if (process.ppid !== parent || (process.ppid === 1 && !isHeard))
      giveUp('create gives up: the process that asked for the machine has ended');
  };
  look();
  setInterval(look, PARENT_LOOK_MS).unref();
  // A reader that went away must not end a create: the runner's log is no reason to lose a machine.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', () => {
      isHeard = false;
    });
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
 * An `rm` of the name came first, or the daemon took the machine back.
 * @param {string} name
 * @returns {never}
 */
const giveUpRemoved = (name) =>
  giveUp(`Error creating machine: ${name} was removed while it was created (lease-gone)`);

/**
 * Tells the daemon that the folder is written. null: the lease is ours. Else why to ask for it again: the daemon that
 * comes back knows how the host is by then, and it has to hear of this process's end.
 * @param {string} name
 * @returns {Promise<string | null>}
 */
async function commit(name) {
  const { status, rest, away } = await exchange({ socketPath, path: `/v1/leases/${name}/commit` });
  if (status === 200) return null;
  if (status === 409) giveUp(`Error creating machine: ${name} was removed while it was created (lease-gone)`);
  if (status === 404) return 'it has forgotten the lease';
  return (status === 0 ? away : failedOrAway(name, parsed(rest)?.error)) ?? 'it gave no answer';
}

/**
 * The last step. Whoever ends the lease removes the half-made folder, so that this fails.
 * @param {string} name
 */
async function takeFolder(name) {
  try {
    fs.renameSync(unfinished, `${machines}/${name}`);
    unfinished = '';
  } catch (error) {
    if (!fs.existsSync(unfinished)) giveUpRemoved(name);
    // Under a folder that is not hostler's the lease would stand for good.
    if (!fs.existsSync(`${machines}/${name}/hostler`))
      (await exchange({ socketPath, method: 'DELETE', path: `/v1/leases/${name}` })).close();
    giveUp(`Error creating machine: ${inWords(error, machines)}`);
  }
}

/** @param {Order} order */
async function lease(order) {
  const { name } = order;
  const patience = createPatience();
  for (;;) {
    // An rm while no daemon is there can only take away what was written.
    if (unfinished !== '' && !fs.existsSync(unfinished)) giveUpRemoved(name);
    const answer = await ask(order, patience.heard);
    if ('away' in answer) {
      await patience.wait(answer.away);
      continue;
    }
    unfinished = `${machines}/.${name}.tmp`;
    inStore(() => writeFolder(machines, unfinished, answer.grant.files));
    const why = await commit(name);
    if (why !== null) {
      answer.close();
      await patience.wait(why);
      continue;
    }
    await takeFolder(name);
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
  if (stands(machines, name)) giveUp(`Docker machine ${JSON.stringify(name)} already exists`);
  inStore(() => openStore(machines));
  if (driver === 'none') {
    const { createPlain } = await import('./create-plain.ts');
    process.exit(createPlain({ store, name, url: given.url, options: given.options }));
  }
  watchSurroundings();
  await lease({ name, driver, options: given.options });
}

main().catch((error) => giveUp(`Error creating machine: ${inWords(error, store)}`));
