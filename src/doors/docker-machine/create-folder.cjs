// The machine's folder as `create` makes it: under its dot-name, which the runner skips, until the daemon has committed.
// It must not talk to anyone. Everything here throws what the file system says; `inWords` makes it a line for people.
// Trap: cjs, because every job of the runner waits for this file to load.
'use strict';
const fs = require('node:fs');
const { removeFolder } = require('./remove-folder.cjs');
const { makeFolder, makeMailbox } = require('./store-rights.cjs');

/**
 * Makes the store if need be, and sees whether it may be written: better now than with a machine in hand.
 * @param {string} machines
 */
function openStore(machines) {
  makeMailbox(machines);
  fs.accessSync(machines, fs.constants.W_OK | fs.constants.X_OK);
}

/**
 * Writes the half-made folder, in place of what a killed create may have left there.
 * @param {string} machines
 * @param {string} folder
 * @param {Readonly<Record<string, string>>} files
 */
function writeFolder(machines, folder, files) {
  fs.rmSync(folder, { recursive: true, force: true });
  // The store may have been emptied while the create waited.
  makeMailbox(machines);
  const mode = makeFolder(machines, folder);
  for (const [file, text] of Object.entries(files)) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(file))
      throw new Error(`the daemon named a file ${JSON.stringify(file)}`);
    fs.writeFileSync(`${folder}/${file}`, text, { mode, flag: 'wx' });
  }
}

/**
 * True when NAME's folder stands; one that the daemon has noted as gone is removed and does not count.
 * @param {string} machines
 * @param {string} name
 */
function stands(machines, name) {
  const folder = `${machines}/${name}`;
  if (!fs.existsSync(folder)) return false;
  try {
    if (!fs.readFileSync(`${folder}/hostler-health`, 'utf8').startsWith('gone')) return true;
  } catch {
    return true;
  }
  removeFolder(machines, name);
  return false;
}

/**
 * One line; what the file system says names no place when a disk is full.
 * @param {unknown} error
 * @param {string} place
 * @returns {string}
 */
function inWords(error, place) {
  const why = (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, ' ');
  const isFromDisk = error instanceof Error && 'syscall' in error;
  return isFromDisk && !why.includes(place) ? `${why} in ${place}` : why;
}

module.exports = { inWords, openStore, stands, writeFolder };
