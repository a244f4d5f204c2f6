// Looks through the environment for HOSTLER_ names that are nearly ours: a misspelt variable is otherwise silent.
// Trap: other HOSTLER_ variables exist (HOSTLER_NODE, HOSTLER_DEBUG), so an unknown one alone is no error.
import { hint, nearest } from './nearest.ts';
import { daemonKeys, daemonVariable, poolKeys, poolVariable } from './own-keys.ts';
import { queueKeys, TOKEN_VARIABLE } from './queue-keys.ts';
import type { Reading } from './reading.ts';

/** Variables of hostler that are no settings. */
const others = ['HOSTLER_DEBUG', 'HOSTLER_NODE', TOKEN_VARIABLE];

function checkPoolName(reading: Reading, name: string, pools: readonly string[]): void {
  const spot = { where: `environment ${name}`, key: name };
  const [prefix = '', key = ''] = name.split('__', 2);
  const known = pools.map((pool) => poolVariable(pool, '').replace(/__$/, ''));
  if (!known.includes(prefix)) {
    const said = `names no pool: there is ${known.join(', ') || 'none'}${hint(prefix, known)}`;
    reading.findings.warn('environment-pool', said, spot);
    return;
  }
  // The id is what the variable goes by, so it cannot come from one.
  const queue = Object.keys(queueKeys).map((each) => `queue_${each}`);
  const keys = [...Object.keys(poolKeys).filter((each) => each !== 'pool'), ...queue];
  if (keys.some((each) => each.toUpperCase() === key)) return;
  const upper = keys.map((each) => each.toUpperCase());
  reading.findings.error('unknown-key', `unknown key ${key}${hint(key, upper)}`, spot);
}

/** Notes variables that are misspelt or name no pool. */
export function checkEnvironmentNames(reading: Reading, pools: readonly string[]): void {
  const known = [...Object.keys(daemonKeys).map(daemonVariable), ...others];
  for (const [name, value] of Object.entries(reading.env)) {
    if (!name.startsWith('HOSTLER_') || value === undefined || value === '' || known.includes(name)) continue;
    if (name.startsWith('HOSTLER_POOL_')) checkPoolName(reading, name, pools);
    else if (nearest(name, known) !== null) {
      const spot = { where: `environment ${name}`, key: name };
      reading.findings.warn('environment-unknown', `is not read${hint(name, known)}`, spot);
    }
  }
}
