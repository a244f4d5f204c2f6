// The flags of `docker-machine create` and their parser: docker-machine's own, GitLab's fork and CKI's, with Go's rules
// (one dash or two, `=value` or the next word, flags and the name in any order).
// It knows nothing of what they mean: policy comes from the runner's config.toml, options only help to find the pool.
// Trap: cjs and without requires, because every job of the runner waits for this file to load.
'use strict';

/** @typedef {'text' | 'list' | 'whole' | 'switch'} FlagKind */
/** @typedef {{ driver: string | null, names: string[], options: string[], url: string | null }} CreateArguments */

/** @param {string} words */
const names = (words) => words.trim().split(/\s+/);

/** Flags of every driver. @type {Record<FlagKind, string[]>} */
const shared = {
  text: names(`driver engine-install-url engine-storage-driver swarm-image swarm-discovery swarm-strategy
    swarm-host swarm-addr`),
  list: names(`engine-opt engine-insecure-registry engine-registry-mirror engine-label engine-env swarm-opt
    swarm-join-opt tls-san`),
  whole: [],
  switch: names('swarm swarm-master swarm-experimental'),
};

/** Flags of one driver; CKI's fork repeats instance-type and subnet-id. @type {Record<string, Record<FlagKind, string[]>>} */
const ofDriver = {
  amazonec2: {
    text: names(`access-key secret-key session-token ami region vpc-id zone tags device-name volume-type
      volume-kms-key iam-instance-profile ssh-user spot-price ssh-keypath keypair-name endpoint userdata
      metadata-token launch-template`).map((name) => `amazonec2-${name}`),
    list: names('security-group open-port instance-type subnet-id').map((name) => `amazonec2-${name}`),
    whole: names('root-size ssh-port block-duration-minutes retries metadata-token-response-hop-limit').map(
      (name) => `amazonec2-${name}`,
    ),
    switch: names(`security-group-readonly volume-encrypted request-spot-instance private-address-only
      use-private-address monitoring use-ebs-optimized-instance insecure-transport use-fleet`).map(
      (name) => `amazonec2-${name}`,
    ),
  },
  none: { text: ['url'], list: [], whole: [], switch: [] },
};

/**
 * Kind of every flag that `create` takes for one driver; null for a driver that hostler does not serve.
 * @param {string} driver
 * @returns {Map<string, FlagKind> | null}
 */
function createFlags(driver) {
  const own = ofDriver[driver];
  if (!own) return null;
  /** @type {Map<string, FlagKind>} */
  const kinds = new Map([['d', 'text']]);
  for (const group of [shared, own])
    for (const kind of /** @type {FlagKind[]} */ (Object.keys(group)))
      for (const name of group[kind]) kinds.set(name, kind);
  return kinds;
}

/**
 * The driver has to be known before the flags can be: the first `--driver` or `-d`, else MACHINE_DRIVER, else docker-machine's default.
 * @param {readonly string[]} words
 * @param {string | undefined} fromEnvironment
 */
function findDriver(words, fromEnvironment) {
  for (const [index, word] of words.entries()) {
    const match = /^--?(?:driver|d)(?:=(.*))?$/.exec(word);
    if (match) return match[1] ?? words[index + 1] ?? '';
  }
  return fromEnvironment || 'virtualbox';
}

/**
 * Reads what follows the verb. Throws an Error whose message is what docker-machine would say, without a prefix.
 * @param {readonly string[]} words
 * @param {Map<string, FlagKind>} kinds
 * @returns {CreateArguments}
 */
function parseCreate(words, kinds) {
  /** @type {CreateArguments} */
  const found = { driver: null, names: [], options: [], url: null };
  let open = true;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (!open || !/^-./.test(word)) {
      found.names.push(word);
      continue;
    }
    if (word === '--') {
      open = false;
      continue;
    }
    const bare = word.replace(/^--?/, '');
    const equals = bare.indexOf('=');
    const name = equals < 0 ? bare : bare.slice(0, equals);
    const kind = kinds.get(name);
    if (!kind) throw new Error(`flag provided but not defined: -${name}`);
    let value = equals < 0 ? null : bare.slice(equals + 1);
    if (value === null && kind !== 'switch') {
      index += 1;
      value = words[index] ?? null;
      if (value === null) throw new Error(`flag needs an argument: -${name}`);
    }
    take(found, name, checked(name, kind, value));
  }
  return found;
}

/**
 * @param {CreateArguments} found
 * @param {string} name
 * @param {string} value
 */
function take(found, name, value) {
  if (name === 'driver' || name === 'd') found.driver = value;
  else if (name === 'url') found.url = value;
  else found.options.push(`${name}=${value}`);
}

/**
 * @param {string} name
 * @param {FlagKind} kind
 * @param {string | null} value
 */
function checked(name, kind, value) {
  if (kind === 'whole' && !/^[+-]?\d+$/.test(value ?? ''))
    throw new Error(`invalid value ${JSON.stringify(value)} for flag -${name}: a whole number is needed`);
  if (kind !== 'switch') return value ?? '';
  const text = value ?? 'true';
  if (!/^(?:1|0|t|f|true|false)$/i.test(text))
    throw new Error(`invalid boolean value ${JSON.stringify(text)} for -${name}: true or false is needed`);
  return text;
}

module.exports = { createFlags, findDriver, parseCreate };
