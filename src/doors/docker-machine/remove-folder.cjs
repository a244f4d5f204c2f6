// Takes a machine's folder out of the store. Renamed first: a door killed in the middle must not leave half a folder, which
// the runner would count as a machine for ever. The daemon clears away what is left under the other name.
'use strict';
const fs = require('node:fs');

/**
 * Removes `machines/NAME`; nothing happens when it is not there.
 * @param {string} machines
 * @param {string} name a machine's name, or the dot-name of a half-made folder
 * @returns {boolean} whether there was one
 */
function removeFolder(machines, name) {
  const folder = `${machines}/${name}`;
  if (!fs.existsSync(folder)) return false;
  const removed = `${machines}/.${name}.gone`;
  fs.rmSync(removed, { recursive: true, force: true });
  try {
    fs.renameSync(folder, removed);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return false;
    throw error;
  }
  fs.rmSync(removed, { recursive: true, force: true, maxRetries: 2 });
  return true;
}

module.exports = { removeFolder };
