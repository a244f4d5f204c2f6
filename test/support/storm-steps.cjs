// Preloaded into a door's Node by NODE_OPTIONS: counts what it does in the store, before, in the middle of and after each
// step, and kills the process at one of these moments. It changes nothing of what the door does until then.
// Set by the test: STORM_KILL_AT the moment, from 1; STORM_TALLY a file that gets the number of moments at the exit.
// Trap: cjs and synchronous, because the kill must come before the next line of the door.
'use strict';
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');

const killAt = Number(process.env['STORM_KILL_AT'] ?? 0);
const tally = process.env['STORM_TALLY'] ?? '';
const store = process.env['MACHINE_STORAGE_PATH'] ?? '\n';
const real = { ...fs };
/** @type {Record<string, any>} */
const open = fs;
let moments = 0;

function moment() {
  moments += 1;
  if (moments === killAt) process.kill(process.pid, 'SIGKILL');
}

/**
 * @param {string} name
 * @param {(call: (...args: any[]) => any, args: any[]) => any} way
 */
function wrap(name, way) {
  const call = /** @type {Record<string, any>} */ (real)[name];
  open[name] = (/** @type {any[]} */ ...args) =>
    String(args[0]).startsWith(store) ? way(call, args) : call(...args);
}

for (const name of ['existsSync', 'readFileSync', 'statSync', 'accessSync'])
  wrap(name, (call, args) => {
    moment();
    return call(...args);
  });

for (const name of ['mkdirSync', 'chmodSync', 'renameSync', 'appendFileSync'])
  wrap(name, (call, args) => {
    moment();
    const made = call(...args);
    moment();
    return made;
  });

wrap('rmSync', (call, args) => {
  moment();
  const [first] = real.existsSync(args[0]) ? real.readdirSync(args[0]) : [];
  if (first !== undefined) {
    real.rmSync(`${args[0]}/${first}`);
    moment();
  }
  call(...args);
  moment();
});

wrap('writeFileSync', (_call, [path, text, options]) => {
  moment();
  const file = real.openSync(path, options?.flag ?? 'w', options?.mode);
  moment();
  const half = text.slice(0, text.length / 2);
  real.writeSync(file, half);
  moment();
  real.writeSync(file, text.slice(half.length));
  real.closeSync(file);
  moment();
});

syncBuiltinESMExports();
if (tally !== '') process.on('exit', () => real.writeFileSync(tally, String(moments)));
