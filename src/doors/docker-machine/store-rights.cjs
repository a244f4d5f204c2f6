// The rights of what the door makes in the store: its own user's alone, unless the store is one that the runner's user
// shares with the daemon's (docs/install.md).
// It must not widen anything else. Trap: mkdir goes by the umask, so a shared folder needs a chmod after it.
'use strict';
const fs = require('node:fs');

/** setgid and group write on `machines/`: whoever sets a store up for two users gives it both, by accident nobody does. */
const SHARED = 0o2020;

/**
 * @param {string} machines
 * @returns {{ folder: number, file: number }} modes for a machine's folder and the files in it
 */
function rightsIn(machines) {
  const isShared = (fs.statSync(machines).mode & SHARED) === SHARED;
  return isShared ? { folder: 0o2770, file: 0o640 } : { folder: 0o700, file: 0o600 };
}

/**
 * Makes `.NAME.tmp` and gives the mode for its files.
 * @param {string} machines
 * @param {string} folder
 */
function makeFolder(machines, folder) {
  const rights = rightsIn(machines);
  fs.mkdirSync(folder, { mode: rights.folder });
  fs.chmodSync(folder, rights.folder);
  return rights.file;
}

/**
 * Makes the mailbox if the daemon has not.
 * @param {string} machines
 */
function makeMailbox(machines) {
  const made = fs.mkdirSync(`${machines}/.hostler/released`, { recursive: true });
  if (made === undefined || rightsIn(machines).folder !== 0o2770) return;
  fs.chmodSync(`${machines}/.hostler`, 0o2770);
  fs.chmodSync(`${machines}/.hostler/released`, 0o2770);
}

module.exports = { makeFolder, makeMailbox };
